"""Figures of merit of a classifier, for one set of rows or for many weightings of it at once.

Belongs here: the definition of every published figure, on arrays. Does not belong here: which rows, which intervals.

Every function takes `weights` of shape (resamples, rows) and returns one value per resample, so that a point estimate
(all weights one) and a bootstrap (weights = how often a row's star was drawn) are the same code. A figure that is
undefined for a weighting (only one class present, nothing drawn) is NaN, never a made-up number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ECE_BINS = 15
"""Bins of the calibration error: equal width over [0, 1]."""
PROBABILITY_FLOOR = 1e-15
"""Probabilities are clipped to [floor, 1 - floor] in the log loss."""

BINARY_METRICS = (
    "roc_auc",
    "average_precision",
    "precision_at_recall_90",
    "precision_at_recall_95",
    "recall_at_precision_99",
    "accuracy",
    "macro_f1",
    "log_loss",
    "brier",
    "ece",
)
MULTICLASS_METRICS = ("accuracy", "macro_f1", "roc_auc", "log_loss")


def binary_metrics(
    is_planet: npt.ArrayLike, probability: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> dict[str, Array]:
    """Every figure of the planet head, `BINARY_METRICS`, one value per row of `weights`.

    - `roc_auc`: probability that a planet outranks a false positive, ties counting half.
    - `average_precision`: sum of precision times gain in recall over distinct thresholds (no interpolation).
    - `precision_at_recall_R`: best precision of any threshold whose recall is at least R.
    - `recall_at_precision_99`: best recall of any threshold whose precision is at least 0.99; 0 when there is none.
    - `accuracy`, `macro_f1`: at probability 0.5 (0.5 itself is called a planet).
    - `log_loss`, `brier`: means over rows. `ece`: |observed - predicted| averaged over 15 equal-width bins.
    """
    truth, score, weight = _checked(is_planet, probability, weights)
    return {
        **_ranking(truth, score, weight),
        **_confusion_figures((score >= 0.5).astype(int), truth.astype(int), 2, weight),
        **_probability_figures(truth, score, weight),
    }


def ranking_metrics(
    is_planet: npt.ArrayLike, probability: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> dict[str, Array]:
    """Those of `binary_metrics` that depend on the order alone, `BINARY_METRICS[:5]`."""
    return _ranking(*_checked(is_planet, probability, weights))


def probability_metrics(
    is_planet: npt.ArrayLike, probability: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> dict[str, Array]:
    """Those of `binary_metrics` that depend on what the probabilities say, `BINARY_METRICS[7:]`."""
    return _probability_figures(*_checked(is_planet, probability, weights))


def share(holds: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Array:
    """The share of the rows for which `holds` is true."""
    held = np.asarray(holds, dtype=float)
    return _mean(held, _weights(weights, held.size))


def set_metrics(
    is_planet: npt.ArrayLike, sets: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> dict[str, Array]:
    """Figures of prediction sets (conformal.py): the share of the planets, and of the false positives, whose set holds
    what they are (unsure holds both), and the share of all that are unsure."""
    truth, given = np.asarray(is_planet, dtype=bool), np.asarray(sets)
    weight = _weights(weights, truth.size)
    unsure = (given == "unsure").astype(float)
    return {
        "set_coverage_planet": _mean((unsure + (given == "planet"))[truth], weight[:, truth]),
        "set_coverage_false_positive": _mean((unsure + (given == "false positive"))[~truth], weight[:, ~truth]),
        "set_unsure_share": _mean(unsure, weight),
    }


def multiclass_metrics(
    label: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> dict[str, Array]:
    """Every figure of a head with several classes, `MULTICLASS_METRICS`; `label` indexes columns of `probabilities`.

    `roc_auc` is the plain mean over classes of one class against the rest; `accuracy` and `macro_f1` use the most
    probable class.
    """
    table = np.asarray(probabilities, dtype=float)
    truth = np.asarray(label, dtype=int)
    if table.ndim != 2 or table.shape[0] != truth.shape[0]:
        raise ValueError(f"probabilities {table.shape} do not match {truth.shape[0]} labels")
    if truth.size and (truth.min() < 0 or truth.max() >= table.shape[1]):
        raise ValueError(f"labels must be 0 to {table.shape[1] - 1}, got {truth.min()} to {truth.max()}")
    weight = _weights(weights, truth.shape[0])
    classes = range(table.shape[1])
    one_vs_rest = [_auc(*_curves((truth == k).astype(float), table[:, k], weight)) for k in classes]
    chosen = np.clip(table[np.arange(truth.size), truth], PROBABILITY_FLOOR, None)
    return {
        **_confusion_figures(table.argmax(axis=1), truth, table.shape[1], weight),
        "roc_auc": np.mean(one_vs_rest, axis=0),
        "log_loss": _mean(-np.log(chosen), weight),
    }


def point(metrics: Mapping[str, Array]) -> dict[str, float]:
    """The first value of each metric: the point estimate when no weights were given."""
    return {name: float(values[0]) for name, values in metrics.items()}


def reliability(is_planet: npt.ArrayLike, probability: npt.ArrayLike, bins: int = ECE_BINS) -> dict[str, Array]:
    """Reliability diagram: per non-empty equal-width bin, mean `predicted`, `observed` fraction and `count`."""
    truth, score, _ = _checked(is_planet, probability, None)
    where = _bin(score, bins)
    count = np.bincount(where, minlength=bins).astype(float)
    full = count > 0
    return {
        "predicted": np.bincount(where, score, bins)[full] / count[full],
        "observed": np.bincount(where, truth, bins)[full] / count[full],
        "count": count[full],
    }


def curves(is_planet: npt.ArrayLike, probability: npt.ArrayLike) -> dict[str, Array]:
    """Recall, false-positive rate and precision at each distinct threshold, the highest first."""
    truth, score, weight = _checked(is_planet, probability, None)
    hits, alarms = (c[0] for c in _curves(truth, score, weight))
    return {
        "recall": hits / hits[-1],
        "false_positive_rate": alarms / alarms[-1],
        "precision": hits / (hits + alarms),
    }


def _checked(
    is_planet: npt.ArrayLike, probability: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[Array, Array, Array]:
    truth, score = np.asarray(is_planet, dtype=float), np.asarray(probability, dtype=float)
    if truth.shape != score.shape or truth.ndim != 1:
        raise ValueError(f"labels {truth.shape} and probabilities {score.shape} must be two equally long columns")
    if not np.isin(truth, (0.0, 1.0)).all():
        raise ValueError("labels must be 0 (false positive) or 1 (planet)")
    if not ((score >= 0) & (score <= 1)).all():
        raise ValueError("probabilities must be finite and within 0 and 1")
    return truth, score, _weights(weights, truth.size)


def _weights(weights: npt.ArrayLike | None, rows: int) -> Array:
    weight = np.ones((1, rows)) if weights is None else np.atleast_2d(np.asarray(weights, dtype=float))
    if weight.shape[1] != rows:
        raise ValueError(f"weights are for {weight.shape[1]} rows, not {rows}")
    return weight


def _curves(truth: Array, score: Array, weight: Array) -> tuple[Array, Array]:
    """Weight of true and of false alarms at or above each distinct score, highest score first: (resamples, scores)."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True)) if score.size else np.array([], dtype=int)
    sorted_weight, sorted_truth = weight[:, order], truth[order]
    hits = np.cumsum(sorted_weight * sorted_truth, axis=1)[:, ends]
    alarms = np.cumsum(sorted_weight * (1 - sorted_truth), axis=1)[:, ends]
    return hits, alarms


