"""Contracts of the training tables (`ml_*`)."""

from __future__ import annotations

import polars as pl

from exo_assets.catalogs.contracts import DISPOSITIONS, MISSIONS
from exo_assets.contracts import Column, TableContract
from exo_assets.training.conformal import SETS

F, N, S, B = pl.Float64, pl.Int64, pl.String, pl.Boolean

_P = "Calibrated probability, by models that never saw the star"

ML_TRAINING_SET = TableContract(
    "ml_training_set",
    "Every signal with a disposition: its label, and whether and in which fold it may be learned from.",
    (
        Column("signal_id", S, "Name of the signal", nullable=False),
        Column("mission", S, "Mission", nullable=False, allowed=MISSIONS),
        Column("star_id", S, "Host star across missions", nullable=False),
        Column("mission_star_id", S, "Host in the mission's own naming", nullable=False),
        Column("label", S, "Harmonised disposition", nullable=False, allowed=DISPOSITIONS),
        Column(
            "split",
            S,
            "test: the frozen fifth of the stars, by a hash of their names; never learned from",
            nullable=False,
            allowed=("train", "test"),
        ),
        Column("fold", N, "Cross-validation fold of a training star; null for test stars", low=0),
    ),
    key=("signal_id",),
)

ML_TRAINING_COMPARISON = TableContract(
    "ml_training_comparison",
    "Plain training, class weights, SMOTE and a linear model on the same star-grouped folds, and which is kept.",
    (
        Column("method", S, "What was tried", nullable=False),
        Column("description", S, "In words", nullable=False),
        Column("n_signals", N, "Resolved training signals", nullable=False, low=1),
        Column("roc_auc", F, "Area under the ROC curve", low=0, high=1),
        Column("average_precision", F, "Average precision", low=0, high=1),
        Column("precision_at_recall_90", F, "Precision at 90 % recall", low=0, high=1),
        Column("macro_f1", F, "Mean F1 of both classes at 0.5", low=0, high=1),
        Column("log_loss", F, "Log loss after calibration", "nat", low=0),
        Column("ece", F, "Expected calibration error after calibration", low=0, high=1),
        Column(
            "is_usable", B, "Whether the vetter could be trained so (it reads unknowns as they are)", nullable=False
        ),
        Column("is_best", B, "Highest average precision", nullable=False),
        Column("is_kept", B, "What the candidate is trained with", nullable=False),
    ),
    key=("method",),
)

ML_VETTER_CANDIDATE = TableContract(
    "ml_vetter_candidate",
    "The model trained last, as a reference into the model registry.",
    (
        Column("name", S, "Name in the registry", nullable=False),
        Column("version", S, "Version in the registry", nullable=False),
        Column("run_id", S, "MLflow run", nullable=False),
        Column("digest", S, "SHA-256 of the model's files: same data, code and seed, same digest", nullable=False),
        Column("trained_at", S, "When this version was registered, ISO 8601", nullable=False),
        Column("data_digest", S, "SHA-256 of the training set it was first trained on", nullable=False),
        Column("profile", S, "fast: fixed hyper-parameters; full: searched", nullable=False, allowed=("fast", "full")),
        Column("seed", N, "Seed", nullable=False),
        Column("balance", S, "How classes were weighted", nullable=False, allowed=("plain", "weights")),
        Column("n_signals", N, "Training signals, candidates included", nullable=False, low=1),
        Column("n_resolved", N, "Training signals that are planets or false positives", nullable=False, low=1),
        Column("n_stars", N, "Training stars", nullable=False, low=1),
    ),
    key=("digest",),
)

ML_VETTER_OOF = TableContract(
    "ml_vetter_oof",
    "Out-of-fold predictions for the training stars, by the fold models of the candidate.",
    (
        Column("signal_id", S, "Name of the signal", nullable=False),
        Column("mission", S, "Mission", nullable=False, allowed=MISSIONS),
        Column("label", S, "Harmonised disposition", nullable=False, allowed=DISPOSITIONS),
        Column("fold", N, "Fold that was left out", nullable=False, low=0),
        Column(
            "layout",
            S,
            "full: with pipeline diagnostics; basic: without them; no_curve: as it is, but without its light curve",
            nullable=False,
            allowed=("full", "basic", "no_curve"),
        ),
        Column("as_archived", B, "Whether this is the layout that the signal has in the catalogue", nullable=False),
        Column("probability_planet", F, _P, nullable=False, low=0, high=1),
        Column(
            "prediction_set",
            S,
            "Conformal prediction set, from limits that never saw the star; of signals as archived",
            allowed=SETS,
        ),
        Column("disposition_confirmed", F, _P, nullable=False, low=0, high=1),
        Column("disposition_candidate", F, _P, nullable=False, low=0, high=1),
        Column("disposition_false_positive", F, _P, nullable=False, low=0, high=1),
        Column(
            "log_odds_features", F, "Log-odds of a planet by the features' models, before the blend", nullable=False
        ),
        Column(
            "log_odds_network", F, "Log-odds of a planet by the network, before the blend; null when none was trained"
        ),
    ),
    key=("signal_id", "layout"),
)

OOF_KEY = "training/out_of_fold/{digest}.parquet"
"""Where the lake keeps the out-of-fold predictions of a model by its digest: the record of what it learned from."""

CONTRACTS: tuple[TableContract, ...] = (ML_TRAINING_SET, ML_TRAINING_COMPARISON, ML_VETTER_CANDIDATE, ML_VETTER_OOF)
