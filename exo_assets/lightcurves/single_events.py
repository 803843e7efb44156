"""A signal's transits one by one: how many are seen whole, and how they stand out from the rest of the curve.

Belongs here: what tells transits from a ramp, from the edge of a gap, and from dips of the noise that happen to lie a
period apart. Does not belong here: the depths of single transits (`transit_depths.py`), and what is concluded from all
of this (`reliability.py`).

Any two dips of a curve are a signal at the time between them, and among many dips some three lie in a row. With M dips
in a span S, N of them transits of duration T, any two set a period, and a further transit has a dip within a duration
of its place by chance with probability 2 M T / S: M (M - 1) / 2 (2 M T / S)^(N - 2) such signals are expected, the one
found among them. The model-shift test (Coughlin et al. 2016, ApJS 224, 12) asks for rivals in the folded curve, where a
dip that happens once is averaged away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.ephemeris import Ephemeris, phase_days, transit_number
from exo_assets.lightcurves.trapezoid import Trapezoid

Array = NDArray[np.float64]

FLANK_SHARE, FLANK_POINTS = 0.25, 2.0
"""A transit is seen whole when this share of the points in it lies in each of its halves, and as many, at least one,
within a duration (or so many points' distance) before it and after it. A ramp that begins or ends a stretch of data has
them on one side."""
LEAST_COVER = 0.5
"""Share of a box that must have points."""
RIVAL_SHARE = 0.7
"""A dip elsewhere with this share of the second strongest transit's significance is its rival (the share of
LEO-Vetter's Chases, Kunimoto et al. 2025, arXiv 2509.10619)."""


@dataclass(frozen=True)
class SingleEvents:
    """`whole`: transits that are seen whole. `accidental`: how many other signals the dips as strong as its transits
    make by chance, 0 where no dip elsewhere is as strong."""

    whole: int
    accidental: float


def single_events(
    time: Array, flux: Array, flux_err: Array, transit: Trapezoid, masked: NDArray[np.bool_]
) -> SingleEvents:
    """The transits of a flat curve, `flux` relative about one, against the rest of it.

    An event is what a box as wide as the transit at half depth holds, over its white noise. `masked`: the points in
    transits of the star's signals without doubt; they are no events, but are there to see a transit whole.
    """
    place = transit.ephemeris
    cadence = float(np.median(np.diff(time)))
    width = max(place.duration_days * (1 - transit.ingress_share), 1.01 * cadence)
    t, missing, weight = time[~masked], 1 - flux[~masked], flux_err[~masked] ** -2
    x = phase_days(t, place.period_days, place.t0)
    inside, outside = np.abs(x) <= width / 2, np.abs(x) > place.duration_days
    which = np.unique(transit_number(t[inside], place.period_days, place.t0), return_inverse=True)[1]
    transits = np.sort(np.bincount(which, (weight * missing)[inside]) / np.sqrt(np.bincount(which, weight[inside])))
    whole = _whole(time, place, cadence)
    start, events = _boxes(t[outside], missing[outside], weight[outside], width, cadence)
    if transits.size < 2 or not start.size:
        return SingleEvents(whole, 0.0)
    least = RIVAL_SHARE * float(transits[-2])
    strong = start[events >= least]
    rivals = int((np.diff(strong) > width).sum()) + 1 if strong.size else 0
    own = int((transits >= least).sum())
    number, span = own + rivals, float(time[-1] - time[0])
    expected = number * (number - 1) / 2 * (2 * number * place.duration_days / span) ** (own - 2)
    return SingleEvents(whole, expected - 1 if rivals else 0.0)


def _whole(time: Array, place: Ephemeris, cadence: float) -> int:
    """Number of transits with data in both halves and on both sides."""
    half, beside = place.duration_days / 2, max(place.duration_days, FLANK_POINTS * cadence)
    x = phase_days(time, place.period_days, place.t0)
    near = np.abs(x) <= half + beside
    if not near.any():
        return 0
    x, number = x[near], transit_number(time[near], place.period_days, place.t0)
    number -= number.min()
    parts = (x < -half, (x >= -half) & (x < 0), (x >= 0) & (x <= half), x > half)
    before, first, last, after = (np.bincount(number[part], minlength=number.max() + 1) for part in parts)
    least = np.floor(FLANK_SHARE * (first + last))
    halves, flanks = np.minimum(first, last) >= least, np.minimum(before, after) >= np.maximum(least, 1)
    return int((halves & flanks & (first + last > 0)).sum())


def _boxes(time: Array, missing: Array, weight: Array, width: float, cadence: float) -> tuple[Array, Array]:
    """Where the boxes with data enough begin, one at each point, and their significance; dips are above zero."""
    sums, mass = (np.concatenate([[0.0], np.cumsum(values)]) for values in (weight * missing, weight))
    end, first = np.searchsorted(time, time + width), np.arange(time.size)
    full = end - first >= max(LEAST_COVER * width / cadence, 1.0)
    first, end = first[full], end[full]
    return time[first], np.asarray((sums[end] - sums[first]) / np.sqrt(mass[end] - mass[first]))
