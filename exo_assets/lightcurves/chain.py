"""The whole way from a star's segments to its signals.

Belongs here: the order of cleaning and searching, and what is made of the dips found. Does not belong here: any of the
steps.

A trend follows shallow transits a little, unless they are masked; they can be masked once they are found. So the curve
is cleaned anew after every signal, from the flux as it was measured, and in the end every signal is fitted once more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.clean import CleanCurve, CleanError, cleaned, recleaned
from exo_assets.lightcurves.combs import period_beside
from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit, phase_days
from exo_assets.lightcurves.orbits import FEW_TRANSITS, alternatives, has_period_of, longest_period
from exo_assets.lightcurves.reliability import BY_CHANCE, described, second_dip, second_dips
from exo_assets.lightcurves.search import (
    HIDDEN_DURATIONS,
    Dip,
    SearchSettings,
    Signal,
    at_own_period,
    dips_of,
    is_asked,
    judged,
    limits,
)
from exo_assets.lightcurves.trapezoid import FitError, Trapezoid, fit

Array = NDArray[np.float64]

STILL_THERE = 0.7
"""A signal of many transits keeps at least this share of the least SNR when it is fitted to the final curve."""
STILL_THERE_FEW = 0.97
"""As `STILL_THERE`, for few transits: among few accidents of the noise agree, so that nearly all must be left. Between
TOI-237 b (five transits in one sector, 0.99) and the strongest leftover of Kepler-90's planets (five, 0.95)."""
STANDS_OUT = 1.13
"""As `STILL_THERE`, for what dips elsewhere in the curve make by chance: to be told of, it must be stronger than the
accidents among them are. The strongest that is left of Kepler-90 has 1.10."""
LEAST_LEFT = 0.25
"""A star is searched no further when the dips found cover all but this share of its points."""
NEARLY, CLEARLY = 0.01, 3.0
"""Periods nearer than this are of no two planets: circular orbits of bodies that have 0.007 Earth masses together are
stable from there on, of heavier ones farther apart (Gladman 1993, Icarus 106, 247: 2.4 of the cube root of the masses
over the star's). A signal of so many times the SNR or the depth is no such companion: the other is what is left of
it, or a wave of the star."""


@dataclass(frozen=True)
class Star:
    """A star's clean curve, and its signals in the order in which they were found."""

    curve: CleanCurve
    signals: tuple[Signal, ...]


def search_star(
    segments: Sequence[LightCurve],
    settings: SearchSettings | None = None,
    known: Sequence[Ephemeris] = (),
    on_signal: Callable[[Signal], None] = lambda _: None,
) -> Star:
    """Clean, search, mask and clean again until nothing is left above the thresholds.

    The transits of `known` signals are masked from the start and not found again. `on_signal` is told of each signal
    as it is found. Raises CleanError and SearchError.
    """
    return _searched(lambda hidden: cleaned(segments, hidden), settings, known, on_signal)


def search_curve(
    curve: CleanCurve, settings: SearchSettings | None = None, on_signal: Callable[[Signal], None] = lambda _: None
) -> Star:
    """As `search_star`, from a curve that was cleaned before: whatever was masked then is not masked now.

    Raises CleanError and SearchError.
    """
    return _searched(lambda hidden: recleaned(curve, hidden), settings, (), on_signal)


def star_with(segments: Sequence[LightCurve], place: Ephemeris) -> Star:
    """A star with one signal whose ephemeris is known: cleaned with its transits masked, and fitted, not searched for.

    Its SDE is nan, for no spectrum was made. Raises CleanError, SearchError, and FitError without data in transit.
    """
    curve = cleaned(segments, [place])
    transit = fit(curve.time_bjd, curve.flux, curve.flux_err, place)
    signal = replace(judged(curve.time_bjd, curve.flux, curve.flux_err, transit), snr=transit.snr)
    return Star(curve, (described(curve, signal, [], SearchSettings()),))


