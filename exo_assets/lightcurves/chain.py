"""The whole way from a star's segments to its signals.

Belongs here: the order of cleaning and searching. Does not belong here: either of them.

A trend follows shallow transits a little, unless they are masked; they can be masked once they are found. So the curve
is cleaned anew after every signal, from the flux as it was measured, and in the end every signal is fitted once more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.clean import CleanCurve, cleaned, recleaned
from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit
from exo_assets.lightcurves.search import HIDDEN_DURATIONS, SearchSettings, Signal, judged, signals_of
from exo_assets.lightcurves.trapezoid import FitError, fit
from exo_assets.lightcurves.variability import variability_ratio

Array = NDArray[np.float64]


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


def search_curve(curve: CleanCurve, settings: SearchSettings | None = None) -> Star:
    """As `search_star`, from a curve that was cleaned before: whatever was masked then is not masked now.

    Raises CleanError and SearchError.
    """
    return _searched(lambda hidden: recleaned(curve, hidden), settings, (), lambda _: None)


def _searched(
    flattened: Callable[[Sequence[Ephemeris]], CleanCurve],
    settings: SearchSettings | None,
    known: Sequence[Ephemeris],
    on_signal: Callable[[Signal], None],
) -> Star:
    last: list[tuple[int, CleanCurve]] = []

    def without(found: Sequence[Ephemeris]) -> tuple[Array, Array, Array]:
        hidden = [*known, *found]
        clean = flattened(hidden)
        last[:] = [(len(found), clean)]
        keep = ~in_transit(clean.time_bjd, hidden, HIDDEN_DURATIONS)
        return clean.time_bjd[keep], clean.flux[keep], clean.flux_err[keep]

    found = []
    for signal in signals_of(without, settings):
        on_signal(signal)
        found.append(signal)
    places = [signal.transit.ephemeris for signal in found]
    # The search that found nothing more was made with every signal masked.
    masked, curve = last[0]
    if masked != len(found):
        curve = flattened([*known, *places])
    everywhere = [*known, *places]
    again = (_again(curve, signal, everywhere) for signal in found)
    # Of what a better trend takes away nothing is left.
    settings = settings or SearchSettings()
    least = STILL_THERE * settings.snr_min
    kept = (s for s in again if s.snr >= least and s.n_transits >= settings.transits_min)
    return Star(curve, tuple(_described(curve, s, everywhere, settings) for s in kept))


def star_with(segments: Sequence[LightCurve], place: Ephemeris) -> Star:
    """A star with one signal whose ephemeris is known: cleaned with its transits masked, and fitted, not searched for.

    Its SDE is nan, for no spectrum was made. Raises CleanError, SearchError, and FitError without data in transit.
    """
    curve = cleaned(segments, [place])
    transit = fit(curve.time_bjd, curve.flux, curve.flux_err, place)
    signal = judged(curve.time_bjd, curve.flux, curve.flux_err, transit)
    return Star(curve, (replace(signal, snr=transit.snr),))


STILL_THERE = 0.7
"""A signal keeps at least this share of the least SNR when it is fitted to the final curve."""


def _described(curve: CleanCurve, signal: Signal, places: list[Ephemeris], settings: SearchSettings) -> Signal:
    """The signal with what is known of the star beside it."""
    ratio = variability_ratio(curve, signal.transit, places)
    return replace(signal, variability_ratio=ratio, doubt=_doubt(signal, settings))


def _doubt(signal: Signal, settings: SearchSettings) -> str | None:
    """What keeps a signal below the thresholds, in words; None when nothing does."""
    if signal.snr < settings.snr_min:
        return f"SNR {signal.snr:.1f} after the fit is below {settings.snr_min:g}"
    return None


def _again(curve: CleanCurve, signal: Signal, places: Sequence[Ephemeris]) -> Signal:
    """The signal fitted to the final curve, without the transits of the others; as it was where that cannot be."""
    place = signal.transit.ephemeris
    keep = ~in_transit(curve.time_bjd, [p for p in places if p != place])
    points = curve.time_bjd[keep], curve.flux[keep], curve.flux_err[keep]
    try:
        transit = fit(*points, place)
    except FitError:
        return signal
    return replace(judged(*points, transit), sde=signal.sde, snr=transit.snr)
