"""Depths of single transits, and what several of them come to."""

from __future__ import annotations

import numpy as np
import pytest
from simulated import curve

from exo_assets.lightcurves.ephemeris import Ephemeris, transit_number
from exo_assets.lightcurves.transit_depths import average_depth, odd_even, single_depths
from exo_assets.lightcurves.trapezoid import Trapezoid

PLACE = Ephemeris(5.0, 102.0, 0.2)


def _transit(place: Ephemeris = PLACE, ingress_share: float = 0.15) -> Trapezoid:
    return Trapezoid(place, ingress_share, 2e-3, 1e-5, 1e-5, 1e-3, 1e-3)


def test_equal_transits_average_as_pont_says() -> None:
    """sigma_w^2 / n + sigma_r^2 / N_tr, written out for ten transits of fourteen points."""
    time = np.concatenate([k * 5.0 + np.linspace(-0.07, 0.07, 14) for k in range(10)])
    box = _transit(Ephemeris(5.0, 0.0, 0.2), 0.0)
    depths = single_depths(time, np.full(140, 0.998), np.full(140, 4e-4), box)
    depth, error = average_depth(depths, red_noise=1e-4)
    assert depth == pytest.approx(2e-3) and depths.number.tolist() == list(range(10))
    assert error == pytest.approx(np.sqrt((4e-4) ** 2 / 140 + (1e-4) ** 2 / 10))


def test_single_depths_scatter_about_the_depth_as_their_weights_say() -> None:
    time, flux, error = curve((PLACE, 2e-3), span_days=2000.0)
    depths = single_depths(time, flux, error, _transit())
    pulls = (depths.depth - 2e-3) * np.sqrt(depths.weight)
    assert depths.number.size > 350 and pulls.std() == pytest.approx(1, abs=0.12) and abs(pulls.mean()) < 0.2


def test_depths_are_under_the_level_that_is_given() -> None:
    time, flux, error = curve((PLACE, 2e-3), noise=1e-9)
    shape = single_depths(time, flux + 5e-4, error, _transit(), level=1 + 5e-4)
    assert shape.depth == pytest.approx(2e-3, rel=1e-4)


def test_odd_and_even_transits_are_told_apart() -> None:
    time, flux, error = curve((Ephemeris(10.0, 102.0, 0.2), 2e-3), (Ephemeris(10.0, 107.0, 0.2), 1e-3))
    depths = single_depths(time, flux, error, _transit())
    found, pink = odd_even(depths), odd_even(depths, red_noise=5e-4)
    assert found.even_depth == pytest.approx(2e-3, abs=2e-4) and found.odd_depth == pytest.approx(1e-3, abs=2e-4)
    assert found.sigma > 10 and 2 < pink.sigma < 0.5 * found.sigma
    evens = depths.where(depths.number % 2 == 0)
    assert np.isnan(odd_even(evens).sigma) and np.isnan(odd_even(evens).odd_depth)


def test_no_transits_have_no_depth() -> None:
    time, flux, error = curve((PLACE, 2e-3))
    away = transit_number(time, 2.5, 102.0) % 2 == 1
    none = single_depths(time[away], flux[away], error[away], _transit())
    assert none.number.size == 0 and np.isnan(average_depth(none)).all() and np.isnan(odd_even(none).sigma)
