"""Which dips are of one orbit, and which periods its transits allow.

Belongs here: one object for all dips of a period, the double period of two unlike halves, and the fractions of a period
that gaps in the data leave possible. Does not belong here: comparing a signal with a catalogue's (`matching.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.ephemeris import Ephemeris, nearest_transit, phase_days, transit_number
from exo_assets.lightcurves.periods import central_duration_days
from exo_assets.lightcurves.transit_depths import SingleDepths, average_depth, single_depths
from exo_assets.lightcurves.trapezoid import Trapezoid

Array = NDArray[np.float64]

FRACTIONS = (1, 2, 3)
"""A dip found at the period of another signal over one of these, all of whose transits have one phase of that orbit,
is a second dip of that orbit: its other transits are where the first dip was hidden, or without data."""
LEFTOVER_DURATIONS = 1.5
"""What lies so near to a signal's transits, in durations of the longer, is what the mask left of them."""
LEFTOVER_LONGER = 2.0
"""but no leftover of a transit lasts so many times longer: the transit of a planet far out, beside one of hours."""
UNLIKE_SIGMA, UNLIKE_SHARE = 5.0, 0.5
"""Odd and even transits are of two kinds when their depths differ by so much and one has less than this share of the
other's depth,"""
MISSING_SHARE, MISSING_TRANSITS = 0.2, 2
"""or when of every third or fourth, so many of them, less than this share of the depth is there: the eclipses of a
binary may be equal and lie a third or a quarter of the orbit apart."""
UNEQUAL_SIGMA, UNEQUAL_SHARE, UNEQUAL_TRANSITS = 7.0, 0.97, 3
"""or when they differ so much by the scatter that each kind shows, of at least so many transits each."""
UNSEEN_SIGMA = 3.0
"""Transits that the data would show with less significance than this may be there unseen."""
FEW_TRANSITS = 5
"""Signals with more transits in the data have one period, for gaps would have to hide all others; those with fewer are
tested transit by transit, for among few accidents of the noise agree."""
LONGEST_OVER_CENTRAL = 1.5
"""A transit is at most so much longer than the central one of a circular orbit (a slow passage far from the star)."""


def orbit_of(place: Ephemeris, earlier: Sequence[Ephemeris], time: Array) -> int | None:
    """Which of the `earlier` signals' orbits a dip belongs to, or None for one of its own.

    `time`: the points in which it was found, without the transits of the earlier ones. A planet in resonance with
    another has transits at several phases of a longer orbit and is not of it.
    """
    for number, orbit in enumerate(earlier):
        if _is_second(place, orbit, time) or _is_leftover(place, orbit, time):
            return number
    return None


def has_period_of(place: Ephemeris, orbit: Ephemeris, time: Array) -> bool:
    """Whether over the data two periods drift by less than a duration from each other."""
    longer = max(place.duration_days, orbit.duration_days)
    return abs(place.period_days - orbit.period_days) * float(time[-1] - time[0]) / orbit.period_days <= longer


def _is_second(place: Ephemeris, orbit: Ephemeris, time: Array) -> bool:
    for parts in FRACTIONS:
        if not has_period_of(replace(place, period_days=parts * place.period_days), orbit, time):
            continue
        if parts == 1:
            return True
        inside = np.abs(phase_days(time, place.period_days, place.t0)) < place.duration_days / 4
        number = transit_number(time[inside], place.period_days, place.t0)
        count = np.bincount(number % parts, minlength=parts)
        if (count > 0.1 * count.max()).sum() == 1:
            return True
    return False


def _is_leftover(place: Ephemeris, orbit: Ephemeris, time: Array) -> bool:
    span, longer = float(time[-1] - time[0]), max(place.duration_days, orbit.duration_days)
    times = round(place.period_days / orbit.period_days)
    if place.duration_days > LEFTOVER_LONGER * orbit.duration_days:
        return False
    if times < 1 or abs(place.period_days - times * orbit.period_days) * span / place.period_days > longer:
        return False
    middle = nearest_transit(place.t0, place.period_days, (time[0] + time[-1]) / 2)
    apart = phase_days(middle, orbit.period_days, orbit.t0)
    return bool(abs(apart) < LEFTOVER_DURATIONS * longer)


def own_period(time: Array, flux: Array, flux_err: Array, transit: Trapezoid) -> Ephemeris | None:
    """Twice the period (or three or four times), with the epoch of the deeper transits, when odd and even ones are
    unlike or one kind is missing; None when the period is the signal's own, or the deeper kind has less than two."""
    depths, place = single_depths(time, flux, flux_err, transit), transit.ephemeris
    for times in (2, 3, 4):
        kinds = [depths.where(depths.number % times == kind) for kind in range(times)]
        means = np.array([average_depth(kind)[0] for kind in kinds])
        if np.isnan(means).any():
            continue
        deepest = int(means.argmax())
        rest = depths.where(depths.number % times != deepest)
        if kinds[deepest].number.size < 2:
            continue
        unlike = times < 4 and _are_unlike(kinds[deepest], rest, missing=times > 2)
        if not unlike and not any(_is_missing(kind, kinds[deepest]) for kind in kinds):
            continue
        epoch = place.t0 + place.period_days * float(kinds[deepest].number[0])
        # Where every second one is there, what lies between them is another's.
        half = times == 4 and means[(deepest + 2) % 4] > UNLIKE_SHARE * means[deepest]
        return Ephemeris((2 if half else times) * place.period_days, epoch, place.duration_days)
    return None


