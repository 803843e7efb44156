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
def biweight_line(offset: Array, values: Array, c: float) -> float:
    """Value at offset zero of a straight line through points, fitted with Tukey's weights (1 - (r / c MAD)^2)^2.

    Where points lie on both sides this is the biweight location. At the end of a piece, or beside a mask, it is free of
    the bias that a slope gives to any average of one side.
    """
    middle, slope = np.median(values), 0.0
    scatter = np.median(np.abs(values - middle))
    if scatter == 0:
        return float(middle)
    inverse = 1 / (c * scatter)
    for _ in range(ITERATIONS):
        s0, s1, s2, y0, y1 = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(values.size):
            x = offset[i]
            r = values[i] - middle - slope * x
            u = r * inverse
            w = max(1 - u * u, 0.0) ** 2
            s0 += w
            s1 += w * x
            s2 += w * x * x
            y0 += w * r
            y1 += w * x * r
        spread = s2 * s0 - s1 * s1
        if s0 == 0:
            break
        tilt = (y1 * s0 - y0 * s1) / spread if spread > 1e-9 * s2 * s0 else 0.0
        step = (y0 - tilt * s1) / s0
        middle += step
        slope += tilt
        if abs(step) < TOLERANCE * scatter:
            break
    return float(middle)


@njit(cache=True)
def window_biweights(time: Array, flux: Array, centres: Array, half: float, c: float) -> Array:
    """`biweight_line` of the points within `half` of each centre, both ascending in time; nan where there are few."""
    out = np.full(centres.size, np.nan)
    low, high = 0, 0
    for k in range(centres.size):
        while low < time.size and time[low] < centres[k] - half:
            low += 1
        while high < time.size and time[high] <= centres[k] + half:
            high += 1
        if high - low >= LEAST_POINTS:
            out[k] = biweight_line(time[low:high] - centres[k], flux[low:high], c)
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
