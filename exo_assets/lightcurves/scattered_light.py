"""Signals that hang on points flagged for scattered light (TESS, bit 13).

Belongs here: a star searched with such points and without them, and which signals and single transits are found in one
way alone. Does not belong here: the search.

Scattered light of Earth or Moon makes ramps that look like transits; but the flag is raised for many a point that is
sound, so they are used. A result that hangs on them says so, and a signal that is found in one way alone is below the
thresholds: false alarms are as frequent among such as planets are (`benchmarks/scattered_light.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from exo_assets.lightcurves.chain import Star
from exo_assets.lightcurves.clean import CleanCurve, CleanError
from exo_assets.lightcurves.curve import LightCurve, scattered, usable
from exo_assets.lightcurves.matching import match
from exo_assets.lightcurves.search import SearchError, SearchSettings, Signal
from exo_assets.lightcurves.single_transits import SingleTransit, dips_that_repeat, single_transits
from exo_assets.lightcurves.star_contracts import WITH_SCATTERED, WITHOUT_SCATTERED
from exo_assets.lightcurves.trapezoid import FitError

Curves = TypeVar("Curves", CleanCurve, list[LightCurve])


@dataclass(frozen=True)
class Tried:
    """A star searched with the points flagged for scattered light, and without them where there are such.

    `told`: of each signal of `star` the words of `core_search` on it, or None. `calm`: the star without flagged points
    and those of its signals that are not found with them; None where it was not searched so, and `problem` says why
    where it could not be.
    """

    star: Star
    told: tuple[str | None, ...]
    calm: Star | None = None
    problem: str | None = None

    @property
    def signals(self) -> tuple[tuple[Signal, str | None, CleanCurve], ...]:
        """Every signal, what is told of it, and the curve in which it was found."""
        found = [(*pair, self.star.curve) for pair in zip(self.star.signals, self.told, strict=True)]
        only = [(signal, WITHOUT_SCATTERED, self.calm.curve) for signal in self.calm.signals] if self.calm else []
        return (*found, *only)


def with_and_without(whole: Curves, calm: Curves | None, search: Callable[[Curves], Star]) -> Tried:
    """The star as `search` finds it in `whole`, and in `calm`, which has no flagged points; None: there are none.

    Raises what `search` raises on `whole`.
    """
    star = search(whole)
    if calm is None:
        return Tried(star, (None,) * len(star.signals))
    try:
        again = search(calm)
    except (CleanError, SearchError, FitError) as error:
        return Tried(star, (WITH_SCATTERED,) * len(star.signals), None, str(error))
    span = float(star.curve.time_bjd[0]), float(star.curve.time_bjd[-1])
    least = SearchSettings().snr_min
    there = [signal for signal in again.signals if signal.snr >= least]
    told = tuple(None if _is_among(signal, there, span) else WITH_SCATTERED for signal in star.signals)
    only = tuple(
        replace(signal, doubt=signal.doubt or WITHOUT_SCATTERED)
        for signal in again.signals
        if not _is_among(signal, star.signals, span)
    )
    ranked = tuple(replace(one, doubt=one.doubt or why) for one, why in zip(star.signals, told, strict=True))
    return Tried(replace(star, signals=ranked), told, replace(again, signals=only))


def without_scattered(curves: Sequence[LightCurve]) -> list[LightCurve] | None:
    """The curves without their points that are flagged for scattered light; None where no usable point is."""
    marks = [scattered(curve) for curve in curves]
    if not any((mark & usable(curve)).any() for mark, curve in zip(marks, curves, strict=True)):
        return None
    return [curve.where(~mark) for mark, curve in zip(marks, curves, strict=True) if not mark.all()]


def singles_told(
    curve: CleanCurve, signals: Sequence[tuple[Signal, str | None]], density_sun: float
) -> tuple[tuple[SingleTransit, str | None], ...]:
    """`single_transits` of a star, with and without points flagged for scattered light, the most significant first, and
    what is told of each: the words of `core_single_search`, or None.

    Those of `signals` (with what is told of each) are left out; without flagged points those that hang on them are not.
    """
    found = single_transits(curve, dips_that_repeat([signal for signal, _ in signals]), density_sun)
    calm = curve.without_scattered()
    if calm is None:
        return tuple((event, None) for event in found)
    standing = [signal for signal, told in signals if told != WITH_SCATTERED]
    again = single_transits(calm, dips_that_repeat(standing), density_sun)
    both = [(event, None if _is_then(event, again) else WITH_SCATTERED) for event in found]
    only = [(event, WITHOUT_SCATTERED) for event in again if not _is_then(event, found)]
    return tuple(sorted([*both, *only], key=lambda pair: -pair[0].snr))


def _is_then(event: SingleTransit, others: Sequence[SingleTransit]) -> bool:
    half = event.transit.ephemeris.duration_days / 2
    return any(abs(event.time_bjd - other.time_bjd) < half for other in others)


def _is_among(signal: Signal, others: Sequence[Signal], span_bjd: tuple[float, float]) -> bool:
    found = match(signal.transit.ephemeris, [other.transit.ephemeris for other in others], span_bjd)
    return found is not None
