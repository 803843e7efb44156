"""Dips that happen once: transits of planets whose next one lies outside the data.

Belongs here: finding them in a clean curve, the tests that they must pass, and the periods that they allow. Does not
belong here: dips that repeat (`search.py`).

A box of each of nine durations is laid at every point; its depth over its noise is the single-event statistic (Jenkins
2002, ApJ 575, 493, without whitening), scaled to the scatter that such boxes have on this star. A dip counts when it is
deeper than `SNR_MIN`, clearly deeper than the star's highest bump, seen whole with data on both sides, of one depth
in its two halves, and explains the measured flux better than a step: a flare upside down, an edge or a jump does not.
There is no period, and so no vetter's word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.clean import CleanCurve, CleanError, recleaned
from exo_assets.lightcurves.detrend import robust_sigma
from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit, phase_days
from exo_assets.lightcurves.orbits import FEW_TRANSITS, LONGEST_OVER_CENTRAL
from exo_assets.lightcurves.periods import central_duration_days
from exo_assets.lightcurves.search import HIDDEN_DURATIONS, Signal
from exo_assets.lightcurves.trapezoid import FitError, Trapezoid, fit, profile

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

DURATIONS_DAYS = tuple(np.geomspace(0.07, 0.8, 9))
"""Durations of the boxes: those of central transits of a Sun, circular orbits from 2 days to ten years."""
LONGEST_DAYS = 1.6
"""What lasts longer is a wave of the star."""
SNR_MIN, OVER_BUMPS = 10.0, 1.5
"""Least significance with red noise, and how much more than the star's highest bump a dip must be. Among the hundreds
of boxes of a curve less would be noise."""
LEAST_POINTS, LEAST_COVER = 4, 0.7
"""Points in a dip, and share of it and of what lies within one duration on each side, that must be there."""
HALVES_SIGMA, HALVES_SHARE = 4.0, 0.25
"""The depths of both halves of a dip may differ by so many errors, or by this share of the depth."""
BESIDE_DURATIONS = 1.5
"""Boxes so near to each other are on one dip."""
STEP_DURATIONS = 1.5
"""Half-width of the data in which a dip is compared with a step, in durations."""
STARTS, BETTER = (1.0, 1.5, 2.0), 1.5
"""A dip is masked and fitted from so many times its box's duration on; a longer one is taken when its SNR is so many
times higher: a little higher it is where the star varies beside the dip."""
EVENTS_MAX = 3
"""Most dips of a star that are looked at, and that may happen once: a star with more varies."""
ALIKE, APART_DAYS = 0.5, 2.0
"""Dips stand out when the next has less than this share of the weakest one's significance, and lie so far from each
other: what is nearer is one dip, or one of many. Both eclipses of a binary, each seen once, are two that stand out."""
DENSITIES_SUN = (0.1, 3.0)
"""Densities that a star of unknown density may have."""
IMPACT_MAX = 0.9
"""A transit crosses at most so far out."""


@dataclass(frozen=True)
class SingleTransit:
    """One transit, fitted; its ephemeris has a period without meaning, longer than the data.

    `snr` has red noise. `period_days`: the shortest and the longest period that the data and the density allow.
    """

    transit: Trapezoid
    snr: float
    period_days: tuple[float, float]

    @property
    def time_bjd(self) -> float:
        """Mid-transit."""
        return self.transit.ephemeris.t0


def dips_of_signals(signals: Sequence[Signal]) -> list[Ephemeris]:
    """The ephemerides of a star's signals, and of their second dips."""
    out = []
    for signal in signals:
        place = signal.transit.ephemeris
        out.append(place)
        if signal.secondary is not None:
            out.append(replace(place, t0=place.t0 + signal.secondary.phase * place.period_days))
    return out


def dips_that_repeat(signals: Sequence[Signal]) -> list[Ephemeris]:
    """`dips_of_signals` without the signals of few transits that are below the thresholds: between any two dips lies a
    time, and each may happen once."""
    return dips_of_signals([one for one in signals if one.doubt is None or one.n_transits > FEW_TRANSITS])


