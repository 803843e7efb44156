"""Which periods and durations a transit search tries.

Belongs here: the physically right grid. Does not belong here: the search itself (`search.py`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

G_CGS = 6.6743e-8
"""Gravitational constant, cm3 g-1 s-2 (CODATA 2018)."""
SOLAR_DENSITY_CGS = 1.41
"""Mean density of the Sun, g/cm3."""
DAY_S = 86_400.0

SHORTEST_ORBIT_RADII = 3.0
"""Orbits inside three stellar radii are not searched (Ofir 2014)."""

MOST_PERIODS = 3_000_000
"""More trial periods than any mission's longest curve needs: so many only follow from a stray point in time."""


def orbit_over_star_radius(period_days: float, density_sun: float = 1.0) -> float:
    """Orbital distance over stellar radius, (G rho P^2 / 3 pi)^(1/3) (Seager & Mallen-Ornelas 2003).

    `density_sun`: mean density of the star over the Sun's.
    """
    density = density_sun * SOLAR_DENSITY_CGS
    return float((G_CGS * density * (period_days * DAY_S) ** 2 / (3 * math.pi)) ** (1 / 3))


def central_duration_days(period_days: float, density_sun: float = 1.0) -> float:
    """Duration of the central transit of a small planet on a circular orbit, days: (P / pi) asin(R_star / a)."""
    return period_days / math.pi * math.asin(min(1.0, 1 / orbit_over_star_radius(period_days, density_sun)))


def optimal_periods(
    span_days: float,
    period_min_days: float,
    period_max_days: float,
    *,
    density_sun: float = 1.0,
    oversampling: float = 3.0,
    transits_min: int = 2,
) -> NDArray[np.float64]:
    """Trial periods, days, ascending: the optimal frequency sampling of Ofir (2014, A&A 561, A138), equations 5 to 7.

    Neighbours differ so that over `span_days` a transit drifts by its duration over `oversampling`: the grid is even
    in the cube root of frequency. Periods of which fewer than `transits_min` fit into the span, or whose orbits lie
    inside three stellar radii, are not in it. ValueError when nothing is left, or for more than `MOST_PERIODS`.
    """
    span = span_days * DAY_S
    star = SOLAR_DENSITY_CGS * density_sun * 4 * math.pi / 3  # M / R^3
    lowest = transits_min / span
    highest = math.sqrt(G_CGS * star / SHORTEST_ORBIT_RADII**3) / (2 * math.pi)
    step = (2 * math.pi) ** (2 / 3) / math.pi / (G_CGS * star) ** (1 / 3) / (span * oversampling)
    # Frequency number x is (step x / 3 + first)^3, x = 1, 2, ...: only those between the limits are made.
    first = lowest ** (1 / 3) - step / 3
    slowest = max(lowest, 1 / (period_max_days * DAY_S))
    fastest = min(highest, 1 / (period_min_days * DAY_S))
    low, high = (math.ceil((f ** (1 / 3) - first) * 3 / step - 1e-9) for f in (slowest, fastest))
    if high <= low:
        raise ValueError(
            f"no period from {period_min_days:g} to {period_max_days:g} d has {transits_min} transits in "
            f"{span_days:g} d around a star of {density_sun:g} solar densities"
        )
    if high - low > MOST_PERIODS:
        raise ValueError(
            f"a span of {span_days:g} d needs {high - low:,} trial periods, more than {MOST_PERIODS:,}: leave out "
            "points far from the others, or limit the periods"
        )
    periods = (step / 3 * np.arange(high - 1, low - 1, -1) + first) ** -3 / DAY_S
    return np.asarray(periods)
