"""Whether the two transits of a signal can be of one planet.

Belongs here: two transits, each fitted alone, held against each other. Does not belong here: many transits
(`features/transit_statistics.py`), odd and even ones (`orbits.py`), and dips that happen once (`single_transits.py`).

Any two dips have a time between them. Transits of one planet have one depth and one duration; the eclipses of a binary,
each seen once, seldom do. One shape fitted to both hides it where the shallower is the longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.ephemeris import phase_days, transit_number
from exo_assets.lightcurves.trapezoid import FitError, Trapezoid, fit

Array = NDArray[np.float64]

PAIR = 2
"""Transits of a pair."""
UNLIKE_SIGMA = 5.0
"""Two transits are unlike when they differ by so many errors,"""
ALIKE_DEPTH, ALIKE_DURATION = 0.85, 0.8
"""and the smaller has less than this share of the other's depth or duration. Light of neighbours that varies with the
detector and trends change depths by some per cent; of catalogued planets that were seen twice in a curve the shares are
0.90 and 0.88 or more."""


def are_unlike(time: Array, flux: Array, flux_err: Array, transit: Trapezoid) -> bool:
    """Whether the two transits of a signal with data differ in depth or duration; False where one cannot be fitted
    alone, and for a signal of another number of transits."""
    place = transit.ephemeris
    inside = np.abs(phase_days(time, place.period_days, place.t0)) < place.duration_days / 2
    numbers = np.unique(transit_number(time[inside], place.period_days, place.t0))
    if numbers.size != PAIR:
        return False
    far = 10 * float(time[-1] - time[0])
    once = [replace(place, period_days=far, t0=place.t0 + number * place.period_days) for number in numbers]
    try:
        first, second = (fit(time, flux, flux_err, one) for one in once)
    except FitError:
        return False

    def differ(of: Callable[[Trapezoid], tuple[float, float]], alike: float) -> bool:
        (a, a_err), (b, b_err) = of(first), of(second)
        return min(a, b) < alike * max(a, b) and abs(a - b) > UNLIKE_SIGMA * float(np.hypot(a_err, b_err))

    return differ(lambda one: (one.depth, one.depth_err), ALIKE_DEPTH) or differ(
        lambda one: (one.ephemeris.duration_days, one.duration_err_days), ALIKE_DURATION
    )
