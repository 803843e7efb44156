"""Contracts of the evaluation tables (`ml_*`).

Belongs here: columns, units and keys. Does not belong here: how a figure is computed or what a gate demands.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from exo_assets.catalogs.contracts import DISPOSITIONS, MISSIONS
from exo_assets.contracts import Column, TableContract
from exo_assets.training.conformal import SETS

F, N, S, B = pl.Float64, pl.Int64, pl.String, pl.Boolean

SPLITS = ("test", "oof", "unseen")
"""test: stars that nothing is ever trained on. oof: training stars, each judged by a model that did not see it. unseen: both."""
INPUTS = ("as_archived", "without_diagnostics", "without_light_curves")
"""Whether signals are judged with all that is known of them, with the DR25 pipeline block hidden, or (those that have a
light curve that the model sees) with all that it tells hidden."""
HEADS = ("planet", "disposition")
STATUSES = ("passed", "failed", "not_applicable")

_CANDIDATE = (
    Column("candidate_version", S, "Registry version of the model that was judged", nullable=False),
    Column("candidate_digest", S, "SHA-256 of the files of the model that was judged", nullable=False),
)
_INTERVAL = (
    Column("value", F, "The figure; null when it is undefined (one class only)"),
    Column("low", F, "Lower end of the 95 % interval, bootstrap by star"),
    Column("high", F, "Upper end of the 95 % interval, bootstrap by star"),
)
_SIZE = (
    Column("n_signals", N, "Signals that the figure rests on", nullable=False, low=0),
    Column("n_stars", N, "Stars that they belong to", nullable=False, low=0),
    Column(
        "prevalence", F, "Share of planets among them; what average precision is to be compared with", low=0, high=1
    ),
)

ML_VETTER_PREDICTIONS = TableContract(
    "ml_vetter_predictions",
    "The candidate's judgement of every disposed signal by a model that never saw its star: test stars by the candidate, training stars out of fold.",
    (
        *_CANDIDATE,
        Column("signal_id", S, "Name of the signal", nullable=False),
        Column("mission", S, "Mission that the catalogue entry comes from", nullable=False, allowed=MISSIONS),
        Column("star_id", S, "Host star across missions", nullable=False),
        Column("disposition", S, "Harmonised disposition (label)", nullable=False, allowed=DISPOSITIONS),
        Column("split", S, "Where the star stands", nullable=False, allowed=("test", "oof")),
        Column("inputs", S, "What the model was shown", nullable=False, allowed=INPUTS),
        Column("probability_planet", F, "Calibrated probability that the signal is a planet", low=0, high=1),
        Column("disposition_confirmed", F, "Probability that the archive would say CONFIRMED", low=0, high=1),
        Column("disposition_candidate", F, "Probability that the archive would say CANDIDATE", low=0, high=1),
        Column("disposition_false_positive", F, "Probability that the archive would say FALSE POSITIVE", low=0, high=1),
        Column("prediction_set", S, "Conformal prediction set; of training stars only as archived", allowed=SETS),
        Column("log_odds_features", F, "Log-odds of a planet by the features' models, before the blend"),
        Column("log_odds_network", F, "Log-odds of a planet by the network, before the blend; null when there is none"),
    ),
    key=("signal_id", "inputs"),
)

ML_VETTER_METRICS = TableContract(
    "ml_vetter_metrics",
    "Figures of the candidate on stars it never saw, per mission and overall, with intervals by star and the peer's figure where one is published.",
    (
        *_CANDIDATE,
        Column(
            "head",
            S,
            "planet: planet against false positive; disposition: the archive's three",
            nullable=False,
            allowed=HEADS,
        ),
        Column(
            "population",
            S,
            "overall, a mission, with_light_curve, or a bin of SNR, period (d), radius (R_Earth)",
            nullable=False,
        ),
        Column("split", S, "test, oof (training stars, out of fold), or unseen (both)", nullable=False, allowed=SPLITS),
        Column("inputs", S, "What the model was shown", nullable=False, allowed=INPUTS),
        Column("metric", S, "Name of the figure; <name>_gain: what light curves add to it, paired", nullable=False),
        *_INTERVAL,
        *_SIZE,
        Column("baseline", F, "The figure to beat on this task, star-grouped and without leaking columns"),
        Column("baseline_source", S, "Where the figure to beat comes from"),
    ),
    key=("head", "population", "split", "inputs", "metric"),
)

ML_VETTER_PARTS = TableContract(
    "ml_vetter_parts",
    "The features' models, the network and their blend on the same unseen stars, their differences in pairs, their reliability by signal to noise and period, and the figures of published vetters with what differs.",
    (
        Column("model", S, "features, network, blend, a difference of two, or a published vetter", nullable=False),
        Column(
            "population",
            S,
            "overall, a mission, a bin of SNR or period (d) of a mission, or published",
            nullable=False,
        ),
        Column("split", S, "test, unseen (training stars out of fold too), or published", nullable=False),
        Column(
            "metric",
            S,
            "Name of the figure; observed_minus_predicted: share of planets less the mean probability",
            nullable=False,
        ),
        _INTERVAL[0],
        *(
            replace(column, description=f"{column.description}; of observed_minus_predicted Wilson's")
            for column in _INTERVAL[1:]
        ),
        *(replace(column, nullable=True) for column in _SIZE),
        Column("note", S, "What differs from our task, for a published figure"),
    ),
    key=("model", "population", "split", "metric"),
)

ML_CONTINUAL_LEARNING = TableContract(
    "ml_continual_learning",
    "Learning TESS after Kepler with the network: what is gained on the new mission and forgotten of the old one by fine-tuning, elastic weight consolidation, rehearsal and full retraining, on frozen test stars; 'old mission only' on the new one is the shift between them.",
    (
        Column("way", S, "How the network learned", nullable=False),
        Column("description", S, "In words", nullable=False),
        Column("role", S, "old or new mission", nullable=False, allowed=("old", "new")),
        Column("mission", S, "Mission that is judged", nullable=False, allowed=MISSIONS),
        Column("metric", S, "Name of the figure, of uncalibrated probabilities", nullable=False),
        *_INTERVAL,
        *_SIZE,
    ),
    key=("way", "mission", "metric"),
)

ML_FORWARD_TEST = TableContract(
    "ml_forward_test",
    "Forward in time: a vetter trained on the dispositions of the DR25 snapshot, judged on KOIs that were candidates then and are resolved now.",
    (
        Column(
            "model",
            S,
            "vetter: trained as of then; koi_score: the archive's own score of then, the peer",
            nullable=False,
        ),
        Column("metric", S, "Name of the figure", nullable=False),
        *_INTERVAL,
        *_SIZE,
        Column("n_training_signals", N, "Signals that were resolved then and taught the vetter", low=0),
    ),
    key=("model", "metric"),
)

ML_LEAKAGE_PROBE = TableContract(
    "ml_leakage_probe",
    "What a small model learns when it should learn nothing, or without part of its features; the search for leaks.",
    (
        *_CANDIDATE,
        Column("probe", S, "all_features, drop_group, feature_alone, missingness_alone or permuted_labels", nullable=False,
               allowed=("all_features", "drop_group", "feature_alone", "missingness_alone", "permuted_labels")),
        Column("population", S, "overall or a mission", nullable=False),
        Column("inputs", S, "What the model was shown", nullable=False, allowed=INPUTS),
        Column("subject", S, "Feature or group of features concerned; empty when all", nullable=False),
        Column("roc_auc", F, "Cross-validated ROC AUC by star; null when it is undefined", low=0, high=1),
        Column("change", F, "roc_auc minus that with all features, same rows", low=-1, high=1),
        Column("n_signals", N, "Signals that the figure rests on", nullable=False, low=0),
    ),
    key=("probe", "population", "inputs", "subject"),
)  # fmt: skip

ML_VETTER_GATES = TableContract(
    "ml_vetter_gates",
    "One row per gate between a candidate and the champion: what was demanded, what was found, for exactly which model.",
    (
        Column("candidate_name", S, "Registry name of the candidate", nullable=False),
        Column("candidate_version", S, "Registry version of the candidate", nullable=False),
        Column("candidate_run_id", S, "Run that made the candidate", nullable=False),
        Column("candidate_digest", S, "SHA-256 of the candidate's files", nullable=False),
        Column("compared_with_digest", S, "SHA-256 of the model it was compared with; null when there was none"),
        Column("gate", S, "Name of the gate", nullable=False),
        Column("value", F, "What was found; null when not applicable"),
        Column("lowest", F, "Least value that passes; null when there is no lower bound"),
        Column("highest", F, "Largest value that passes; null when there is no upper bound"),
        Column("status", S, "passed, failed or not_applicable", nullable=False, allowed=STATUSES),
        Column("passed", B, "Whether it passed; null when not applicable"),
        Column("explanation", S, "The property in words, and what was found", nullable=False),
    ),
    key=("gate",),
)

ML_VETTER_CHAMPION = TableContract(
    "ml_vetter_champion",
    "The model that scores and serves: the registry's champion after the gates were read again.",
    (
        Column("name", S, "Registry name", nullable=False),
        Column("version", S, "Registry version", nullable=False),
        Column("run_id", S, "Run that made it", nullable=False),
        Column("digest", S, "SHA-256 of its files", nullable=False),
        Column("promoted_at", S, "When it became the champion (ISO 8601, UTC)", nullable=False),
        Column("previous_version", S, "Registry version of the model that a rollback puts back"),
        Column("previous_digest", S, "SHA-256 of its files"),
        Column("refused_version", S, "Version of a candidate that was not promoted although its gates passed"),
        Column("refused_reason", S, "Why it was not"),
    ),
    key=("name",),
)

ML_PERFORMANCE_HISTORY = TableContract(
    "ml_performance_history",
    "Figures of every candidate ever judged, appended and never rewritten.",
    (
        *_CANDIDATE,
        Column("data_digest", S, "First 16 digits of the SHA-256 of core_signals as it was judged on", nullable=False),
        Column("recorded_at", S, "When the figures were first recorded (ISO 8601, UTC)", nullable=False),
        Column("head", S, "planet or disposition", nullable=False, allowed=HEADS),
        Column("population", S, "overall or a mission", nullable=False),
        Column("split", S, "test or unseen", nullable=False, allowed=SPLITS),
        Column("metric", S, "Name of the figure", nullable=False),
        *_INTERVAL,
        *_SIZE,
    ),
    key=("candidate_digest", "data_digest", "head", "population", "split", "metric"),
)

CONTRACTS = (
    ML_VETTER_PREDICTIONS,
    ML_VETTER_METRICS,
    ML_VETTER_PARTS,
    ML_CONTINUAL_LEARNING,
    ML_FORWARD_TEST,
    ML_LEAKAGE_PROBE,
    ML_VETTER_GATES,
    ML_VETTER_CHAMPION,
    ML_PERFORMANCE_HISTORY,
)
