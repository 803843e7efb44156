"""Contracts of the tables of threshold-crossing events."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from exo_assets.contracts import Column, TableContract
from exo_assets.evaluation.contracts import ML_VETTER_CHAMPION, ML_VETTER_GATES
from exo_assets.events.columns import MEASURED, POSITION
from exo_assets.events.labels import LABELS, SOURCES
from exo_assets.events.sets import COVERAGE, SETS
from exo_assets.events.vetter import REASON

F, N, S, B = pl.Float64, pl.Int64, pl.String, pl.Boolean

SPLITS = ("test", "oof", "unseen", "published_folds", "published")
"""test: the frozen fifth of the stars. oof: training stars, out of fold. unseen: both. published_folds: every event, over
the ten folds of the labelled file, which are not grouped by star. published: a figure from a paper."""
MODELS = ("event_vetter", "plain_lightgbm", "event_vetter_minus_plain", "exominer_2022", "best_before_exominer")

_NAME = Column("event", S, "KIC number and the event's number on its star, e.g. 011442793-01", nullable=False)
_STAR = Column("star_id", S, "Host star", nullable=False)
_LABEL = "PC planet candidate, AFP astrophysical false positive, NTP not transit-like"
_PROBABILITIES = tuple(
    Column(f"probability_{label.lower()}", F, f"Calibrated probability of {words}", nullable=False, low=0, high=1)
    for label, words in zip(
        LABELS, ("a planet candidate", "an astrophysical false positive", "no transit"), strict=True
    )
)
_DIGEST = Column("model_digest", S, "SHA-256 of the files of the event vetter", nullable=False)

CORE_EVENTS = TableContract(
    "core_events",
    "Threshold-crossing events of Kepler DR25: everything the pipeline tripped on, harmonised and labelled.",
    (
        _NAME,
        _STAR,
        Column("planet_number", N, "Number of the event on its star, in the order of detection", nullable=False, low=1),
        Column("is_rogue", B, "Whether it fails the pipeline's three-transit check; never learned from", nullable=False),
        *(Column(c.name, F, c.description, c.unit) for c in (*MEASURED, *POSITION)),
        Column("label", S, f"What it is: {_LABEL}; null when it is not labelled", allowed=LABELS),
        Column("label_source", S, "published: label of the copy of the table; join: by the KOI table", allowed=SOURCES),
        Column("label_join", S, f"By the join to the DR25 KOI table: {_LABEL}", allowed=LABELS),
        Column("koi", S, "KOI of DR25 that the event is"),
        Column("disposition_now", S, "Disposition of that KOI in the cumulative table of today"),
        Column("published_fold", N, "Cross-validation fold of the labelled file (not grouped by star)", low=0),
    ),
    key=("event",),
)  # fmt: skip

ML_EVENT_CANDIDATE = TableContract(
    "ml_event_candidate",
    "The event vetter that was trained last: its reference in the model registry; no row without events to learn from.",
    (
        Column("name", S, "Registry name", nullable=False),
        Column("version", S, "Registry version", nullable=False),
        Column("run_id", S, "Run that made it", nullable=False),
        Column("digest", S, "SHA-256 of its files", nullable=False),
        Column("trained_at", S, "When it was registered (ISO 8601, UTC)", nullable=False),
        Column("profile", S, "EXO_PROFILE that it was trained with", nullable=False),
        Column("seed", N, "Seed of what is drawn at random", nullable=False),
        Column("n_events", N, "Labelled events that it learned from", nullable=False, low=0),
        Column("n_stars", N, "Stars that they belong to", nullable=False, low=0),
    ),
    key=("name",),
)

ML_EVENT_PREDICTIONS = TableContract(
    "ml_event_predictions",
    "Every labelled event judged by a model that never saw its star: test stars by the event vetter, training stars out of fold.",
    (
        _NAME,
        _STAR,
        _DIGEST,
        Column("label", S, _LABEL, nullable=False, allowed=LABELS),
        Column("label_source", S, "Where the label comes from", nullable=False, allowed=SOURCES),
        Column("label_join", S, "Label by the join to the DR25 KOI table", allowed=LABELS),
        Column("split", S, "Where the star stands", nullable=False, allowed=("test", "oof")),
        Column("fold", N, "Fold that was left out; null for test stars", low=0),
        *_PROBABILITIES,
        Column("score", F, "Log-odds of a planet candidate before calibration; what rankings use", nullable=False),
        Column("plain_score", F, "The same of a plain LightGBM on the archive's columns, same rows", nullable=False),
    ),
    key=("event",),
)  # fmt: skip

ML_EVENT_METRICS = TableContract(
    "ml_event_metrics",
    "Figures of the event vetter on stars it never saw, planet candidates against the rest, beside a plain LightGBM and what was published.",
    (
        Column("model", S, "Whose figure it is", nullable=False, allowed=MODELS),
        Column("split", S, "test, oof, unseen (both), published_folds, or published", nullable=False, allowed=SPLITS),
        Column("labels", S, "published: of the labelled file; join: by the DR25 KOI table", nullable=False),
        Column("metric", S, "Name of the figure", nullable=False),
        Column("value", F, "The figure; null when it is undefined (one class only)"),
        Column("low", F, "Lower end of the 95 % interval, bootstrap by star"),
        Column("high", F, "Upper end of the 95 % interval, bootstrap by star"),
        Column("n_events", N, "Events that the figure rests on", low=0),
        Column("n_stars", N, "Stars that they belong to", low=0),
        Column("prevalence", F, "Share of planet candidates among them", low=0, high=1),
        Column("differs", S, "What differs from the event vetter's figure on unseen stars: data, labels, split"),
    ),
    key=("model", "split", "labels", "metric"),
)  # fmt: skip

ML_EVENT_GATES = replace(
    ML_VETTER_GATES,
    name="ml_event_gates",
    description="One row per gate between an event vetter and its use: what was demanded, what was found, for exactly which model.",
)

ML_EVENT_CHAMPION = replace(
    ML_VETTER_CHAMPION,
    name="ml_event_champion",
    description="The event vetter that scores and serves: the registry's champion after the gates were read again; no row before the first.",
)

OUT_EVENT_SCORES = TableContract(
    "out_event_scores",
    "Probabilities of every threshold-crossing event by the event vetter; those it learned from are marked.",
    (
        _NAME,
        _STAR,
        _DIGEST,
        *_PROBABILITIES,
        Column("verdict", S, "The most probable of the three", nullable=False, allowed=LABELS),
        Column("prediction_set", S, f"What it can be at {COVERAGE:.0%} coverage of each class", nullable=False, allowed=SETS),
        Column("reasons", pl.List(REASON), "Of events that can be PC (exo score and the endpoint tell them of any): what moved the raw score of PC most, less that of the likelier other class"),
        Column("label", S, "What it is known to be", allowed=LABELS),
        Column("was_learned_from", B, "Whether the vetter was trained on it: then this is no test of it", nullable=False),
    ),
    key=("event",),
)  # fmt: skip

CONTRACTS: tuple[TableContract, ...] = (
    CORE_EVENTS,
    ML_EVENT_CANDIDATE,
    ML_EVENT_PREDICTIONS,
    ML_EVENT_METRICS,
    ML_EVENT_GATES,
    ML_EVENT_CHAMPION,
    OUT_EVENT_SCORES,
)
