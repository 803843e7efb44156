"""The trapezoid that is fitted to transits."""

from __future__ import annotations

import numpy as np
import pytest
from simulated import curve

from exo_assets.lightcurves.ephemeris import Ephemeris, phase_days, transit_number
from exo_assets.lightcurves.trapezoid import FitError, fit, profile

TRUE = Ephemeris(6.78901, 102.345, 0.21)


def test_phases_and_numbers() -> None:
    time = np.array([102.345, 102.345 + 6.78901 * 3 + 0.1, 102.345 - 6.78901 * 0.5])
    assert phase_days(time, 6.78901, 102.345) == pytest.approx([0.0, 0.1, -6.78901 / 2])
    assert transit_number(time[:2], 6.78901, 102.345).tolist() == [0, 3]


def test_the_profile_is_a_box_a_trapezoid_or_a_v() -> None:
    x = np.array([-0.5, -0.45, -0.25, 0.0, 0.45, 0.51])
    assert profile(x, 1.0, 0.0) == pytest.approx([0, 1, 1, 1, 1, 0])
    assert profile(x, 1.0, 0.1) == pytest.approx([0, 0.5, 1, 1, 0.5, 0])
    assert profile(x, 1.0, 0.5) == pytest.approx([0, 0.1, 0.5, 1, 0.1, 0])


def test_what_was_put_in_is_fitted_within_its_uncertainties() -> None:
    """Over twenty noise realisations the fits scatter as their uncertainties say."""
    pulls = []
    for seed in range(20):
        time, flux, error = curve((TRUE, 1e-3), seed=seed)
        found = fit(time, flux, error, Ephemeris(6.7885, 102.36, 0.18))
        pulls.append(
            [
                (found.ephemeris.period_days - TRUE.period_days) / found.period_err_days,
                phase_days(np.array([found.ephemeris.t0]), TRUE.period_days, TRUE.t0)[0] / found.t0_err,
                (found.ephemeris.duration_days - TRUE.duration_days) / found.duration_err_days,
                (found.depth - 1e-3) / found.depth_err,
            ]
        )
    spread = np.sqrt(np.mean(np.square(pulls), axis=0))
    assert (spread < 2.0).all() and (spread > 0.3).all()


def test_too_few_data_are_an_error() -> None:
    time, flux, error = curve((TRUE, 1e-3))
    away = np.abs(phase_days(time, TRUE.period_days, TRUE.t0)) > 0.11
    with pytest.raises(FitError, match="0 points in transit"):
        fit(time[away], flux[away], error[away], TRUE)
