"""Compiled sums of a folded light curve over boxes.

Belongs here: sums over boxes of a grid of orbits and phases. Does not belong here: what the grid is
(`event_series.py`).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


@njit(cache=True)
def box_sums(index: NDArray[np.int64], values: Array, follows: NDArray[np.bool_], box: int, out: Array) -> None:
    """Sums of `values` over `box` columns from each column on, into `out`, (rows, columns).

    `index`: the cell, row by row, of each value. A box that begins at the end of a row ends in the next one where that
    `follows`, the orbit after it.
    """
    rows, columns = out.shape
    held = np.zeros(rows * columns)
    for i in range(index.size):
        held[index[i]] += values[i]
    for row in range(rows):
        first = row * columns
        last = first + columns if not follows[row] else held.size
        total = 0.0
        for k in range(first, min(first + box, last)):
            total += held[k]
        for column in range(columns):
            out[row, column] = total
            total -= held[first + column]
            if first + column + box < last:
                total += held[first + column + box]


@njit(cache=True)
def beside_flanks(sums: Array, flank: int, least: float, shifts: Array, stretch: NDArray[np.int64]) -> None:
    """How far the mean in each box is from the average of those `flank` columns before and after it.

    `sums`, (4, rows, columns): box sums of time, of time times each of two quantities, and of time times the number of
    the stretch of data. Where the three boxes hold at least `least` time, of one stretch, its number is put into
    `stretch` and the differences into `shifts`, (2, rows, columns); elsewhere `stretch` is -1.
    """
    _, rows, columns = sums.shape
    stretch[:] = -1
    for row in range(rows):
        for column in range(flank, columns - flank):
            a, b = column - flank, column + flank
            before, here, after = sums[0, row, a], sums[0, row, column], sums[0, row, b]
            if before < least or here < least or after < least:
                continue
            number = sums[3, row, column] / here
            near = np.rint(number)
            off = max(abs(number - near), abs(sums[3, row, a] / before - near), abs(sums[3, row, b] / after - near))
            if off > 1e-6:
                continue
            stretch[row, column] = int(near)
            for k in range(2):
                flanks = (sums[k + 1, row, a] / before + sums[k + 1, row, b] / after) / 2
                shifts[k, row, column] = sums[k + 1, row, column] / here - flanks
