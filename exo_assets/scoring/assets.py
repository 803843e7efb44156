"""Assets of the scoring stage: every signal of the catalogue, judged by the champion.

Belongs here: which tables and resources scoring takes, and where its batches are computed (Ray Data).
Does not belong here: scoring itself (score.py, batch.py).
"""

from __future__ import annotations

from typing import Any

import dagster as dg
import polars as pl

from exo_assets.features.from_light_curves import with_diagnostics
from exo_assets.scoring.contracts import (
    JUDGEMENT,
    OUT_SCORES,
    OUT_SCORES_ALL,
    OUT_SCORES_ATTRITION,
    OUT_VIEW_EXPLANATIONS,
)
from exo_assets.table_asset import Table, table_asset
from exo_assets.training.model_ref import ModelRef
from exo_resources.signal_views import SignalViews

GROUP = "scoring"
BATCH_ROWS = 2000
"""Rows per task: half a second of explanations, well above what sending it costs."""

EXPLAINED_ROWS = 100
"""Signals per task whose views are explained: 40 ms each."""
PICTURES = 6


@table_asset(OUT_SCORES_ALL, group=GROUP, kinds=("ray", "lightgbm", "parquet"))
def out_scores_all(
    *,
    core_signals: pl.DataFrame,
    feat_signal_diagnostics: pl.DataFrame,
    feat_view_index: pl.DataFrame,
    ml_vetter_champion: pl.DataFrame,
    lake: Any,
    registry: Any,
    ray_runtime: Any,
    signal_views: SignalViews,
) -> Table:
    """Judge every signal with the champion; a signal that fails is a row with the reason."""
    from exo_assets.scoring.batch import FAILURE
    from exo_assets.scoring.score import prepare

    ref, files, vetter = opened(ml_vetter_champion, registry)
    signals = with_diagnostics(core_signals, feat_signal_diagnostics).sort("signal_id")
    signals = signal_views.beside(signals, feat_view_index)
    prepared = prepare(signals, vetter)
    results = in_batches(prepared.features, files, ray_runtime)
    unusable, failed = prepared.rows["unusable"], results[FAILURE]
    if results.height and failed.null_count() == 0:
        raise dg.Failure(f"{ref} scored not one of {results.height} signals; the first reason: {failed[0]}")
    reasons = prepared.rows.join(results.select(row="signal_id", failure=FAILURE), on="row", how="left")
    reasons = reasons.sort(pl.col("row").cast(pl.Int64))
    scored = (
        signals.select("signal_id", "mission", "star_id")
        .hstack(prepared.judged(results).select(JUDGEMENT))
        .with_columns(
            stage=pl.when(unusable.is_not_null())
            .then(pl.lit("input"))
            .when(reasons["failure"].is_not_null())
            .then(pl.lit("model")),
            reason=pl.coalesce(unusable, reasons["failure"]),
            model_version=pl.lit(vetter.version),
            data_version=pl.lit(lake.version("core_signals").digest[:16]),
        )
    )
    lost = scored["reason"].count()
    return Table(
        OUT_SCORES_ALL.conform(scored),
        metadata={"model": str(ref), "lost": lost},
        notes={"model": ref.as_row(), "scored": scored.height - lost, "lost": lost},
    )


@table_asset(OUT_SCORES, group=GROUP)
def out_scores(out_scores_all: pl.DataFrame) -> pl.DataFrame:
    """The signals that have a score."""
    return OUT_SCORES.conform(out_scores_all.filter(pl.col("reason").is_null()))


@table_asset(OUT_SCORES_ATTRITION, group=GROUP)
def out_scores_attrition(out_scores_all: pl.DataFrame) -> pl.DataFrame:
    """The signals that have none, and why."""
    return OUT_SCORES_ATTRITION.conform(out_scores_all.filter(pl.col("reason").is_not_null()))


