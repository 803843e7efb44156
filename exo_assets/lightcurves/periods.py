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

SHORTEST_ORBIT_RADII = 1.3
"""Durations are no longer than those of orbits so near to the star, in its radii. Planets of 0.18 d are known; Ofir
(2014) searches from three radii on, 0.6 d for a Sun."""
SHORTEST_DAYS, PLAIN_SHORTEST_DAYS = 0.18, 0.5
"""Shortest period that is searched unasked: where the cadence resolves its transits, and where it does not."""
POINTS_PER_TRANSIT = 1.5
"""Points that a transit of the shortest period must have, at the least."""
POINTS_PER_PERIOD = 6
"""Points that an orbit must have for its period to be searched at all."""

MOST_PERIODS = 3_000_000
"""More trial periods than any mission's longest curve needs: so many only follow from a stray point in time."""


def orbit_over_star_radius(period_days: float, density_sun: float = 1.0) -> float:
    """Orbital distance over stellar radius, (G rho P^2 / 3 pi)^(1/3) (Seager & Mallen-Ornelas 2003).

    `density_sun`: mean density of the star over the Sun's.
    """
    density = density_sun * SOLAR_DENSITY_CGS
    return float((G_CGS * density * (period_days * DAY_S) ** 2 / (3 * math.pi)) ** (1 / 3))


def central_duration_days(period_days: float, density_sun: float = 1.0) -> float:
    """Duration of the central transit of a small planet on a circular orbit, days: (P / pi) asin(R_star / a).

    a is taken for at least `SHORTEST_ORBIT_RADII` radii: nearer ones follow from a density that is wrong.
    """
    radii = max(orbit_over_star_radius(period_days, density_sun), SHORTEST_ORBIT_RADII)
    return period_days / math.pi * math.asin(1 / radii)


def shortest_period_days(cadence_days: float, density_sun: float = 1.0) -> float:
    """The shortest period that is searched unasked: 0.18 d where points are so dense that a transit has one and a half
    and where such an orbit lies outside 1.3 stellar radii, at most 0.5 d, or what six points resolve."""
    outside = SHORTEST_DAYS * (SHORTEST_ORBIT_RADII / orbit_over_star_radius(SHORTEST_DAYS, density_sun)) ** 1.5
    shortest = min(max(SHORTEST_DAYS, outside), PLAIN_SHORTEST_DAYS)
    resolved = central_duration_days(shortest, density_sun) >= POINTS_PER_TRANSIT * cadence_days
    return shortest if resolved else max(PLAIN_SHORTEST_DAYS, POINTS_PER_PERIOD * cadence_days)


def optimal_periods(
    span_days: float,
    period_min_days: float,
    period_max_days: float,
    *,
    density_sun: float = 1.0,
    oversampling: float = 3.0,
    transits_min: int = 2,
    beyond: int = 0,
) -> NDArray[np.float64]:
    """Trial periods, days, ascending: the optimal frequency sampling of Ofir (2014, A&A 561, A138), equations 5 to 7.

    Neighbours differ so that over `span_days` a transit drifts by its duration over `oversampling`: the grid is even
    in the cube root of frequency. Periods of which fewer than `transits_min` transits fit into the span are not in it:
    two fit when the period is shorter than the span. `beyond`: so many more on each side of the limits, of those that
    fit into the span. ValueError when nothing is left, or for more than `MOST_PERIODS`.
    """
    span = span_days * DAY_S
    star = SOLAR_DENSITY_CGS * density_sun * 4 * math.pi / 3  # M / R^3
    lowest = max(transits_min - 1, 1) / span
    step = (2 * math.pi) ** (2 / 3) / math.pi / (G_CGS * star) ** (1 / 3) / (span * oversampling)
    # Frequency number x is (step x / 3 + first)^3, x = 1, 2, ...: only those between the limits are made.
    first = lowest ** (1 / 3) - step / 3
    slowest = max(lowest, 1 / (period_max_days * DAY_S))
    fastest = 1 / (period_min_days * DAY_S)
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
    numbers = np.arange(high - 1 + beyond, max(low - beyond, 1) - 1, -1)
    periods = (step / 3 * numbers + first) ** -3 / DAY_S
    return np.asarray(periods)
