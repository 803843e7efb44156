"""Trends: they follow the star, keep out of transits and never cross a gap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from simulated import curve

from exo_assets.lightcurves.detrend import (
    DetrendError,
    biweight_trend,
    pieces,
    point_to_point_sigma,
    spline_trend,
)
from exo_assets.lightcurves.detrend_kernels import biweight_line, through
from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit, phase_days

Array = NDArray[np.float64]
PLACE = Ephemeris(6.78901, 102.345, 0.25)
DEPTH = 4e-3


def _star(time: Array) -> Array:
    return 1 + 0.005 * np.sin(2 * np.pi * time / 13.0) + 0.002 * np.sin(2 * np.pi * time / 6.1)


def _depth(time: Array, flat: Array) -> float:
    offset = np.abs(phase_days(time, PLACE.period_days, PLACE.t0))
    good = np.isfinite(flat)
    beside = good & (offset > 0.7 * PLACE.duration_days) & (offset < 2 * PLACE.duration_days)
    return float(flat[beside].mean() - flat[good & (offset < 0.3 * PLACE.duration_days)].mean())


@pytest.mark.parametrize("trend_of", [biweight_trend, spline_trend])
def test_a_masked_transit_keeps_its_depth_and_the_star_goes(trend_of) -> None:  # type: ignore[no-untyped-def]
    time, flux, _ = curve((PLACE, DEPTH), noise=1e-4)
    flux *= _star(time)
    trend = trend_of(time, flux, masked=in_transit(time, [PLACE]))
    assert _depth(time, flux / trend) == pytest.approx(DEPTH, rel=0.02)
    away = ~in_transit(time, [PLACE]) & (time > 101) & (time < 129)
    assert np.std((flux / trend)[away]) < 2.0e-4 < np.std(flux[away])


def test_unmasked_a_transit_loses_depth() -> None:
    """A shallow one: its points are no outliers that the biweight would leave out by itself."""
    time, flux, _ = curve((PLACE, 3e-4), noise=2e-4)
    kept = _depth(time, flux / biweight_trend(time, flux, window_days=0.75))
    masked = _depth(time, flux / biweight_trend(time, flux, window_days=0.75, masked=in_transit(time, [PLACE])))
    assert kept < 0.93 * masked


@settings(deadline=None)  # the first call compiles
@given(st.integers(8, 200), st.integers(0, 2**32 - 1), st.integers(0, 2), st.floats(-3, 3))
def test_the_biweight_is_a_robust_line(n: int, seed: int, outliers: int, slope: float) -> None:
    random = np.random.default_rng(seed)
    x = np.sort(random.uniform(-1, 1, n))
    values = random.normal(3, 0.01, n)
    values[random.permutation(n)[: min(outliers, n // 8)]] = 50.0
    plain = biweight_line(x, values, 5.0)
    assert plain == pytest.approx(3, abs=0.05)
    assert biweight_line(x, values + 7, 5.0) == pytest.approx(plain + 7, abs=1e-3)
    assert biweight_line(x, np.full(n, 2.5), 5.0) == 2.5
    line = 3 + slope * x
    assert biweight_line(x, line, 5.0) == pytest.approx(3, abs=0.05 * abs(slope) + 1e-9)


def test_the_ends_of_a_piece_are_not_biased_by_a_slope() -> None:
    time = np.arange(0, 20, 0.02)
    star = 1 + 0.006 * np.sin(2 * np.pi * time / 9.0)
    off = np.abs(star / biweight_trend(time, star) - 1)
    assert off[:25].max() < 2e-4 and off[-25:].max() < 2e-4


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_curve_goes_through_its_values_and_keeps_straight_lines(values: list[float], at: list[float]) -> None:
    n = len(values)
    knots, out = np.arange(n) * 0.5 + 10, np.empty(n)
    through(knots, 10.0, 0.5, np.array(values), out)
    assert out == pytest.approx(values, abs=1e-9)
    x = 10 + np.array(at) * 0.5 * (n - 1)
    line = np.empty(x.size)
    through(x, 10.0, 0.5, 3 * knots - 1, line)
    assert line == pytest.approx(3 * x - 1, abs=1e-9)


def test_nothing_crosses_a_gap_or_a_segment() -> None:
    time = np.concatenate([np.arange(0, 10, 0.02), np.arange(12, 20, 0.02)])
    flux = np.where(time < 11, 1.0, 7.0)
    flux[(time > 5) & (time < 11)] = 3.0
    segment = np.where(time <= 5, 1, 2)
    assert [(p.start, p.stop) for p in pieces(time, segment)] == [(0, 251), (251, 500), (500, 900)]
    assert biweight_trend(time, flux, segment=segment) == pytest.approx(flux)


def test_a_piece_without_enough_data_has_no_trend() -> None:
    time = np.array([0.0, 0.02, 0.04, *np.arange(5, 9, 0.02)])
    flux = np.ones(time.size)
    for trend in (biweight_trend(time, flux), spline_trend(time, flux)):
        assert np.isnan(trend[:3]).all() and trend[3:] == pytest.approx(1)


def test_noise_is_told_from_trend() -> None:
    time, flux, _ = curve(noise=3e-4)
    assert point_to_point_sigma(flux * _star(time)) == pytest.approx(3e-4, rel=0.1)


@pytest.mark.parametrize(
    ("time", "flux", "says"),
    [
        (np.arange(9.0), np.full(9, np.nan), "not finite"),
        (np.arange(9.0)[::-1].copy(), np.ones(9), "not ascending"),
        (np.arange(9.0), np.ones(8), "differ in shape"),
    ],
)
def test_bad_data_are_named(time: Array, flux: Array, says: str) -> None:
    with pytest.raises(DetrendError, match=says):
        biweight_trend(time, flux)
