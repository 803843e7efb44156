"""The fast folding algorithm against folding one period at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from exo_assets.lightcurves.fold_kernels import EDGE, SHAPE_WIDTHS, WIDTHS, fold_all, gains


def _folded(series: NDArray[np.float32]) -> NDArray[np.float32]:
    """All folds of `series`, which lies in a longer array, as the stretches of the kernels do."""
    rows, m = series.shape
    before, after = np.full(m, np.nan, np.float32), np.full(5, np.nan, np.float32)
    given_ = np.concatenate([before, series.ravel(), after])
    out, work = np.full_like(given_, np.nan), np.full_like(given_, np.nan)
    fold_all(given_, out, work, m, rows, m)
    assert np.isnan(out[:m]).all()
    assert np.isnan(out[-5:]).all()
    return out[m:-5].reshape(rows, m)


@settings(deadline=None)  # the first call compiles
@given(st.integers(1, 40), st.integers(3, 50), st.data())
def test_every_bin_is_added_within_half_a_bin_per_level_of_where_it_belongs(
    rows: int, m: int, data: st.DataObject
) -> None:
    row, column = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, m - 1))
    series = np.zeros((rows, m), np.float32)
    series[row, column] = 1
    out = _folded(series)
    levels = np.ceil(np.log2(max(rows, 2)))
    for s in range(rows):
        assert out[s].sum() == 1
        ideal = column - s * row / max(rows - 1, 1)
        off = (int(out[s].argmax()) - ideal + m / 2) % m - m / 2
        assert abs(off) <= 0.5 * levels + 1e-6


def test_the_sum_of_a_fold_is_the_sum_of_the_series() -> None:
    series = np.random.default_rng(1).normal(size=(37, 21)).astype(np.float32)
    out = _folded(series)
    assert out.sum(axis=1) == pytest.approx(np.full(37, series.sum()), abs=1e-3)
    assert out[0] == pytest.approx(series.sum(axis=0), abs=1e-4)


def _by_hand(y: NDArray[np.float64], w: NDArray[np.float64]) -> float:
    """The best transit in one folded row, bin by bin: the definition, without prefix sums or tricks."""
    m, total, best = y.size, w.sum(), 0.0
    for width in SHAPE_WIDTHS:
        if 2 * width > m:
            break
        ends = 2 if width == WIDTHS[-1] else 1
        shape = np.full(width, 1.0)
        shape[:ends] = shape[-ends:] = EDGE
        for i in range(m):
            at = (i + np.arange(width)) % m
            s, n = (shape * y[at]).sum(), (shape**2 * w[at]).sum()
            if s < 0 and w[at].sum() > 0.1 * total / m * width:
                best = max(best, s * s / (n * (1 - n / total)))
    return best


@settings(max_examples=40, deadline=None)  # the first call compiles
@given(st.integers(7, 60), st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_gains_are_those_of_the_definition(m: int, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    n = rows * m - int(random.integers(0, m))
    w = (random.random(n) * (random.random(n) < 0.8)).astype(np.float32)
    y = (random.normal(size=n) * w).astype(np.float32)
    out = np.empty(1)
    gains(y, w, np.array([m]), np.array([0]), out)
    pad = rows * m - n
    by_hand = _by_hand(*(np.pad(v.astype(float), (0, pad)).reshape(rows, m).sum(axis=0) for v in (y, w)))
    assert out[0] == pytest.approx(by_hand, rel=2e-4, abs=1e-6)


def test_a_drifting_pulse_is_found_at_its_period() -> None:
    m, rows = 90, 40
    n = m * rows
    y, w = np.zeros(n, np.float32), np.ones(n, np.float32)
    for k in range(rows):
        start = round(k * (m + 17 / (rows - 1)))
        y[start : start + 8] = -1
    drifts = np.arange(rows)
    out = np.empty(rows)
    gains(y[:n], w, np.full(rows, m), drifts, out)
    assert abs(int(out.argmax()) - 17) <= 1


def test_periods_of_many_lengths_are_searched_as_each_alone() -> None:
    random = np.random.default_rng(3)
    w = random.random(1201).astype(np.float32)
    y = (random.normal(size=w.size) * w).astype(np.float32)
    bins = np.sort(random.integers(17, 300, 60))
    drifts = np.array([int(random.integers(0, -(-w.size // m))) for m in bins])
    together, alone = np.empty(bins.size), np.empty(bins.size)
    gains(y, w, bins, drifts, together)
    for n in range(bins.size):
        gains(y, w, bins[n : n + 1], drifts[n : n + 1], alone[n : n + 1])
    assert np.array_equal(together, alone)
