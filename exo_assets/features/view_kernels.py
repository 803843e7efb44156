"""Compiled median bins of a folded light curve.

Belongs here: folding and binning. Does not belong here: which views there are (`views.py`).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


@njit(cache=True)
def fold(time: Array, period_days: float, t0: float, out: Array) -> None:
    """`ephemeris.phase_days`, compiled: views fold each curve several times, and this takes a thirtieth of the time."""
    half = period_days / 2
    for i in range(time.size):
        x = (time[i] - t0 + half) / period_days
        out[i] = (x - np.floor(x)) * period_days - half


@njit(cache=True)
def median_bins(x: Array, y: Array, left: Array, right: Array, out: Array) -> None:
    """Median of `y` over left[i] <= x < right[i] into out[i]; bins with nothing in them are left as they are.

    The bins are equally wide and spaced and may overlap. The points need no order: they are counted into their bins
    first, which costs less than sorting them.
    """
    bins = left.size
    spacing = (left[-1] - left[0]) / (bins - 1)
    first, last = np.empty(x.size, np.int32), np.empty(x.size, np.int32)
    ends = np.zeros(bins + 1, np.int64)
    for j in range(x.size):
        first[j], last[j] = 0, -1
        if x[j] < left[0] or x[j] >= right[-1]:
            continue
        # The quotient may be a rounding error away from the edge that it stands for: the edges themselves decide.
        high = min(int((x[j] - left[0]) / spacing), bins - 1)
        while high + 1 < bins and left[high + 1] <= x[j]:
            high += 1
        while high >= 0 and left[high] > x[j]:
            high -= 1
        low = max(int((x[j] - right[0]) / spacing), 0)
        while low > 0 and right[low - 1] > x[j]:
            low -= 1
        while low < bins and right[low] <= x[j]:
            low += 1
        first[j], last[j] = low, high
        for i in range(low, high + 1):
            ends[i + 1] += 1
    for i in range(bins):
        ends[i + 1] += ends[i]
    held, at = np.empty(ends[bins]), ends[:bins].copy()
    for j in range(x.size):
        for i in range(first[j], last[j] + 1):
            held[at[i]] = y[j]
            at[i] += 1
    for i in range(bins):
        if ends[i + 1] > ends[i]:
            out[i] = _median(held[ends[i] : ends[i + 1]])


@njit(cache=True)
def _median(values: Array) -> float:
    """Median of a few values, which change their order."""
    n = values.size
    if n > 64:
        return float(np.median(values))
    for i in range(1, n):
        v = values[i]
        j = i - 1
        while j >= 0 and values[j] > v:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = v
    return float(values[n // 2]) if n % 2 else float(0.5 * (values[n // 2 - 1] + values[n // 2]))
