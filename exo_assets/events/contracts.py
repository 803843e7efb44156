"""Contracts of the tables of threshold-crossing events."""

from __future__ import annotations

import polars as pl

from exo_assets.contracts import Column, TableContract
from exo_assets.events.columns import MEASURED, POSITION
from exo_assets.events.labels import LABELS, SOURCES

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

OUT_EVENT_SCORES = TableContract(
    "out_event_scores",
    "Probabilities of every threshold-crossing event by the event vetter; those it learned from are marked.",
    (
        _NAME,
        _STAR,
        _DIGEST,
        *_PROBABILITIES,
        Column("verdict", S, "The most probable of the three", nullable=False, allowed=LABELS),
        Column("label", S, "What it is known to be", allowed=LABELS),
        Column("was_learned_from", B, "Whether the vetter was trained on it: then this is no test of it", nullable=False),
    ),
    key=("event",),
)  # fmt: skip

CONTRACTS: tuple[TableContract, ...] = (CORE_EVENTS, ML_EVENT_PREDICTIONS, ML_EVENT_METRICS, OUT_EVENT_SCORES)
