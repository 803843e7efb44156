"""Folded views, against a plain loop over sorted phases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from exo_assets.features.views import (
    GLOBAL_BINS,
    LOCAL_BINS,
    STACK_BINS,
    STACK_TRANSITS,
    Bins,
    ViewError,
    folded,
    local_view,
    median_view,
    normalised,
    views,
)
from exo_assets.lightcurves.ephemeris import Ephemeris, phase_days

Array = NDArray[np.float64]
PLACE = Ephemeris(3.3, 100.7, 0.12)


def _curve(odd: float = 1e-3, even: float = 1e-3, secondary: float = 0.0) -> tuple[Array, Array]:
    random = np.random.default_rng(2)
    time = 100 + np.sort(random.random(20_000)) * 60
    flux = 1 + random.normal(0, 5e-5, time.size)
    number = np.rint((time - PLACE.t0) / PLACE.period_days)
    inside = np.abs(phase_days(time, PLACE.period_days, PLACE.t0)) < PLACE.duration_days / 2
    flux[inside & (number % 2 == 1)] -= odd
    flux[inside & (number % 2 == 0)] -= even
    flux[np.abs(phase_days(time, PLACE.period_days, PLACE.t0 + 1.65)) < PLACE.duration_days / 2] -= secondary
    return time, flux


def _by_hand(x: Array, y: Array, bins: Bins, empty: float) -> Array:
    left, right = -bins.half, -bins.half + bins.width
    spacing = (2 * bins.half - bins.width) / (bins.count - 1)
    out = []
    for _ in range(bins.count):
        chosen = y[(x >= left) & (x < right)]
        out.append(np.median(chosen) if chosen.size else empty)
        left, right = left + spacing, right + spacing
    return np.array(out)


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(st.floats(-1.1, 1.1), min_size=1, max_size=60),
    st.integers(2, 30),
    st.floats(0.01, 1.9),
    st.integers(0, 2**32 - 1),
)
def test_bins_are_those_of_the_definition(x: list[float], count: int, width: float, seed: int) -> None:
    at = np.array(x)
    y = np.random.default_rng(seed).normal(size=at.size)
    bins = Bins(count, width, 1.0)
    assert median_view(at, y, bins, 7.0).tolist() == _by_hand(at, y, bins, 7.0).tolist()


def test_points_on_edges_fall_into_one_bin() -> None:
    at = np.linspace(-1, 1, 2001)
    bins = Bins(200, 0.01, 1.0)
    assert median_view(at, at, bins, 0.0).tolist() == _by_hand(at, at, bins, 0.0).tolist()


def test_crowded_bins_have_their_median() -> None:
    random = np.random.default_rng(0)
    x, y = random.uniform(-1, 1, 5000), random.normal(size=5000)
    bins = Bins(9, 0.3, 1.0)
    assert median_view(x, y, bins, 0.0) == pytest.approx(_by_hand(x, y, bins, 0.0), abs=0)


def test_folding_is_that_of_the_ephemeris() -> None:
    time = np.random.default_rng(0).uniform(2_454_833, 2_456_000, 500)
    assert folded(time, 3.3, 2_455_000.1) == pytest.approx(phase_days(time, 3.3, 2_455_000.1), abs=1e-9)


def test_views_have_their_sizes_and_depths() -> None:
    shown = views(*_curve(), PLACE)
    assert (shown.global_view.shape, shown.local_view.shape) == ((GLOBAL_BINS,), (LOCAL_BINS,))
    assert shown.stack.shape == (STACK_TRANSITS, STACK_BINS)
    assert shown.local_view.min() == shown.global_view.min() == -1
    assert shown.depth == pytest.approx(1e-3, rel=0.05)
    assert np.median(shown.local_view) == pytest.approx(0, abs=1e-6)
    assert int(np.abs(np.argmin(shown.global_view) - GLOBAL_BINS // 2)) < 60
    assert shown.stack[:18, STACK_BINS // 2] == pytest.approx(-np.ones(18), abs=0.1)
    assert np.isnan(shown.stack[19]).all()


def test_odd_even_and_secondary_are_on_the_scale_of_the_transit() -> None:
    shown = views(*_curve(odd=2e-3, even=1e-3, secondary=4e-4), PLACE)
    middle = slice(LOCAL_BINS // 2 - 5, LOCAL_BINS // 2 + 6)
    assert np.median(shown.odd[middle]) / np.median(shown.even[middle]) == pytest.approx(2, rel=0.05)
    assert np.median(shown.secondary[middle]) * shown.depth == pytest.approx(-4e-4, rel=0.1)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (Ephemeris(3.3, float("nan"), 0.1), "no ephemeris"),
        (Ephemeris(0.1, 100.0, 0.2), "no ephemeris"),
        (Ephemeris(500.0, 300.0, 0.1), "no data in transit"),
    ],
)
def test_what_cannot_be_shown_is_named(place: Ephemeris, says: str) -> None:
    with pytest.raises(ViewError, match=says):
        views(*_curve(), place)


@pytest.mark.parametrize(("period_days", "has_holes"), [(9.3137, False), (9.3, True)])
def test_points_of_72_minutes_keep_the_dip_and_make_none(period_days: float, *, has_holes: bool) -> None:
    """A period of 186 steps falls on itself when folded: most bins are empty then, and have the median."""
    place = Ephemeris(period_days, 101.3, 0.15)
    time = 100 + np.arange(0, 127, 0.05)
    inside = np.abs(phase_days(time, place.period_days, place.t0)) < place.duration_days / 2
    flux = 1 + np.random.default_rng(5).normal(0, 5e-5, time.size) - 1e-3 * inside
    seen, x = views(time, flux, place), folded(time, place.period_days, place.t0)
    hole = np.isnan(local_view(x, flux, place, float("nan")))
    assert hole.any() == has_holes and seen.depth == pytest.approx(1e-3, rel=0.15)
    offset = np.abs(np.linspace(-3.92, 3.92, LOCAL_BINS))
    np.testing.assert_allclose(seen.local_view[~hole & (offset < 0.3)], -1, atol=0.15)
    assert np.abs(seen.local_view[hole | (offset > 0.7)]).max(initial=0) < 0.15
    bins = Bins(GLOBAL_BINS, place.period_days / GLOBAL_BINS, place.period_days / 2)
    empty = np.isnan(median_view(x, flux, bins, float("nan")))
    assert np.abs(seen.global_view[empty]).max(initial=0) < 0.05 and (empty.mean() > 0.9) == has_holes


def test_a_flat_view_has_no_depth() -> None:
    with pytest.raises(ViewError, match="no dip"):
        normalised(np.ones(201))
