"""The period of a signal some of whose transits fall on those of another one.

Belongs here: periods that cannot be told while the other signal's transits are hidden. Does not belong here: periods
that are told from a signal's own transits (`orbits.py`).

Two planets with periods in an exact ratio meet always at the same transits. Hidden there, the transits of one are
neither present nor missing: 4 and 12 d leave 6 d possible. With the other's transits taken away as they were fitted,
instead of hidden, the flux says what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit, phase_days
from exo_assets.lightcurves.transit_depths import SingleDepths, average_depth, single_depths
from exo_assets.lightcurves.trapezoid import Trapezoid, profile

Array = NDArray[np.float64]
Points = tuple[Array, Array, Array]
"""Time, flux and its error."""

TIMES, PARTS = (2, 3, 4), (2, 3)
"""A period is held against so many times itself, and against these parts of it."""
HIDDEN_SHARE = 0.3
"""Transits are hidden where less than this share of their weight is left."""
UNSURE_SHARE, COMPARABLE = 0.1, 3.0
"""What is taken away is known to this share of its depth; so transits so many times as deep tell nothing."""
MISSING_SHARE, PRESENT_SHARE, SIGMA = 0.3, 0.5, 5.0
"""Nothing is left where less than the first share of the depth is, by so many errors; a transit is where there is
more than the second and as many errors, and it differs from the others by less."""


def period_beside(points: Points, transit: Trapezoid, others: Sequence[Trapezoid]) -> Ephemeris:
    """A signal's ephemeris at its own period, given nearly that or a simple ratio of it.

    Two, three or four times the given one when the transits that the `others` hide are not there; a half or a third of
    it when all those are there that it adds. As given where nothing is hidden. `points`: the star's flat curve.
    """
    place = transit.ephemeris
    near = [other for other in others if other.depth < COMPARABLE * transit.depth]
    deep = [other.ephemeris for other in others if not other.depth < COMPARABLE * transit.depth]
    keep = ~in_transit(points[0], deep)
    points = points[0][keep], points[1][keep], points[2][keep]
    for times in TIMES:
        found = _kinds(points, transit, near, times)
        if found and _is_longer(*found):
            epoch = place.t0 + place.period_days * _deepest(found[0])
            return Ephemeris(times * place.period_days, epoch, place.duration_days)
    for parts in PARTS:
        shorter = replace(place, period_days=place.period_days / parts)
        found = _kinds(points, replace(transit, ephemeris=shorter), near, parts)
        if found and _are_alike(found[0]):
            return shorter
    return place


Depth = tuple[float, float]
"""A depth and its error."""


def _kinds(
    points: Points, transit: Trapezoid, others: Sequence[Trapezoid], times: int
) -> tuple[list[Depth], list[bool]] | None:
    """The depth of each kind of transit (every so-manieth) without what the `others` add, and whether they hide it;
    None when nothing is hidden, all is, or a kind has no data."""
    time, flux, flux_err = points
    hidden = in_transit(time, [other.ephemeris for other in others])
    seen = single_depths(time[~hidden], flux[~hidden], flux_err[~hidden], transit)
    every = single_depths(time, flux, flux_err, transit)
    weights = [float(one.weight[one.number % times == kind].sum()) for one in (seen, every) for kind in range(times)]
    if min(weights[times:]) <= 0:
        return None
    is_hidden = [some < HIDDEN_SHARE * all_ for some, all_ in zip(weights[:times], weights[times:], strict=True)]
    if all(is_hidden) or not any(is_hidden):
        return None
    own = in_transit(time, [transit.ephemeris])
    taken = np.zeros(time.size)
    for other in others:
        alone = single_depths(time[~own], flux[~own], flux_err[~own], other)
        depth = average_depth(alone)[0] if alone.number.size else other.depth
        place = other.ephemeris
        taken += depth * profile(
            phase_days(time, place.period_days, place.t0), place.duration_days, other.ingress_share
        )
    rest = single_depths(time, flux + taken, flux_err, transit)
    lost = single_depths(time, 1 - taken, flux_err, transit)
    return [_depth(rest, lost, times, kind) for kind in range(times)], is_hidden


def _depth(rest: SingleDepths, taken: SingleDepths, times: int, kind: int) -> Depth:
    chosen = rest.number % times == kind
    depth, error = average_depth(rest.where(chosen))
    return depth, float(np.hypot(error, UNSURE_SHARE * average_depth(taken.where(chosen))[0]))


def _deepest(kinds: Sequence[Depth]) -> int:
    return int(np.argmax([depth for depth, _ in kinds]))


def _is_longer(kinds: Sequence[Depth], hidden: Sequence[bool]) -> bool:
    """Whether of all kinds but one nothing is there, and that one is not hidden."""
    top = _deepest(kinds)
    high, high_err = kinds[top]
    return not hidden[top] and all(
        low < MISSING_SHARE * high and high - low > SIGMA * np.hypot(high_err, low_err)
        for kind, (low, low_err) in enumerate(kinds)
        if kind != top
    )


def _are_alike(kinds: Sequence[Depth]) -> bool:
    """Whether transits of every kind are there, equally deep."""
    (low, low_err), (high, high_err) = min(kinds), max(kinds)
    is_there = low > PRESENT_SHARE * high and low > SIGMA * low_err
    return is_there and high - low < SIGMA * float(np.hypot(high_err, low_err))