def _is_missing(kind: SingleDepths, deepest: SingleDepths) -> bool:
    """Whether nothing is where transits of one kind would be, of the depth of the deepest kind."""
    (high, high_err), (low, low_err) = average_depth(deepest), average_depth(kind)
    return bool(
        kind.number.size >= MISSING_TRANSITS
        and low < MISSING_SHARE * high
        and high - low > UNLIKE_SIGMA * _error(deepest, kind, high_err, low_err)
    )


def _are_unlike(deeper: SingleDepths, other: SingleDepths, *, missing: bool) -> bool:
    (high, high_err), (low, low_err) = average_depth(deeper), average_depth(other)
    if not high > 0:
        return False
    if high - low > UNLIKE_SIGMA * _error(deeper, other, high_err, low_err) and low < UNLIKE_SHARE * high:
        return True
    if missing or min(deeper.number.size, other.number.size) < UNEQUAL_TRANSITS or low > UNEQUAL_SHARE * high:
        return False
    return high - low > UNEQUAL_SIGMA * _error(deeper, other, high_err, low_err)


def _error(deeper: SingleDepths, other: SingleDepths, high_err: float, low_err: float) -> float:
    """Uncertainty of the difference, by white noise or by the scatter of each kind's transits, whichever is more."""
    errors = []
    for kind, white in ((deeper, high_err), (other, low_err)):
        n = kind.number.size
        errors.append(max(white, float(kind.depth.std(ddof=1)) / n**0.5 if n >= UNEQUAL_TRANSITS else 0.0))
    return float(np.hypot(errors[0], errors[1]))


def longest_period(time: Array, flux_err: Array, transit: Trapezoid) -> Ephemeris:
    """The signal's ephemeris at the longest period that has all of its observed transits: the time between two, when it
    was found at a half of that whose other transits fall into gaps."""
    place = transit.ephemeris
    every, sigma = _seen(time, flux_err, place, transit.depth)
    numbers = every[sigma > UNSEEN_SIGMA]
    if not 1 < numbers.size <= FEW_TRANSITS:
        return place
    step = int(reduce(np.gcd, np.diff(numbers)))
    left_out = sigma[(every - numbers[0]) % step != 0]
    if float(np.sqrt((left_out**2).sum())) > UNSEEN_SIGMA:
        return place  # each of the others is weak; together they are seen
    return Ephemeris(step * place.period_days, place.t0 + place.period_days * int(numbers[0]), place.duration_days)


def alternatives(
    time: Array, flux_err: Array, transit: Trapezoid, shortest_days: float, density_sun: float
) -> tuple[float, ...]:
    """The fractions of a period, days, longest first, that the data do not rule out.

    P / n is possible when the transits that it adds would be seen with less than three sigma all together, and when
    its central transit around a star of that density is not much shorter than the observed one.
    """
    place = transit.ephemeris
    sigma = _seen(time, flux_err, place, transit.depth)[1]
    if not 0 < (sigma > UNSEEN_SIGMA).sum() <= FEW_TRANSITS:
        return ()
    most = int(place.period_days / shortest_days)
    out: list[float] = []
    ruled_out = np.zeros(most + 1, dtype=bool)
    for parts in range(2, most + 1):
        period = place.period_days / parts
        if LONGEST_OVER_CENTRAL * central_duration_days(period, density_sun) < place.duration_days:
            break
        if ruled_out[parts]:
            continue
        added, sigma = _seen(time, flux_err, Ephemeris(period, place.t0, place.duration_days), transit.depth)
        if float(np.sqrt((sigma[added % parts != 0] ** 2).sum())) > UNSEEN_SIGMA:
            ruled_out[parts::parts] = True
        else:
            out.append(period)
    return tuple(out)


def _seen(time: Array, flux_err: Array, place: Ephemeris, depth: float) -> tuple[NDArray[np.int64], Array]:
    """Numbers of the transits with data, and the significance of a dip of that depth in each."""
    inside = np.abs(phase_days(time, place.period_days, place.t0)) < place.duration_days / 2
    if not inside.any():
        return np.zeros(0, np.int64), np.zeros(0)
    numbers, which = np.unique(transit_number(time[inside], place.period_days, place.t0), return_inverse=True)
    return numbers, np.asarray(depth * np.sqrt(np.bincount(which, flux_err[inside] ** -2)))