def _auc(hits: Array, alarms: Array) -> Array:
    if not hits.shape[1]:
        return np.full(hits.shape[0], np.nan)
    gained = np.diff(alarms, axis=1, prepend=0.0)
    outranking = hits - 0.5 * np.diff(hits, axis=1, prepend=0.0)
    return _ratio((gained * outranking).sum(axis=1), hits[:, -1] * alarms[:, -1])


def _ranking(truth: Array, score: Array, weight: Array) -> dict[str, Array]:
    hits, alarms = _curves(truth, score, weight)
    empty = np.full(weight.shape[0], np.nan)
    if not hits.shape[1]:
        return dict.fromkeys(BINARY_METRICS[:5], empty)
    # A drawn set in which a class is missing has no ranking.
    defined = (hits[:, -1] > 0) & (alarms[:, -1] > 0)
    recall = _ratio(hits, hits[:, -1:])
    precision = _ratio(hits, hits + alarms)  # NaN before anything drawn is above the threshold
    steps = np.diff(recall, axis=1, prepend=0.0)

    def best(values: Array, allowed: npt.NDArray[np.bool_]) -> Array:
        return np.where(defined, np.where(allowed, values, 0.0).max(axis=1), np.nan)

    filled = np.nan_to_num(precision)
    # Thresholds are compared with a tolerance: 0.9 of the planets is a count, not a rounding accident.
    return {
        "roc_auc": _auc(hits, alarms),
        "average_precision": np.where(defined, (steps * filled).sum(axis=1), np.nan),
        "precision_at_recall_90": best(filled, recall >= 0.90 - 1e-12),
        "precision_at_recall_95": best(filled, recall >= 0.95 - 1e-12),
        "recall_at_precision_99": best(recall, filled >= 0.99 - 1e-12),
    }


def _confusion_figures(guess: Any, truth: Any, classes: int, weight: Array) -> dict[str, Array]:
    right = _mean((guess == truth).astype(float), weight)
    scores = []
    for k in range(classes):
        both = weight @ ((guess == k) & (truth == k)).astype(float)
        either = weight @ ((guess == k).astype(float) + (truth == k).astype(float))
        scores.append(np.where(either > 0, 2 * both / np.where(either > 0, either, 1.0), 0.0))
    macro = np.mean(scores, axis=0)
    return {"accuracy": right, "macro_f1": np.where(np.isnan(right), np.nan, macro)}


def _probability_figures(truth: Array, score: Array, weight: Array) -> dict[str, Array]:
    clipped = np.clip(score, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    loss = -(truth * np.log(clipped) + (1 - truth) * np.log1p(-clipped))
    member = np.zeros((score.size, ECE_BINS))
    member[np.arange(score.size), _bin(score, ECE_BINS)] = 1.0
    gap = np.abs(weight @ (member * (truth - score)[:, None])).sum(axis=1)
    return {
        "log_loss": _mean(loss, weight),
        "brier": _mean((truth - score) ** 2, weight),
        "ece": _ratio(gap, weight.sum(axis=1)),
    }


def _bin(score: Array, bins: int) -> npt.NDArray[np.int64]:
    return np.minimum((score * bins).astype(np.int64), bins - 1)


def _mean(values: Array, weight: Array) -> Array:
    return _ratio(weight @ values, weight.sum(axis=1))


def _ratio(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below > 0)
