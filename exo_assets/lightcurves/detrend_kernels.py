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
def biweight_parabola(offset: Array, values: Array, half: float, c: float) -> float:
    """Value at offset zero of a parabola through points, as `biweight_line`; `half` is the largest offset.

    It begins with least squares, for in the window of a star that varies the scatter about the median is the star's
    own. nan where the points determine no parabola.
    """
    middle, slope, bend = 0.0, 0.0, 0.0
    inverse = 0.0  # all weights are one at first
    scatter = np.inf
    for round_ in range(ITERATIONS + 1):
        s0, s1, s2, s3, s4, y0, y1, y2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(values.size):
            x = offset[i] / half
            r = values[i] - middle - x * (slope + bend * x)
            u = r * inverse
            w = max(1 - u * u, 0.0) ** 2
            wx = w * x
            wxx = wx * x
            s0 += w
            s1 += wx
            s2 += wxx
            s3 += wxx * x
            s4 += wxx * x * x
            y0 += w * r
            y1 += wx * r
            y2 += wxx * r
        # Cramer's rule: three unknowns.
        m0, m1, m2 = s2 * s4 - s3 * s3, s1 * s4 - s2 * s3, s1 * s3 - s2 * s2
        whole = s0 * m0 - s1 * m1 + s2 * m2
        if not whole > 1e-9 * s0 * s2 * s4:
            return np.nan
        step = (y0 * m0 - s1 * (y1 * s4 - y2 * s3) + s2 * (y1 * s3 - y2 * s2)) / whole
        tilt = (s0 * (y1 * s4 - y2 * s3) - y0 * m1 + s2 * (s1 * y2 - s2 * y1)) / whole
        curve = (s0 * (s2 * y2 - s3 * y1) - s1 * (s1 * y2 - s2 * y1) + y0 * m2) / whole
        middle, slope, bend = middle + step, slope + tilt, bend + curve
        if round_ == 0:
            x_ = offset / half
            scatter = np.median(np.abs(values - middle - x_ * (slope + bend * x_)))
            if scatter == 0:
                break
            inverse = 1 / (c * scatter)
        elif abs(step) < TOLERANCE * scatter:
            break
    return float(middle)


@njit(cache=True)
def window_biweights(time: Array, flux: Array, centres: Array, half: float, shape: tuple[float, bool]) -> Array:
    """Biweight of the points within `half` of each centre, both ascending in time; nan where there are few.

    `shape`: where a weight falls to zero, in MAD, and whether parabolas are fitted instead of lines.
    """
    c, is_curved = shape
    out = np.full(centres.size, np.nan)
    low, high = 0, 0
    for k in range(centres.size):
        while low < time.size and time[low] < centres[k] - half:
            low += 1
        while high < time.size and time[high] <= centres[k] + half:
            high += 1
        if high - low >= LEAST_POINTS:
            offset, values = time[low:high] - centres[k], flux[low:high]
            out[k] = np.nan
            if is_curved:
                out[k] = biweight_parabola(offset, values, half, c)
            if np.isnan(out[k]):
                out[k] = biweight_line(offset, values, c)
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
