"""Judgements by a model that never saw the star, for every disposed signal.

Belongs here: which rows are the frozen test set, scoring them, joining the out-of-fold predictions of training.
Does not belong here: figures (`report.py`).
"""

from __future__ import annotations

from typing import Protocol

import polars as pl

from exo_assets.evaluation.contracts import ML_VETTER_PREDICTIONS
from exo_assets.features.from_light_curves import has_curve, hide_curves
from exo_assets.features.transformer import PIPELINE_BLOCK
from exo_assets.training.augmentation import hide_block
from exo_assets.training.model_ref import ModelRef
from exo_assets.training.splits import assign_splits

_JUDGEMENT = (
    "probability_planet",
    "disposition_confirmed",
    "disposition_candidate",
    "disposition_false_positive",
    "prediction_set",
    "log_odds_features",
    "log_odds_network",
)


class Judge(Protocol):
    """The part of the vetter that evaluation scores with."""

    def score(self, signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> pl.DataFrame:
        """Probabilities of each signal, rows in order."""


def held_out(signals: pl.DataFrame) -> pl.DataFrame:
    """The rows of `signals` whose star is in the frozen test set, undisposed companions included."""
    return signals.join(
        assign_splits(signals).filter(split="test").select("star_id"), on="star_id", how="semi", maintain_order="left"
    )


def score_held_out(vetter: Judge, signals: pl.DataFrame) -> pl.DataFrame:
    """Predictions for the disposed signals on test stars: with all columns, and without the diagnostics."""
    stars = held_out(signals)
    whole = _labelled(stars, vetter.score(stars))
    # Missions that publish no diagnostics are the same without them.
    affected = pl.col("mission").is_in(list(PIPELINE_BLOCK))
    kepler = stars.filter(affected)
    hidden = _labelled(kepler, vetter.score(hide_block(kepler)))
    return pl.concat(
        [
            whole.with_columns(inputs=pl.lit("as_archived")),
            pl.concat([hidden, whole.filter(~affected)]).with_columns(inputs=pl.lit("without_diagnostics")),
        ]
    ).with_columns(split=pl.lit("test"))


def predictions(candidate: ModelRef, vetter: Judge, signals: pl.DataFrame, out_of_fold: pl.DataFrame) -> pl.DataFrame:
    """`ml_vetter_predictions`: the candidate on test stars, and `out_of_fold` for the stars it was trained on."""
    who = signals.select("signal_id", "star_id", "disposition").filter(pl.col("disposition").is_not_null())
    bare = out_of_fold.filter(layout="no_curve")
    folded = pl.concat(
        [
            out_of_fold.filter("as_archived").with_columns(inputs=pl.lit("as_archived")),
            out_of_fold.filter(layout="basic").with_columns(inputs=pl.lit("without_diagnostics")),
            bare.with_columns(inputs=pl.lit("without_light_curves")),
        ]
    ).join(who, on="signal_id", how="inner", maintain_order="left")
    tested = [score_held_out(vetter, signals), *_bare(vetter, signals, bare["mission"].unique())]
    rows = pl.concat([*tested, folded.with_columns(split=pl.lit("oof"))], how="diagonal_relaxed")
    named = rows.with_columns(
        candidate_version=pl.lit(candidate.version), candidate_digest=pl.lit(candidate.digest)
    ).sort("signal_id", "inputs")
    return ML_VETTER_PREDICTIONS.conform(named)


def _bare(vetter: Judge, signals: pl.DataFrame, missions: pl.Series) -> list[pl.DataFrame]:
    """Test signals whose light curve the model sees, scored without it; nothing when it sees none."""
    stars = held_out(signals).filter(pl.col("mission").is_in(missions.implode()))
    if not has_curve(stars).any():
        return []
    scored = _labelled(stars, vetter.score(hide_curves(stars)))
    ours = stars.filter(has_curve(stars)).select("signal_id")
    shown = scored.join(ours, on="signal_id", how="semi", maintain_order="left")
    return [shown.with_columns(inputs=pl.lit("without_light_curves"), split=pl.lit("test"))]


def _labelled(stars: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    who = stars.select("signal_id", "mission", "star_id", "disposition")
    return pl.concat([who, scores.select(_JUDGEMENT)], how="horizontal").filter(pl.col("disposition").is_not_null())
