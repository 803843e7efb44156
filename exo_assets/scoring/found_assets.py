"""The asset of the search's signals, judged by the champion as the catalogue's are.

Belongs here: which tables and resources that takes, and what is told of it. Does not belong here: what is judged of a
found signal (`found.py`), the batches (`assets.py`, `batch.py`).
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl

from exo_assets.lightcurves.contracts import RAW_MAST__LIGHT_CURVES
from exo_assets.pictures import rows_shown
from exo_assets.scoring.assets import GROUP, in_batches, opened
from exo_assets.scoring.batch import FAILURE
from exo_assets.scoring.contracts import JUDGEMENT, OUT_FOUND_SCORES
from exo_assets.scoring.found import (
    JOINED_OF_FOUND,
    as_signals,
    first_found,
    found_scores,
    in_no_catalogue,
    named_stars,
    remarks,
    views_of_found,
    with_measurements,
)
from exo_assets.scoring.score import Prepared, Scorer, prepare
from exo_assets.table_asset import Table, table_asset
from exo_resources.known_signals import KnownSignals
from exo_resources.signal_views import SignalViews

BEST = 10
"""Signals that are in no catalogue that the UI shows."""
_SHOWN = ("rank", "tce_id", "mission", "probability_planet", "verdict", "prediction_set", "flags")


def curve_sources(lake: Any, star_tables: Any) -> pl.DataFrame:
    """Where each star's light curves are from: `star_id`, `curve_source`, several joined by '+'."""
    columns = ["star_id", "source", "status"]
    empty = RAW_MAST__LIGHT_CURVES.empty().select(columns)
    own = lake.stored("raw_user__light_curves", columns)
    user = empty if own is None else own.select(columns)
    files = pl.concat([star_tables.read(RAW_MAST__LIGHT_CURVES.name, columns, empty), user]).filter(status="kept")
    return files.group_by("star_id").agg(curve_source=pl.col("source").unique().sort().str.join("+")).sort("star_id")


def _sources(resources: Any) -> str:
    return hashlib.sha256(curve_sources(resources.lake, resources.star_tables).write_csv().encode()).hexdigest()


@table_asset(
    OUT_FOUND_SCORES,
    group=GROUP,
    kinds=("ray", "lightgbm", "parquet"),
    also_after=(RAW_MAST__LIGHT_CURVES.name, "raw_user__light_curves", "core_planet_identity"),
    salt=_sources,
)
def out_found_scores(
    *,
    core_found_signals: pl.DataFrame,
    core_searched_stars: pl.DataFrame,
    core_signals: pl.DataFrame,
    feat_signal_diagnostics: pl.DataFrame,
    feat_view_index: pl.DataFrame,
    ml_vetter_champion: pl.DataFrame,
    lake: Any,
    star_tables: Any,
    registry: Any,
    ray_runtime: Any,
    signal_views: SignalViews,
) -> Table:
    """Judge every signal that the search found with the champion; one that cannot be is a row with the reason."""
    ref, files, vetter = opened(ml_vetter_champion, registry)
    found, stars = core_found_signals.sort("tce_id"), named_stars(core_signals)
    signals = with_measurements(as_signals(found, stars), feat_signal_diagnostics)
    signals = signal_views.beside(signals, views_of_found(feat_view_index, feat_signal_diagnostics))
    prepared = prepare(signals, vetter, known=KnownSignals(lake).read(signals))
    results = in_batches(prepared.features, files, ray_runtime)
    if results.height and results[FAILURE].null_count() == 0:
        raise dg.Failure(
            f"{ref} judged not one of {results.height} found signals; the first reason: {results[FAILURE][0]}"
        )
    judged = _told(prepared, results, vetter, found["mission"].to_list())
    flux = core_searched_stars.select("star_id", "flux_kind")
    curves = flux.join(curve_sources(lake, star_tables), on="star_id", how="left")
    scored = found_scores(found, signals, judged, stars, curves)
    stored, now = lake.version("core_found_signals").digest[:16], datetime.now(UTC).isoformat(timespec="seconds")
    since = first_found(found, _before(lake))
    scored = scored.with_columns(
        since.fill_null(now).alias("first_found_at"),
        model_version=pl.lit(vetter.version),
        data_version=pl.lit(stored),
    )
    new = in_no_catalogue(scored)
    return Table(
        OUT_FOUND_SCORES.conform(scored),
        metadata={"in_no_catalogue": dg.MetadataValue.md(rows_shown(new.select(_SHOWN).head(BEST)))},
        notes={
            "model": ref.as_row(),
            "judged": scored["reason"].null_count(),
            "lost": scored["reason"].count(),
            "ranked": scored["rank"].count(),
            "ranked_in_no_catalogue": new.height,
            "new_in_no_catalogue": new.join(found.filter(since.is_null()), on="tce_id", how="semi").height,
        },
    )


def _before(lake: Any) -> pl.DataFrame:
    """What an earlier night found, and when first; nothing before the first one."""
    columns = {"star_id": pl.String, "period_days": pl.Float64, "first_found_at": pl.String}
    present = lake.version(OUT_FOUND_SCORES.name)
    if present is None:
        return pl.DataFrame(schema=columns)
    stored = lake.read(OUT_FOUND_SCORES.name)
    if not {*columns} <= {*stored.columns}:
        return pl.DataFrame(schema=columns)
    return stored.select(*columns)


def _told(prepared: Prepared, results: pl.DataFrame, vetter: Scorer, missions: list[str]) -> pl.DataFrame:
    """JUDGEMENT and JOINED_OF_FOUND of each row with `problems`, and `stage` and `reason` where there is none."""
    failed = prepared.rows.join(results.select(row="signal_id", failure=FAILURE), on="row", how="left")
    failure = failed.sort(pl.col("row").cast(pl.Int64))["failure"]
    judged = prepared.judged(results)
    cautions = {mission: vetter.unfamiliar(mission) for mission in sorted(set(missions))}
    rows = judged.select("problems", "unusable").iter_rows(named=True)
    said = ["; ".join(remarks(row, cautions[m])) or None for row, m in zip(rows, missions, strict=True)]
    unusable = judged["unusable"]
    return judged.select(*JUDGEMENT, *JOINED_OF_FOUND).with_columns(
        pl.Series("problems", said, pl.String),
        stage=pl.when(unusable.is_not_null()).then(pl.lit("input")).when(failure.is_not_null()).then(pl.lit("model")),
        reason=pl.coalesce(unusable, failure),
    )


ASSETS: list[dg.AssetsDefinition] = [out_found_scores]