def _searched(
    flattened: Callable[[Sequence[Ephemeris]], CleanCurve],
    settings: SearchSettings | None,
    known: Sequence[Ephemeris],
    on_signal: Callable[[Signal], None],
) -> Star:
    settings = settings or SearchSettings()
    last: list[tuple[int, CleanCurve]] = []

    def without(hidden: Sequence[Ephemeris]) -> tuple[Array, Array, Array] | None:
        places = [*known, *hidden]
        try:
            clean = flattened(places)
        except CleanError:
            if not hidden:
                raise
            return None
        last[:] = [(len(hidden), clean)]
        keep = ~in_transit(clean.time_bjd, places, HIDDEN_DURATIONS)
        if hidden and keep.mean() < LEAST_LEFT:
            return None
        return clean.time_bjd[keep], clean.flux[keep], clean.flux_err[keep]

    dips: list[Dip] = []
    for dip in dips_of(without, settings):
        if dip.orbit is None and not dip.is_lone:
            on_signal(dip.signal)
        dips.append(dip)
    masked, curve = last[0]
    # The search that found nothing more was made with every dip masked.
    if masked != len(dips):
        curve = _or_last(flattened, [*known, *(dip.signal.transit.ephemeris for dip in dips)], curve)
    orbits = [dip for dip in dips if dip.orbit is None and not dip.is_lone]
    seconds = [[dip.signal for dip in dips if dip.orbit == number] for number in range(len(orbits))]
    objects = [_object(orbit.signal, found) for orbit, found in zip(orbits, seconds, strict=True)]
    objects = _beside_each_other(curve, objects, settings)
    kept: dict[int, Signal] = {}
    secure = list(known)
    # Signals of many transits are judged first: those of few are held against the dips that no such signal explains.
    for number in sorted(range(len(objects)), key=lambda i: -objects[i][0].n_transits):
        signal, second = objects[number]
        others = [one.transit.ephemeris for i, pair in enumerate(objects) if i != number for one in pair if one]
        again = _finished(curve, signal, second, ([*known, *others], secure), settings)
        # Of what a better trend takes away nothing is left; what lacks a little to the threshold is told to lack it.
        least = STILL_THERE_FEW if again.n_transits <= FEW_TRANSITS else STILL_THERE
        least = STANDS_OUT if again.doubt == BY_CHANCE else least
        if again.snr >= least * settings.snr_min and again.n_transits >= settings.transits_min:
            kept[number] = again
            if again.doubt is None:
                secure += [again.transit.ephemeris, *second_dips(again)]
    return Star(curve, _apart(_one_each([kept[number] for number in sorted(kept)], curve.time_bjd)))


_Object = tuple[Signal, Signal | None]
"""The deepest dip of an orbit, and the next."""


def _beside_each_other(curve: CleanCurve, objects: Sequence[_Object], settings: SearchSettings) -> list[_Object]:
    """The objects, each at the period that the transits of the others leave it; its second dip is then no dip of its
    own any more."""
    out, points = list(objects), (curve.time_bjd, curve.flux, curve.flux_err)
    for number in sorted(range(len(out)), key=lambda i: -out[i][0].n_transits):
        signal, _ = out[number]
        others = [one.transit for i, (one, _) in enumerate(out) if i != number]
        place = period_beside(points, signal.transit, others)
        if place.period_days != signal.transit.ephemeris.period_days and is_asked(place, points[0], settings):
            out[number] = replace(signal, transit=replace(signal.transit, ephemeris=place)), None
    return out


def _one_each(signals: Sequence[Signal], time: Array) -> tuple[Signal, ...]:
    """One signal for each orbit: two whose periods came out as one after the fit are the deeper and its second dip."""
    kept: list[Signal] = []
    for signal in signals:
        place = signal.transit.ephemeris
        same = next((i for i, one in enumerate(kept) if has_period_of(place, one.transit.ephemeris, time)), None)
        if same is None:
            kept.append(signal)
            continue
        deeper, other = sorted((kept[same], signal), key=lambda one: -one.transit.depth)
        kept[same] = replace(deeper, secondary=deeper.secondary or second_dip(deeper.transit, other.transit))
    return tuple(kept)


