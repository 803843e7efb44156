"""Trial periods and durations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.lightcurves.periods import central_duration_days, optimal_periods, orbit_over_star_radius


def test_the_earth_and_the_sun() -> None:
    assert orbit_over_star_radius(365.25) == pytest.approx(215.0, rel=2e-3)  # one astronomical unit in solar radii
    assert central_duration_days(365.25) * 24 == pytest.approx(13.0, abs=0.1)  # hours


def test_as_many_periods_as_published() -> None:
    """Counts for the Sun, oversampling 3, from three radii (0.6 d): 2,477 to 13 d in a 27.4-day sector, 168,404 to
    100 d in four years.

    The step of the grid is inverse to the span, and the spans behind those counts are known to a percent.
    """
    assert optimal_periods(27.4, 0.6, 13.0).size == pytest.approx(2477, rel=0.05)
    assert optimal_periods(1460.0, 0.6, 100.0).size == pytest.approx(168_404, rel=0.01)


@given(st.floats(20, 1500), st.floats(0.5, 20), st.floats(2, 6))
def test_a_transit_drifts_by_the_same_share_of_its_duration_everywhere(
    span: float, density: float, oversampling: float
) -> None:
    periods = optimal_periods(span, 0.3, span / 2, density_sun=density, oversampling=oversampling)
    assert (np.diff(periods) > 0).all() and periods[0] > 0.3 and periods[-1] <= span / 2
    for i in np.linspace(0, periods.size - 2, 7).astype(int):
        drift = span / periods[i] * (periods[i + 1] - periods[i])
        assert drift * oversampling / central_duration_days(periods[i], density) == pytest.approx(1, rel=0.1)


def test_nothing_to_try_is_an_error() -> None:
    with pytest.raises(ValueError, match="no period from 30 to 100 d has 2 transits in 27 d"):
        optimal_periods(27.0, 30.0, 100.0)


def test_density_shortens_transits() -> None:
    ratio = central_duration_days(10.0, 8.0) / central_duration_days(10.0, 1.0)
    assert ratio == pytest.approx(0.5, rel=2e-3) and not math.isnan(ratio)