def single_transits(
    curve: CleanCurve, places: Sequence[Ephemeris], density_sun: float = float("nan")
) -> tuple[SingleTransit, ...]:
    """The transits that happen once in a clean curve, the most significant first; those of `places` are left out.

    The curve is cleaned again with each one masked before it is fitted. `density_sun` is nan when unknown.
    """
    found: list[SingleTransit] = []
    hidden = list(places)
    for others in reversed(range(EVENTS_MAX)):
        event = _deepest(curve, hidden, others)
        if event is None:
            break
        hidden.append(event)
        try:
            again, transit = _fitted(curve, hidden)
        except (CleanError, FitError):
            continue
        hidden[-1] = transit.ephemeris
        snr = _snr(again, transit, hidden)
        is_short = transit.ephemeris.duration_days <= LONGEST_DAYS
        if snr >= SNR_MIN and is_short and _is_whole(again, transit) and _is_no_step(again, transit):
            periods = allowed_periods(again.time_bjd, transit.ephemeris, density_sun)
            found.append(SingleTransit(transit, snr, periods))
    return tuple(sorted(found, key=lambda one: -one.snr))


def _fitted(curve: CleanCurve, hidden: Sequence[Ephemeris]) -> tuple[CleanCurve, Trapezoid]:
    """The curve cleaned with the dips of `hidden` masked, and the last of these fitted in it.

    A box is as long as the bottom of a dip with long flanks, and among few points a fit has several minima.
    Raises CleanError and FitError.
    """
    *others, place = hidden
    best: tuple[CleanCurve, Trapezoid] | None = None
    for times in STARTS:
        start = replace(place, duration_days=times * place.duration_days)
        again = recleaned(curve, [*others, start])
        transit = fit(*_points(again, others), start)
        if best is None or transit.snr > BETTER * best[1].snr:
            best = again, transit
    assert best is not None
    return best


def allowed_periods(time: Array, place: Ephemeris, density_sun: float = float("nan")) -> tuple[float, float]:
    """The shortest and the longest period, days, of a transit seen once.

    The shortest shows no other transit in the data, and its central transit is not shorter than two thirds of this
    one; the longest has this duration at an impact parameter of 0.9 on a circular orbit. An unknown density may be from
    0.1 to 3 Suns.
    """
    low, high = DENSITIES_SUN if not np.isfinite(density_sun) else (density_sun, density_sun)
    slow = _period_of(place.duration_days / LONGEST_OVER_CENTRAL, low)
    far = _period_of(place.duration_days / float(np.sqrt(1 - IMPACT_MAX**2)), high)
    away = np.abs(time - place.t0)
    away = np.sort(away[away > place.duration_days])
    farthest = float(away[-1])
    # A period is ruled out when points lie in one of its other transits; beyond the farthest point none is.
    for period in np.arange(max(slow, place.duration_days), farthest, place.duration_days / 4):
        near = np.searchsorted(away, [period - place.duration_days / 4, period + place.duration_days / 4])
        if near[0] == near[1] and not _shows_another(time, place, float(period)):
            return float(period), max(float(period), far)
    shortest = max(slow, farthest)
    return shortest, max(shortest, far)


def _shows_another(time: Array, place: Ephemeris, period_days: float) -> bool:
    inside = np.abs(phase_days(time, period_days, place.t0)) < place.duration_days / 4
    return bool((np.abs(time[inside] - place.t0) > place.duration_days).any())


def _period_of(duration_days: float, density_sun: float) -> float:
    """Period of the circular orbit whose central transit lasts so long, days."""
    periods = np.geomspace(0.1, 1e6, 400)
    durations = [central_duration_days(float(p), density_sun) for p in periods]
    return float(np.interp(duration_days, durations, periods))


def _points(curve: CleanCurve, hidden: Sequence[Ephemeris]) -> tuple[Array, Array, Array]:
    keep = ~in_transit(curve.time_bjd, hidden, HIDDEN_DURATIONS)
    return curve.time_bjd[keep], curve.flux[keep], curve.flux_err[keep]


def _deepest(curve: CleanCurve, hidden: Sequence[Ephemeris], others: int) -> Ephemeris | None:
    """The most significant dip of any duration that is seen whole and stands out, alone or with at most so many
    `others`, as an ephemeris without a second transit in the data."""
    time, flux, flux_err = _points(curve, hidden)
    if time.size < 10 * LEAST_POINTS:
        return None
    cadence = float(np.median(np.diff(time)))
    best, found = 0.0, None
    for duration in DURATIONS_DAYS:
        if duration < LEAST_POINTS * cadence:
            continue
        start, ses, scatter = _boxes(time, flux, flux_err, duration, cadence)
        if start.size < 3:
            continue
        sigma = ses / scatter
        top = int(sigma.argmax())
        bump = float(-sigma[np.abs(start - start[top]) > BESIDE_DURATIONS * duration].min(initial=0.0))
        significant = sigma[top] > max(best, SNR_MIN * LEAST_COVER, OVER_BUMPS * bump)
        if significant and _stand_out(start, sigma, duration, others + 1):
            best = float(sigma[top])
            found = Ephemeris(10 * float(time[-1] - time[0]), float(start[top] + duration / 2), float(duration))
    return found