def _apart(signals: Sequence[Signal]) -> tuple[Signal, ...]:
    """The signals; of those with nearly one period the weaker are doubted, and the strongest where it is hardly more.

    Orbits so near to each other are not stable. Spots that turn with the star, each at its own latitude, do this.
    """
    out = []
    for signal in signals:
        period = signal.transit.ephemeris.period_days
        beside = [s for s in signals if s is not signal and abs(s.transit.ephemeris.period_days / period - 1) < NEARLY]
        is_beside = signal.doubt is None and not all(_is_clear(signal, other) for other in beside)
        words = "another signal of the star has nearly its period, as spots have"
        out.append(replace(signal, doubt=words) if is_beside else signal)
    return tuple(out)


def _is_clear(signal: Signal, other: Signal) -> bool:
    """Whether the other is too weak, or too shallow, to be of the same kind."""
    return signal.snr >= CLEARLY * other.snr or signal.transit.depth >= CLEARLY * other.transit.depth


def _or_last(
    flattened: Callable[[Sequence[Ephemeris]], CleanCurve], places: Sequence[Ephemeris], last: CleanCurve
) -> CleanCurve:
    try:
        return flattened(places)
    except CleanError:
        return last


def _object(signal: Signal, seconds: Sequence[Signal]) -> tuple[Signal, Signal | None]:
    """Of the dips of one orbit the deepest, and the next."""
    dips = sorted([signal, *seconds], key=lambda dip: -dip.transit.depth)
    same = [dip for dip in dips[1:] if _is_apart(dip.transit.ephemeris, dips[0].transit.ephemeris)]
    return replace(dips[0], sde=signal.sde), same[0] if same else None


def _is_apart(place: Ephemeris, other: Ephemeris) -> bool:
    """Whether a dip is more than what a mask left of another one of its orbit."""
    apart = phase_days(np.array(place.t0), other.period_days, other.t0)
    return bool(abs(apart) > max(place.duration_days, other.duration_days))


def _finished(
    curve: CleanCurve,
    signal: Signal,
    second: Signal | None,
    beside: tuple[list[Ephemeris], list[Ephemeris]],
    settings: SearchSettings,
) -> Signal:
    """The signal fitted to the final curve without the transits of the others, at its own period, and described; as it
    was where it cannot be fitted. `beside`: all other dips of the star, and those that are signals without doubt."""
    others, secure = beside
    points: tuple[Array, Array, Array] = curve.time_bjd, curve.flux, curve.flux_err
    transit = None
    for masked in (others, []):  # where the others leave nothing, as those of a varying star do, they stay in
        keep = ~in_transit(curve.time_bjd, masked)
        points = curve.time_bjd[keep], curve.flux[keep], curve.flux_err[keep]
        try:
            transit = at_own_period(*points, fit(*points, signal.transit.ephemeris), settings)
            transit = _at_seen_period(points, transit, settings)
        except FitError:
            continue
        others = list(masked)
        break
    if transit is None:
        return replace(signal, doubt="no transit can be fitted in the light curve as cleaned last")
    again = replace(judged(*points, transit), sde=signal.sde, snr=transit.snr)
    shortest, _ = limits(curve.time_bjd, settings)
    possible = alternatives(points[0], points[2], transit, shortest, settings.density_sun)
    again = replace(again, period_alternatives_days=possible)
    found = second.transit if second else None
    return described(curve, again, others, settings, second=found, secure=secure)


def _at_seen_period(points: tuple[Array, Array, Array], transit: Trapezoid, settings: SearchSettings) -> Trapezoid:
    """The transit refitted at the time between those that are seen when the others fall into gaps; not at a period
    longer than what is searched."""
    whole = longest_period(points[0], points[2], transit)
    is_longer = whole.period_days != transit.ephemeris.period_days and is_asked(whole, points[0], settings)
    return fit(*points, whole) if is_longer else transit
