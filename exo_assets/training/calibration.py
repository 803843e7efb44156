"""From raw log-odds to probabilities that mean what they say.

Belongs here: monotone calibration maps, fitted on out-of-fold predictions, and the choice among them.
Does not belong here: which predictions they are fitted on (vetter_training.py).

Every map is strictly increasing in the log-odds, so calibration never changes a ranking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

CLIP = 1e-6
KINDS = ("identity", "platt", "beta", "isotonic")


def sigmoid(x: Array) -> Array:
    """Logistic function, safe for large arguments."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def log_loss(y: Array, p: Array, weight: Array | None = None) -> float:
    """Mean negative log-likelihood (nats)."""
    p = np.clip(p, CLIP, 1 - CLIP)
    return float(np.average(-(y * np.log(p) + (1 - y) * np.log1p(-p)), weights=weight))


@dataclass(frozen=True)
class Calibrator:
    """A strictly increasing map from log-odds to probability.

    identity: sigmoid(s). platt (Platt 1999): sigmoid(a s + c). beta (Kull et al. 2017): sigmoid(a ln p - b ln(1-p) + c)
    with p = sigmoid(s), a, b > 0. isotonic: straight lines between the centres of the isotonic blocks in log-odds,
    tilted by 1e-3 per unit so that it has no flat parts. `values` holds the parameters (isotonic: x then y).
    """

    kind: str
    values: tuple[float, ...] = ()

    def __call__(self, score: Array) -> Array:
        """Probabilities of `score` (log-odds)."""
        return np.clip(sigmoid(self.log_odds(score)), CLIP, 1 - CLIP)

    def log_odds(self, score: Array) -> Array:
        """Calibrated log-odds of `score`."""
        s = np.asarray(score, dtype=np.float64)
        if self.kind == "identity":
            return s
        if self.kind == "platt":
            a, c = self.values
            return a * s + c
        if self.kind == "beta":
            a, b, c = self.values
            return np.asarray(-a * np.logaddexp(0, -s) + b * np.logaddexp(0, s) + c)
        x, y = np.split(np.asarray(self.values), 2)
        # np.interp is flat outside; the tilt and the end slopes keep the order there.
        return np.interp(s, x, y) + 1e-3 * s + np.clip(s - x[-1], 0, None) * 0.1 + np.clip(s - x[0], None, 0) * 0.1

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": self.kind, "values": list(self.values)}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Calibrator:
        """From `to_dict`."""
        return cls(stored["kind"], tuple(stored["values"]))

    @classmethod
    def fit(cls, kind: str, score: Array, y: Array) -> Calibrator:
        """Fit one kind by maximum likelihood; ValueError on an unknown kind."""
        if kind == "identity":
            return cls(kind)
        if kind == "platt":
            a, c = logistic(np.column_stack([score, np.ones_like(score)]), y, positive=1)
            return cls(kind, (a, c))
        if kind == "beta":
            design = np.column_stack([-np.logaddexp(0, -score), np.logaddexp(0, score), np.ones_like(score)])
            a, b, c = logistic(design, y, positive=2)
            return cls(kind, (a, b, c))
        if kind == "isotonic":
            return _isotonic(score, y)
        raise ValueError(f"unknown calibration {kind!r}; known are {', '.join(KINDS)}")


def choose(score: Array, y: Array, fold: npt.NDArray[np.int64], kinds: Sequence[str] = KINDS) -> Calibrator:
    """The kind with the least log loss across `fold` (fitted on the others, judged on each), refitted on all.

    `fold` must be grouped by star. A mission with one class only keeps `identity`.
    """
    if len(np.unique(y)) < 2 or len(np.unique(fold)) < 2:
        return Calibrator("identity")
    losses = {}
    for kind in kinds:
        p = np.empty_like(score)
        for f in np.unique(fold):
            inside = fold == f
            if len(np.unique(y[~inside])) < 2:
                p[inside] = sigmoid(score[inside])
                continue
            p[inside] = Calibrator.fit(kind, score[~inside], y[~inside])(score[inside])
        losses[kind] = log_loss(y, p)
    return Calibrator.fit(min(losses, key=lambda k: (losses[k], kinds.index(k))), score, y)


def logistic(design: Array, y: Array, positive: int) -> tuple[float, ...]:
    """Coefficients of the columns of `design` with the highest likelihood of `y` (0 or 1), the first `positive` of them
    kept above 1e-3."""
    from scipy.optimize import minimize

    def negative(w: Array) -> tuple[float, Array]:
        z = design @ w
        return float(np.mean(np.logaddexp(0, z) - y * z)), design.T @ (sigmoid(z) - y) / len(y)

    start = np.r_[np.ones(positive), np.zeros(design.shape[1] - positive)]
    bounds = [(1e-3, None)] * positive + [(None, None)] * (design.shape[1] - positive)
    found = minimize(negative, start, jac=True, bounds=bounds, method="L-BFGS-B")
    return tuple(float(v) for v in found.x)


def _isotonic(score: Array, y: Array) -> Calibrator:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit_transform(score, y)
    xs, ys, n = [], [], len(y)
    for level in np.unique(fitted):
        inside = fitted == level
        xs.append(float(score[inside].mean()))
        # Shrunk by half a signal towards the middle: a pure block is not a certainty.
        ys.append(float((level * inside.sum() + 0.5 * y.mean()) / (inside.sum() + 0.5)))
    odds = np.maximum.accumulate(np.clip(ys, 0.5 / n, 1 - 0.5 / n))
    x, z = np.asarray(xs), np.log(odds / (1 - odds)) - 1e-3 * np.asarray(xs)
    return Calibrator("isotonic", tuple(np.r_[x, np.maximum.accumulate(z)].tolist()))


def softmax(z: Array) -> Array:
    """Row-wise softmax."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def threshold(p: Array, hit: npt.NDArray[np.bool_], precision: float, least: int = 30) -> float | None:
    """Smallest t >= 0.5 such that among the signals with p >= t the share of hits is at least `precision`.

    None when no t keeps `least` signals.
    """
    order = np.argsort(-p, kind="stable")
    share = np.cumsum(hit[order]) / np.arange(1, len(p) + 1)
    good = np.flatnonzero((share >= precision) & (np.arange(1, len(p) + 1) >= least) & (p[order] >= 0.5))
    return float(p[order][good[-1]]) if good.size else None
