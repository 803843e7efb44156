"""Where the transits of a signal are.

Belongs here: the ephemeris, and times relative to it. Does not belong here: how one is found or fitted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MASKED_DURATIONS = 0.6
"""Half-width of what is masked of a known transit, durations: a fifth more than the transit."""


@dataclass(frozen=True)
class Ephemeris:
    """Where the transits of a signal are: period and duration (first to last contact) in days, epoch in time units."""

    period_days: float
    t0: float
    duration_days: float


def phase_days(time: Array, period_days: float, t0: float) -> Array:
    """Time since the nearest mid-transit, days, in [-P/2, P/2)."""
    return np.asarray((time - t0 + period_days / 2) % period_days - period_days / 2)


def transit_number(time: Array, period_days: float, t0: float) -> NDArray[np.int64]:
    """How many periods after `t0` the nearest mid-transit is."""
    return np.rint((time - t0) / period_days).astype(np.int64)


def nearest_transit(t0: Array | float, period_days: Array | float, time: float) -> Array:
    """The mid-transit nearest to a time; epochs and periods may be arrays of one shape."""
    return np.asarray(t0 + period_days * np.rint((time - t0) / period_days))


def in_transit(time: Array, places: Iterable[Ephemeris], half_durations: float = MASKED_DURATIONS) -> NDArray[np.bool_]:
    """Which points are in, or a little beside, a transit of any of `places`."""
    masked = np.zeros(time.size, dtype=bool)
    for place in places:
        masked |= np.abs(phase_days(time, place.period_days, place.t0)) < half_durations * place.duration_days
    return masked
