"""Signals that the search found and no catalogue has, as candidates of dossiers.

Belongs here: their rows in the catalogue's columns, their ranks and scores. Does not belong here: what a dossier holds
(`dossier.py`), the judgement (`exo_assets.scoring`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.corpus.dossier_contracts import BY_CATALOGUE, BY_SEARCH
from exo_assets.corpus.dossier_facts import SEARCH
from exo_assets.scoring.contracts import OUT_SCORES
from exo_assets.scoring.found import FITTED, as_signals, in_no_catalogue, named_stars

RANKED = ("signal_id", "rank", "ranked_in", "signals_on_star", "model_version")


@dataclass(frozen=True)
class Candidates:
    """What dossiers are made of: `ranked` (RANKED) in the order of the lists and of ranks, `signals` in the columns of
    `core_signals` and `scores` in those of `out_scores` for at least those."""

    ranked: pl.DataFrame
    signals: pl.DataFrame
    scores: pl.DataFrame


def catalogued(mart_candidates: pl.DataFrame, core_signals: pl.DataFrame, out_scores: pl.DataFrame) -> Candidates:
    """The candidates of the catalogue."""
    ranked = mart_candidates.with_columns(ranked_in=pl.lit(BY_CATALOGUE)).select(RANKED).sort("rank")
    return Candidates(ranked, core_signals, out_scores)


def found(core_found_signals: pl.DataFrame, out_found_scores: pl.DataFrame, core_signals: pl.DataFrame) -> Candidates:
    """The ranked signals that are in no catalogue, under the names of their threshold-crossing events. A star that no
    catalogue has goes by the name that light curves have for it."""
    scores = in_no_catalogue(out_found_scores)
    rows = scores.select("tce_id", "rank", "host_id", "model_version").join(core_found_signals, on="tce_id")
    rows = rows.sort("rank").with_columns(star=pl.coalesce("host_id", "star_id"))
    known = core_signals.group_by(star="star_id").agg(_known=pl.len())
    rows = rows.join(known, on="star", how="left", maintain_order="left").with_columns(
        signals_on_star=pl.col("_known").fill_null(0).cast(pl.Int64) + pl.len().over("star").cast(pl.Int64)
    )
    signals = as_signals(rows.select("tce_id", "star_id", "mission", *FITTED), named_stars(core_signals))
    signals = signals.with_columns(
        rows["star"].alias("star_id"),
        rows["t0_bjd"],
        *(rows[name] for name in ("period_err_days", "duration_err_hours", "depth_err_ppm")),
        source_table=pl.lit(SEARCH),
        has_diagnostics=pl.lit(False),
    )
    ranked = rows.with_columns(signal_id="tce_id", ranked_in=pl.lit(BY_SEARCH)).select(RANKED)
    said = scores.with_columns(signal_id="tce_id", star_id=pl.coalesce("host_id", "star_id"))
    return Candidates(ranked, CORE_SIGNALS.conform(signals), OUT_SCORES.conform(said))


def as_found(core_found_signals: pl.DataFrame, out_found_scores: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """What the search has of a signal, by the catalogue's name if it has that signal, else by its own: `tce_id`, and
    what the release says is to be known of it (`flags`, `period_alternatives_days`)."""
    periods = core_found_signals.select("tce_id", "snr", "period_alternatives_days")
    rows = out_found_scores.filter(pl.col("match") != "harmonic").join(periods, on="tce_id")
    rows = rows.sort("snr", "tce_id", nulls_last=True, descending=[True, False])
    rows = rows.with_columns(name=pl.coalesce("signal_id", "tce_id")).unique("name", keep="first", maintain_order=True)
    shown = rows.select("name", "tce_id", "flags", "period_alternatives_days").iter_rows(named=True)
    return {row.pop("name"): row for row in shown}


def together(lists: list[Candidates]) -> Candidates:
    """Several lists of candidates, one after the other."""
    return Candidates(
        pl.concat([one.ranked.cast({"rank": pl.Int64, "signals_on_star": pl.Int64}) for one in lists]),
        pl.concat([CORE_SIGNALS.conform(one.signals) for one in lists]),
        pl.concat([OUT_SCORES.conform(one.scores) for one in lists]),
    )
