"""Intervals by resampling stars.

Belongs here: the bootstrap, plain and paired. Does not belong here: the figures themselves (`metrics.py`).

Signals of one star share its light curve, its stellar parameters and often its fate, so the unit that is drawn is the
star: all its signals come along, as often as it was drawn (Field and Welsh 2007, the cluster bootstrap).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exo_assets.evaluation.metrics import Array, point

Metrics = Callable[[Array], dict[str, Array]]
"""Figures for weights of shape (resamples, rows), e.g. `lambda w: binary_metrics(truth, probability, w)`."""

RESAMPLES = 500
LEVEL = 0.95
_CELLS = 1_500_000  # weights held at once: bounds memory at some tens of MB whatever the number of rows


@dataclass(frozen=True)
class Interval:
    """A figure with its percentile interval; NaN where it is undefined."""

    value: float
    low: float
    high: float


def bootstrap_by_star(
    stars: npt.ArrayLike, metrics: Metrics, *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> dict[str, Interval]:
    """Every figure on all rows, with the percentile interval over `resamples` draws of whole stars.

    Draws in which a figure is undefined are left out of its interval. ValueError when there is no row.
    """
    code, count = _codes(stars)
    observed = point(metrics(np.ones((1, code.size))))
    parts = [metrics(weights) for weights in _draws(code, count, seed, resamples)]
    drawn = {name: np.concatenate([p[name] for p in parts]) for name in observed}
    return {name: Interval(value, *_percentiles(drawn[name], level)) for name, value in observed.items()}


def paired_difference(
    stars: npt.ArrayLike,
    first: Metrics,
    second: Metrics,
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> dict[str, Interval]:
    """`first` minus `second` on the same rows, each draw of stars scored by both models.

    Pairing removes what the two share (the luck of the draw), so the interval is that of the difference.
    """

    def difference(weights: Array) -> dict[str, Array]:
        a, b = first(weights), second(weights)
        return {name: a[name] - b[name] for name in a}

    return bootstrap_by_star(stars, difference, seed=seed, resamples=resamples, level=level)


def _codes(stars: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], int]:
    names, code = np.unique(np.asarray(stars), return_inverse=True)
    if not code.size:
        raise ValueError("no signals to resample: the set of rows is empty")
    return code.astype(np.int64), names.size


def _draws(code: npt.NDArray[np.int64], stars: int, seed: int, resamples: int) -> Iterator[Array]:
    generator = np.random.default_rng(seed)
    step = max(1, _CELLS // max(code.size, stars))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = generator.integers(0, stars, size=(size, stars))
        flat = (drawn + np.arange(size)[:, None] * stars).ravel()
        counts = np.bincount(flat, minlength=size * stars).reshape(size, stars)
        yield counts[:, code].astype(float)


def _percentiles(values: Array, level: float) -> tuple[float, float]:
    defined = values[~np.isnan(values)]
    if not defined.size:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
