"""Contracts of the scoring tables (`out_*`)."""

from __future__ import annotations

import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.contracts import Column, TableContract
from exo_assets.features.seen_views import SEEN_VIEWS
from exo_assets.lightcurves.star_contracts import MATCHES
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

OUT_FOUND_SCORES = TableContract(
    "out_found_scores",
    "Every signal that the search found (core_found_signals) as the champion judged it; those that could not be judged "
    "are here with the reason. A signal that the catalogue has is judged by what was fitted and measured of it, beside "
    "the catalogue's other signals of its star, and completed as exo score completes a row (completed_from); out_scores "
    "has the judgement of its catalogue entry.",
    (
        Column("tce_id", S, "Name of the threshold-crossing event: star and number", nullable=False),
        Column("star_id", S, "Star in the mission's input catalogue, as light curves name it", nullable=False),
        Column("mission", S, "Mission that observed it", nullable=False, allowed=MISSIONS),
        Column("host_id", S, "Host star across missions (key of core_stars); null where no catalogue has it"),
        Column(
            "rank",
            pl.Int64,
            "1 is the most likely planet of those above the thresholds; null for the others and where there is no judgement",
            low=1,
        ),
        Column("signal_id", S, "The catalogued signal that it is, or whose harmonic it is; null for none"),
        Column("match", S, "same, harmonic or none: what it is to signal_id", nullable=False, allowed=MATCHES),
        Column("period_days", F, "Orbital period", "d", nullable=False, low=0, low_open=True),
        *_judgement(nullable=True),
        Column("below_threshold", pl.Boolean, "Weaker than what is ranked: see core_found_signals", nullable=False),
        Column("flags", pl.List(S), "What is to be known beside the judgement, in words", nullable=False),
        Column("has_diagnostics", pl.Boolean, "Whether its light curve was measured for the judgement", nullable=False),
        Column("has_views", pl.Boolean, "Whether its folded views were there for the judgement", nullable=False),
        Column("n_signals_known", pl.Int64, "Signals of its star that were counted, itself included", low=1),
        Column("completed_from", S, "What the catalogue has of it and the search has not: DR25; null for nothing"),
        Column("curve_source", S, "Where its light curve is from: live, mirror, last_good, snapshot or user"),
        Column("first_found_at", S, "When it was found first, ISO 8601 (UTC)", nullable=False),
        Column("problems", S, "Values that were taken as unknown, and what to beware of; null for none"),
        *_FAILURE,
        Column("model_version", S, "First 12 digits of the SHA-256 of the model's files", nullable=False),
        Column("data_version", S, "First 16 digits of the SHA-256 of core_found_signals as judged", nullable=False),
    ),
    key=("tce_id",),
)

CONTRACTS = (OUT_SCORES_ALL, OUT_SCORES, OUT_SCORES_ATTRITION, OUT_FOUND_SCORES)

JUDGEMENT = tuple(c.name for c in _judgement(nullable=True))
"""What the vetter says of a signal, in the order in which every door shows it."""
