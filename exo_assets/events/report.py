"""Figures of the event vetter: planet candidates against the rest, with intervals by star.

Belongs here: which figures, on which rows, and what they are put beside. Does not belong here: the definition of a
figure (evaluation/metrics.py) or of an interval (evaluation/bootstrap.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.evaluation.bootstrap import Interval, Metrics, bootstrap_by_star, paired_difference
from exo_assets.evaluation.metrics import Array, probability_metrics, ranking_metrics, share
from exo_assets.evaluation.published import BEFORE_EXOMINER, EXOMINER
from exo_assets.evaluation.report import interval_columns
from exo_assets.evaluation.threads import Map, in_turn
from exo_assets.events.contracts import ML_EVENT_METRICS
from exo_assets.events.labels import LABELS
from exo_assets.events.vetter import PROBABILITIES
from exo_assets.training.calibration import sigmoid

HEADLINE = ("recall_at_precision_99", "average_precision")
"""Figures that are shown first."""

PUBLISHED = {"exominer_2022": EXOMINER, "best_before_exominer": BEFORE_EXOMINER}
"""By model of ML_EVENT_METRICS."""

_DATA = (
    "data: light-curve views beside diagnostics, and the table without the stars that may be withheld here; labels: of "
    "the same kind, as of 2021; split: its own, one random test set"
)
DIFFERS: Mapping[tuple[str, str], str] = {
    ("event_vetter", "published_folds"): "split: the labelled file's ten folds, where a star's events are in several; "
    "test stars are learned from too",
    ("exominer_2022", "published"): _DATA,
    ("best_before_exominer", "published"): f"{_DATA}; the best of the classifiers that ExoMiner was compared with",
}
JOIN_DIFFERS = "labels: by the join to the DR25 KOI table, where they exist; the model learned from the others"


@dataclass(frozen=True)
class Part:
    """Rows that figures are computed on. `kind` is a model of ML_EVENT_METRICS."""

    kind: str
    split: str
    labels: str
    rows: pl.DataFrame


def metrics_table(
    predictions: pl.DataFrame, published: pl.DataFrame, *, seed: int, map_: Map = in_turn
) -> pl.DataFrame:
    """`ml_event_metrics` of `ml_event_predictions` and of [event, star_id, label, score] over the published folds."""
    if predictions.is_empty():
        return ML_EVENT_METRICS.empty()
    source = "published" if predictions["label_source"][0] == "published" else "join"
    splits = {
        "test": predictions.filter(split="test"),
        "oof": predictions.filter(split="oof"),
        "unseen": predictions,
    }
    parts = [
        Part(model, split, source, rows)
        for split, rows in splits.items()
        for model in ("event_vetter", "plain_lightgbm", "event_vetter_minus_plain")
    ]
    if source == "published":
        joined = predictions.drop("label").rename({"label_join": "label"}).drop_nulls("label")
        parts.append(Part("event_vetter", "unseen", "join", joined))
    if published.height:
        parts.append(Part("event_vetter", "published_folds", source, published))
    tables = map_(lambda part: _figures(part, seed), [p for p in parts if p.rows.height])
    return pl.concat(ML_EVENT_METRICS.conform(t) for t in (*tables, _from_papers())).sort(ML_EVENT_METRICS.key)


def headline(metrics: pl.DataFrame) -> dict[str, float | None]:
    """The figures that are shown first: recall at 99 % precision and average precision on unseen stars."""
    rows = metrics.filter(
        (pl.col("split") == "unseen") & pl.col("metric").is_in(HEADLINE) & (pl.col("labels") != "join")
    )
    return {f"{r['model']}_{r['metric']}": r["value"] for r in rows.iter_rows(named=True)}


def _figures(part: Part, seed: int) -> pl.DataFrame:
    rows, stars = part.rows, part.rows["star_id"].to_numpy()
    truth = (rows["label"] == LABELS[0]).cast(pl.Float64).to_numpy()
    if part.kind == "event_vetter_minus_plain":
        own, plain = (sigmoid(rows[c].to_numpy()) for c in ("score", "plain_score"))
        found = paired_difference(stars, _ranking(truth, own), _ranking(truth, plain), seed=seed)
    else:
        score = sigmoid(rows["plain_score" if part.kind == "plain_lightgbm" else "score"].to_numpy())
        found = bootstrap_by_star(stars, _ranking(truth, score), seed=seed)
        if part.kind == "event_vetter" and PROBABILITIES[0] in rows.columns:
            found |= _of_probabilities(rows, truth, seed)
    return pl.DataFrame(
        [
            {
                "model": part.kind,
                "split": part.split,
                "labels": part.labels,
                "metric": name,
                **interval_columns(interval),
                "n_events": rows.height,
                "n_stars": len(np.unique(stars)),
                "prevalence": float(truth.mean()),
                "differs": JOIN_DIFFERS
                if (part.labels, part.split) == ("join", "unseen") and "label_join" not in rows.columns
                else DIFFERS.get((part.kind, part.split)),
            }
            for name, interval in found.items()
        ]
    )


def _ranking(truth: Array, score: Array) -> Metrics:
    """What depends on the order alone: on uncalibrated scores, which have no ties that calibration made."""
    return lambda weights: ranking_metrics(truth, score, weights)


def _of_probabilities(rows: pl.DataFrame, truth: npt.NDArray[np.float64], seed: int) -> dict[str, Interval]:
    p = rows.select(PROBABILITIES).to_numpy()
    label = rows["label"].replace_strict({n: i for i, n in enumerate(LABELS)}, return_dtype=pl.Int64).to_numpy()
    right = p.argmax(axis=1) == label

    def metrics(weights: Array) -> dict[str, Array]:
        return {**probability_metrics(truth, p[:, 0], weights), "three_class_accuracy": share(right, weights)}

    return bootstrap_by_star(rows["star_id"].to_numpy(), metrics, seed=seed)


def _from_papers() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "model": model,
                "split": "published",
                "labels": "published",
                "metric": found.metric,
                "value": found.value,
                "differs": DIFFERS[model, "published"],
            }
            for model, found in PUBLISHED.items()
        ]
    )
