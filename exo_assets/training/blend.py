"""One answer of two models: the weights of the features' log-odds and the network's.

Stacked generalisation (Wolpert 1992): the weights are fitted on predictions by models that never saw the star, so they
measure what each model is worth on new stars. They are not negative: a better score of either never counts against a
signal (Breiman 1996, "Stacked regressions").

Belongs here: fitting the weights. Does not belong here: the models, or the calibration that follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exo_assets.training.calibration import CLIP, Array, logistic, softmax

LEAST_GAIN = 0.0005
"""Log loss (nats) that a blend must gain before it is used."""


@dataclass(frozen=True)
class Blend:
    """Weights of the log-odds (or logits) of the features' model and of the network's."""

    features: float = 1.0
    network: float = 0.0

    def __call__(self, features: Array, network: Array | None) -> Array:
        """The weighted sum; without a network the weight of its part must be zero."""
        if network is None:
            if self.network:
                raise ValueError("this blend needs the network's log-odds")
            return self.features * features
        return self.features * features + self.network * network


def fit_blend(features: Array, network: Array | None, y: Array) -> Blend:
    """The weights with the highest likelihood of labels `y` (0 or 1), for out-of-fold log-odds; an intercept is fitted
    along and left to the calibration. With one model only, or one class only, its log-odds are taken as they are."""
    if network is None or len(np.unique(y)) < 2:
        return Blend()
    a, b, _ = logistic(np.column_stack([features, network, np.ones_like(features)]), y, positive=2)
    return Blend(a, b)


def is_worth_blending(features: Array, network: Array, y: Array, fold: npt.NDArray[np.int64]) -> bool:
    """Whether the blend has a lower log loss than the features' log-odds alone, by LEAST_GAIN at least, on folds that
    neither was fitted on (both with an intercept and a scale). With few signals a second model only adds noise."""
    losses = np.zeros((2, len(y)))
    for f in np.unique(fold):
        rest, here = fold != f, fold == f
        if len(np.unique(y[rest])) < 2:
            return False
        for row, columns in zip(losses, ((features,), (features, network)), strict=True):
            design = np.column_stack([*columns, np.ones_like(y)])
            odds = design[here] @ np.asarray(logistic(design[rest], y[rest], positive=len(columns)))
            row[here] = np.logaddexp(0, odds) - y[here] * odds
    alone, blended = losses.mean(axis=1)
    return bool(blended < alone - LEAST_GAIN)


def fit_class_weights(logits: Sequence[Array], label: npt.NDArray[np.int64]) -> tuple[float, ...]:
    """Weights, one for each array of logits (rows, classes), that minimise the log loss of the softmax of their sum:
    for one array the inverse of the temperature of Guo et al. 2017."""
    from scipy.optimize import minimize

    stacked, rows = np.stack(logits), np.arange(len(label))

    def loss(w: Array) -> tuple[float, Array]:
        p = softmax(np.tensordot(w, stacked, axes=1))
        expected = (p * stacked).sum(axis=2) - stacked[:, rows, label]
        return float(-np.log(np.clip(p[rows, label], CLIP, None)).mean()), expected.mean(axis=1)

    start = np.full(len(logits), 1.0 / len(logits))
    found = minimize(loss, start, jac=True, bounds=[(1e-3, 10.0)] * len(logits), method="L-BFGS-B")
    return tuple(float(v) for v in found.x)