def _stand_out(start: Array, sigma: Array, duration: float, most: int) -> bool:
    """Whether the most significant boxes, at most so many, are dips apart that the others are well below."""
    left, dips = sigma.copy(), list[int]()
    while True:
        top = int(left.argmax())
        if dips and left[top] < ALIKE * sigma[dips[-1]]:
            return True
        if len(dips) == most or any(abs(start[top] - start[dip]) < APART_DAYS for dip in dips):
            return False
        dips.append(top)
        left[np.abs(start - start[top]) <= BESIDE_DURATIONS * duration] = 0.0


def _boxes(time: Array, flux: Array, flux_err: Array, duration: float, cadence: float) -> tuple[Array, Array, float]:
    """Starts of boxes with data enough, their depth over white noise, and the scatter of that; 1 at least."""
    weight = flux_err**-2
    sums = np.concatenate([[0.0], np.cumsum(weight * (1 - flux))]), np.concatenate([[0.0], np.cumsum(weight)])
    end = np.searchsorted(time, time + duration)
    first = np.arange(time.size)
    full = end - first >= LEAST_COVER * duration / cadence
    first, end = first[full], end[full]
    ses = (sums[0][end] - sums[0][first]) / np.sqrt(sums[1][end] - sums[1][first])
    return time[first], ses, max(robust_sigma(ses), 1.0) if ses.size > 2 else 1.0


def _snr(curve: CleanCurve, transit: Trapezoid, hidden: Sequence[Ephemeris]) -> float:
    """Depth over its uncertainty, times the scatter of boxes of that duration outside of all dips."""
    time, flux, flux_err = _points(curve, hidden)
    cadence = float(np.median(np.diff(time)))
    _, _, scatter = _boxes(time, flux, flux_err, transit.ephemeris.duration_days, cadence)
    return transit.snr / scatter


def _is_whole(curve: CleanCurve, transit: Trapezoid) -> bool:
    """Whether the dip and a duration on each side of it have data, of one segment, and both halves of it one depth.

    Where one segment ends and the next begins the star's level jumps, and trends are least certain.
    """
    place, cadence = transit.ephemeris, float(np.median(np.diff(curve.time_bjd)))
    curve = curve.where(curve.segment == curve.segment[np.abs(curve.time_bjd - place.t0).argmin()])
    x, duration = curve.time_bjd - place.t0, place.duration_days
    borders = np.array([-1.5, -0.5, 0.0, 0.5, 1.5]) * duration
    parts = [(x >= low) & (x < high) for low, high in pairwise(borders)]
    lengths = np.diff(borders) / cadence
    if any(part.sum() < max(LEAST_COVER * n, LEAST_POINTS / 2) for part, n in zip(parts, lengths, strict=True)):
        return False
    shape = profile(x, duration, transit.ingress_share)
    halves = [(shape[part], curve.flux_err[part] ** -2, 1 - curve.flux[part]) for part in parts[1:3]]
    weight = [float((w * p * p).sum()) for p, w, _ in halves]
    if not min(weight) > 0:
        return False
    depth = [float((w * p * missing).sum()) / of for (p, w, missing), of in zip(halves, weight, strict=True)]
    error = float(np.sqrt(sum(1 / of for of in weight)))
    difference = abs(depth[0] - depth[1])
    return difference < max(HALVES_SIGMA * error, HALVES_SHARE * max(depth)) and min(depth) > 0


def _is_no_step(curve: CleanCurve, transit: Trapezoid) -> bool:
    """Whether a transit on a parabola explains the flux before its trend was taken away better than a step on one."""
    place = transit.ephemeris
    x = (curve.time_bjd - place.t0) / place.duration_days
    near = np.abs(x) < STEP_DURATIONS
    x, weight = x[near], 1 / curve.flux_err[near]
    flux = (curve.flux * curve.trend)[near] * weight
    smooth = [np.ones(x.size), x, x * x]

    def chi2(shape: Array) -> float:
        design = np.stack([*smooth, shape], axis=1) * weight[:, None]
        return float(((design @ np.linalg.lstsq(design, flux, rcond=None)[0] - flux) ** 2).sum())

    dip = chi2(profile(x * place.duration_days, place.duration_days, transit.ingress_share))
    return all(dip < chi2((x > at).astype(np.float64)) for at in np.linspace(-0.75, 0.75, 13))
