"""Compiled folding of an evenly binned series at thousands of periods at once: the fast folding algorithm.

Belongs here: folding and matching of bins, in numbers of bins. Does not belong here: days, stars, which periods are
tried (`search.py`).

A series of M rows of m bins is folded at the M periods m, m + 1/(M-1), ..., m + 1 bins by joining halves: the fold of
a half at half the drift is shared by all (Staelin 1969; for transits, Petigura et al. 2013, and Shahaf et al. 2022,
arXiv 2204.02398). That costs M m log2(M) additions instead of M^2 m.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WIDTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
"""Widths, in bins, of the boxes whose sums are formed; each is the sum of two before it (`_PARTS`)."""
_PARTS = ((0, 0), (0, 0), (1, 0), (1, 1), (3, 0), (3, 1), (3, 3), (6, 1), (6, 3), (6, 6))
_SHAPES = ((2, 0, 1), (3, 1, 1), (4, 2, 1), (5, 3, 1), (6, 5, 1), (7, 6, 1), (8, 7, 1), (9, 8, 2))
"""Transit shapes: box, the box inside it in which the transit is full, and bins between their beginnings."""
SHAPE_WIDTHS = tuple(WIDTHS[outer] for outer, _, _ in _SHAPES)
EDGE = np.float32(0.6)
"""Depth of a transit in the bins at its ends, in units of its depth: ingress, egress and limb darkening."""
LEAST = 0.1
"""Share of the data expected in a transit's bins that must be there."""

_widths = np.array(WIDTHS)
_parts = np.array(_PARTS)
_shapes = np.array(_SHAPES)
_PAD = WIDTHS[-1]


@njit(fastmath=True, cache=True)
def _add(a: Floats, b: Floats, out: Floats) -> None:
    for i in range(out.shape[0]):
        out[i] = a[i] + b[i]


@njit(fastmath=True, cache=True)
def _join(halves: Floats, head: int, h: int, t: int, m: int, s: int, out: Floats, to: int) -> None:
    """Put the fold of two halves, of h and t rows that follow each other in `halves` from `head` on, with a drift of
    `s` bins from the first row to the last, into `out` from `to` on.

    Places are counted in flat arrays, for slices cost more than short rows do; without a sign, for what may be negative
    is not vectorised.
    """
    rows = h + t
    first = int((h - 1) / (rows - 1) * s + 0.5)
    last = int((t - 1) / (rows - 1) * s + 0.5)
    shift = (s - last) % m
    n = np.uint64(m - shift)
    a, b, c = np.uint64(head + first * m), np.uint64(head + (h + last) * m + shift), np.uint64(to)
    for i in range(n):
        out[c + i] = halves[a + i] + halves[b + i]
    a, b, c = a + n, b - np.uint64(shift), c + n
    for i in range(np.uint64(shift)):
        out[c + i] = halves[a + i] + halves[b + i]


@njit("void(f4[::1], f4[::1], f4[::1], i8, i8, i8)", fastmath=True, cache=True)
def fold_all(series: Floats, out: Floats, work: Floats, start: int, rows: int, m: int) -> None:
    """From `start` on, row s of `out`: the `rows` rows of m bins of `series`, added up with a drift of s bins from the
    first to the last."""
    if rows == 1:
        out[start : start + m] = series[start : start + m]
        return
    half = rows // 2
    if rows > 2:
        fold_all(series, work, out, start, half, m)
        fold_all(series, work, out, start + half * m, rows - half, m)
    halves = work if rows > 2 else series
    for s in range(rows):
        _join(halves, start, half, rows - half, m, s, out, start + s * m)


@njit(fastmath=True, error_model="numpy", cache=True)
def _match(sums: NDArray[np.float32], shape: NDArray[np.int64], total: float, least: float, best: Floats) -> None:
    """Raise `best`, one value per phase bin, to the gain of the transit that begins there, where that is more.

    No branches and no `max`: the compiler then does eight bins at a time.
    """
    outer, inner, shift = shape
    yo, wo, yi, wi = sums[outer, 0], sums[outer, 1], sums[inner, 0, shift:], sums[inner, 1, shift:]
    edge, rest, edge2, rest2 = EDGE, np.float32(1) - EDGE, EDGE * EDGE, np.float32(1) - EDGE * EDGE
    full, floor, tiny, half = np.float32(total), np.float32(least), np.float32(1e-20), np.float32(0.5)
    for i in range(best.shape[0]):
        s = edge * yo[i] + rest * yi[i]
        n = edge2 * wo[i] + rest2 * wi[i]
        # A dip has a negative sum; where there are too few data, nothing is gained.
        gain = -s * abs(s) / (n * (full - n) + tiny) * np.float32(wo[i] > floor)
        b = best[i]
        best[i] = half * (gain + b + abs(gain - b))


@njit(fastmath=True, error_model="numpy", cache=True)
def _best_gain(m: int, total: float, sums: NDArray[np.float32], best: Floats) -> float:
    """Largest improvement of chi-square by a transit anywhere in a folded row: `sums[0]`, m bins and a wrap."""
    for k in range(1, len(_widths)):
        p, q = _parts[k]
        shift, n = _widths[p], m + _PAD - _widths[k] + 1
        for j in range(2):
            _add(sums[p, j], sums[q, j, shift:], sums[k, j, :n])
    best[:] = 0
    for k in range(len(_shapes)):
        width = _widths[_shapes[k, 0]]
        if 2 * width > m:
            break
        _match(sums, _shapes[k], total, LEAST * total / m * width, best)
    top = np.float32(0)
    for i in range(m):
        top = max(top, best[i])
    return float(total * top)


@njit(fastmath=True, cache=True)
def gains(y: Floats, w: Floats, bins: NDArray[np.int64], drifts: NDArray[np.int64], out: NDArray[np.float64]) -> None:
    """Improvement of chi-square at the periods m + drift / (M - 1) bins, M = ceil(len / m), into `out`: for each period
    m is in `bins`, ascending, and its drift in `drifts`.

    `y`: inverse variance times deviation from the mean, `w`: inverse variance, summed per bin.
    """
    most = bins[-1]
    total = 0.0
    for i in range(w.shape[0]):
        total += w[i]
    series = np.zeros((2, y.shape[0] + most), np.float32)
    series[0, : y.shape[0]] = y
    series[1, : y.shape[0]] = w
    halves, work = np.empty_like(series), np.empty_like(series)
    best = np.empty(most, np.float32)
    sums = np.empty((len(_widths), 2, most + _PAD), np.float32)
    folded, before, gain, half, rows = 0, -1, 0.0, 0, 0
    for n in range(len(bins)):
        m = int(bins[n])
        if m != folded:
            folded, before = m, -1
            rows = (y.shape[0] + m - 1) // m
            half = rows // 2
            for j in range(2):
                fold_all(series[j], halves[j], work[j], 0, half, m)
                fold_all(series[j], halves[j], work[j], half * m, rows - half, m)
        if drifts[n] != before:
            before = int(drifts[n])
            for j in range(2):
                row = sums[0, j]
                _join(halves[j], 0, half, rows - half, m, before, row, 0)
                for i in range(_PAD):
                    row[m + i] = row[i % m]
            gain = _best_gain(m, total, sums, best[:m])
        out[n] = gain
