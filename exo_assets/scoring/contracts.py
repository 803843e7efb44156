"""Contracts of the scoring tables (`out_*`)."""

from __future__ import annotations

import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.contracts import Column, TableContract
from exo_assets.features.seen_views import SEEN_VIEWS
from exo_assets.training.conformal import SETS

F, S = pl.Float64, pl.String

VERDICTS = ("planet", "candidate", "false positive")
REASONS = pl.List(pl.Struct({"feature": pl.String, "value": pl.Float64, "contribution": pl.Float64}))
"""Strongest contributions first; `contribution` is in log-odds, positive towards planet; `value` null when unknown."""

_WHO = (
    Column("signal_id", S, "Name of the signal", nullable=False),
    Column("mission", S, "Mission that the catalogue entry comes from", nullable=False, allowed=MISSIONS),
    Column("star_id", S, "Host star across missions (key of core_stars)"),
)


def _judgement(nullable: bool) -> tuple[Column, ...]:
    return (
        Column(
            "probability_planet",
            F,
            "Calibrated probability that the signal is a planet",
            nullable=nullable,
            low=0,
            high=1,
        ),
        Column(
            "disposition_confirmed",
            F,
            "Probability that the archive would say CONFIRMED",
            nullable=nullable,
            low=0,
            high=1,
        ),
        Column(
            "disposition_candidate",
            F,
            "Probability that the archive would say CANDIDATE",
            nullable=nullable,
            low=0,
            high=1,
        ),
        Column(
            "disposition_false_positive",
            F,
            "Probability that the archive would say FALSE POSITIVE",
            nullable=nullable,
            low=0,
            high=1,
        ),
        Column("verdict", S, "What people are told; candidate means unsure", nullable=nullable, allowed=VERDICTS),
        Column(
            "prediction_set",
            S,
            "What the signal can be at 95 % coverage of planets and of false positives alike; unsure: either",
            nullable=nullable,
            allowed=SETS,
        ),
        Column(
            "reasons",
            REASONS,
            "Features and views that moved the probability most: value (null for views) and contribution in log-odds",
        ),
    )


_PROVENANCE = (
    Column("model_version", S, "First 12 digits of the SHA-256 of the model's files", nullable=False),
    Column("data_version", S, "First 16 digits of the SHA-256 of core_signals as it was scored", nullable=False),
)

_FAILURE = (
    Column("stage", S, "Where the signal was lost: input or model", allowed=("input", "model")),
    Column("reason", S, "Why it has no score"),
)

OUT_SCORES_ALL = TableContract(
    "out_scores_all",
    "Every signal of core_signals as the champion judged it, those that could not be scored included.",
    (*_WHO, *_judgement(nullable=True), *_FAILURE, *_PROVENANCE),
    key=("signal_id",),
)

OUT_SCORES = TableContract(
    "out_scores",
    "The champion's judgement of every signal, with its reasons; one row per scored signal.",
    (*_WHO, *_judgement(nullable=False), *_PROVENANCE),
    key=("signal_id",),
)

OUT_SCORES_ATTRITION = TableContract(
    "out_scores_attrition",
    "Signals that could not be scored, with the stage that lost them and the reason.",
    (*_WHO, *_FAILURE, *_PROVENANCE),
    key=("signal_id",),
)

OUT_VIEW_EXPLANATIONS = TableContract(
    "out_view_explanations",
    "Which part of the light curve argued for a planet: occlusion over phase, one row per view of each signal that is not "
    "resolved and whose views the champion sees; one row without a view for a signal that could not be explained.",
    (
        *_WHO,
        Column("view", S, "Folded view (feat_views); null where there is a reason", allowed=SEEN_VIEWS),
        Column("unit", S, "Unit of `centre`: phase, or durations from mid-transit", allowed=("phase", "durations")),
        Column("centre", pl.List(F), "Middle of each window that was set flat, in `unit`"),
        Column(
            "effect",
            pl.List(F),
            "Log-odds of a planet that the network loses with each window: above 0 where it argued for a planet",
        ),
        Column("log_odds_network", F, "The network's log-odds of a planet, with everything that it was told"),
        Column(
            "network_weight",
            F,
            "What the blend multiplies the network's log-odds by; with 0 the views moved nothing of the probability",
            low=0,
        ),
        Column("reason", S, "Why the signal could not be explained; null where it was"),
        *_PROVENANCE,
    ),
    key=("signal_id", "view"),
)
"""Not among CONTRACTS: the release would have to wait for it, which is made for looking at."""

CONTRACTS = (OUT_SCORES_ALL, OUT_SCORES, OUT_SCORES_ATTRITION)

JUDGEMENT = tuple(c.name for c in _judgement(nullable=True))
"""What the vetter says of a signal, in the order in which every door shows it."""