@table_asset(
    OUT_VIEW_EXPLANATIONS,
    group=GROUP,
    kinds=("ray", "onnx", "parquet"),
)
def out_view_explanations(
    *,
    core_signals: pl.DataFrame,
    feat_signal_diagnostics: pl.DataFrame,
    feat_view_index: pl.DataFrame,
    ml_vetter_champion: pl.DataFrame,
    lake: Any,
    registry: Any,
    ray_runtime: Any,
    signal_views: SignalViews,
) -> Table:
    """Of every signal that is not resolved and whose views the champion sees, which part of the light curve argued for
    a planet or against it."""
    from exo_assets.pictures import image
    from exo_assets.scoring.view_explanations import RESULT, asked_for, pictures, why_empty

    ref, files, vetter = opened(ml_vetter_champion, registry)
    asked = asked_for(core_signals, feat_view_index, vetter)
    found, shown = pl.DataFrame(schema=RESULT), dict[str, bytes]()
    if asked.signals.height:
        catalogue = with_diagnostics(core_signals, feat_signal_diagnostics).sort("signal_id")
        index = feat_view_index.join(asked.signals, on="signal_id", how="semi")
        features, unusable = asked.features(signal_views.beside(catalogue, index), vetter)
        found = pl.concat([_explained(features, files, ray_runtime), unusable])
        if found.height and found["reason"].null_count() == 0:
            raise dg.Failure(
                f"{ref} explained not one of {asked.signals.height} signals; the first reason: {found['reason'][0]}"
            )
        names = dict(asked.signals.select("row", "signal_id").iter_rows())
        shown = dict(pictures(found, features, names, PICTURES))
    rows = found.rename({"signal_id": "row"}).join(asked.signals, on="row")
    stored = lake.version("core_signals").digest[:16]
    rows = rows.with_columns(model_version=pl.lit(vetter.version), data_version=pl.lit(stored))
    return Table(
        OUT_VIEW_EXPLANATIONS.conform(rows).sort("signal_id", "view"),
        metadata={name: dg.MetadataValue.md(image(png, name)) for name, png in shown.items()},
        notes={
            "model": ref.as_row(),
            "explained": rows.filter(pl.col("reason").is_null())["signal_id"].n_unique(),
            "lost": rows["reason"].count(),
            **({"unseen": dict(asked.unseen)} if asked.unseen else {}),
            **({"empty_because": why_empty(vetter, asked.unseen)} if rows.is_empty() else {}),
        },
    )


def opened(ml_vetter_champion: pl.DataFrame, registry: Any) -> tuple[ModelRef, Any, Any]:
    """The champion: which it is, its files for the cluster, and the model that they hold."""
    from exo_assets.scoring.batch import load_model, model_files

    ref = ModelRef.from_row(ml_vetter_champion.row(0, named=True))
    files = model_files(registry.fetch(ref))
    return ref, files, load_model(files)


def _explained(features: pl.DataFrame, files: Any, ray_runtime: Any) -> pl.DataFrame:
    """`explain_resilient` of all rows, in batches on the cluster."""
    from exo_assets.scoring.batch import to_arrow
    from exo_assets.scoring.view_explanations import RESULT, explain_batch

    table = to_arrow(features)
    batches = [table.slice(start, EXPLAINED_ROWS) for start in range(0, table.num_rows, EXPLAINED_ROWS)]
    return pl.concat([pl.DataFrame(schema=RESULT), *ray_runtime.map(explain_batch, files, batches)])


def in_batches(features: pl.DataFrame, files: Any, ray_runtime: Any) -> pl.DataFrame:
    """`score_resilient` of all rows, in batches on the cluster; the order of rows is not kept."""
    from exo_assets.scoring.batch import RESULT, score_batch, to_arrow

    if features.is_empty():
        return pl.DataFrame(schema=RESULT)
    ray_runtime.ensure()
    import ray
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    table = to_arrow(features)
    batches = [table.slice(start, BATCH_ROWS) for start in range(0, table.num_rows, BATCH_ROWS)]
    done = ray.data.from_arrow(batches).map_batches(
        score_batch, fn_kwargs={"files": files}, batch_format="pyarrow", batch_size=None, num_cpus=1
    )
    parts = [pl.DataFrame(pl.from_arrow(part)) for part in ray.get(done.to_arrow_refs())]
    return pl.concat([part.select(RESULT.names()).cast(pl.Schema(RESULT)) for part in parts])


ASSETS: list[dg.AssetsDefinition] = [out_scores_all, out_scores, out_scores_attrition, out_view_explanations]
