"""Compiled robust averages in a sliding window.

Belongs here: the biweight of a window, and a smooth curve through such values. Does not belong here: which data count
and where curves are cut (`detrend.py`).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

ITERATIONS, TOLERANCE = 10, 1e-3
"""Steps towards the biweight, which end when one is shorter than this share of the scatter."""
LEAST_POINTS = 5
"""Fewest points in a window."""


@njit(cache=True)
def biweight(values: Array, c: float) -> float:
    """Tukey's biweight location: the mean with weights (1 - (x / c MAD)^2)^2, from the median on. Changes `values`."""
    middle = np.median(values)
    distance = np.abs(values - middle)
    scatter = np.median(distance)
    if scatter == 0:
        return float(middle)
    for _ in range(ITERATIONS):
        top, bottom = 0.0, 0.0
        for i in range(values.size):
            u = (values[i] - middle) / (c * scatter)
            if -1 < u < 1:
                w = (1 - u * u) ** 2
                top += w * (values[i] - middle)
                bottom += w
        step = top / bottom
        middle += step
        if abs(step) < TOLERANCE * scatter:
            break
    return float(middle)


@njit(cache=True)
def window_biweights(time: Array, flux: Array, centres: Array, half: float, c: float) -> Array:
    """The biweight of the points within `half` of each centre, both ascending in time; nan where there are few."""
    out = np.full(centres.size, np.nan)
    low, high = 0, 0
    for k in range(centres.size):
        while low < time.size and time[low] < centres[k] - half:
            low += 1
        while high < time.size and time[high] <= centres[k] + half:
            high += 1
        if high - low >= LEAST_POINTS:
            out[k] = biweight(flux[low:high].copy(), c)
    return out


@njit(cache=True)
def through(x: Array, first: float, spacing: float, values: Array, out: Array) -> None:
    """A smooth curve through evenly spaced values (cubic Hermite, slopes from the neighbours), at `x`, into `out`."""
    last = values.size - 1
    for j in range(x.size):
        at = (x[j] - first) / spacing
        i = min(max(int(np.floor(at)), 0), max(last - 1, 0))
        u = at - i
        a, b = values[i], values[min(i + 1, last)]
        if last < 1:
            out[j] = a
            continue
        da = (b - values[i - 1]) / 2 if i > 0 else b - a
        db = (values[i + 2] - a) / 2 if i + 2 <= last else b - a
        out[j] = a + u * (da + u * (3 * (b - a) - 2 * da - db + u * (da + db - 2 * (b - a))))
