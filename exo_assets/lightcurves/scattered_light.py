"""Signals that hang on points flagged for scattered light (TESS, bit 13).

Belongs here: a star's curves without such points, and which signals are found with them alone or without them alone.
Does not belong here: the search.

Scattered light of Earth or Moon makes ramps that look like transits; but the flag is raised for many a point that is
sound, so they are used. A result that hangs on them says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from exo_assets.lightcurves.chain import Star
from exo_assets.lightcurves.curve import SCATTERED_LIGHT, LightCurve, usable
from exo_assets.lightcurves.matching import match
from exo_assets.lightcurves.search import Signal

LEAST_SNR = 7.1
"""A signal that keeps less without the flagged points hangs on them (Jenkins et al. 2002)."""
WITH = "hangs on points flagged for scattered light (bit 13): without them it is not found"
WITHOUT = "found only without the points flagged for scattered light (bit 13)"


def without_scattered(curves: Sequence[LightCurve]) -> list[LightCurve] | None:
    """The curves without their usable points that are flagged for scattered light; None where there are none."""
    marks = [(curve.quality & SCATTERED_LIGHT != 0) & (curve.mission == "tess") for curve in curves]
    if not any((mark & usable(curve)).any() for mark, curve in zip(marks, curves, strict=True)):
        return None
    return [curve.where(~mark) for mark, curve in zip(marks, curves, strict=True) if not mark.all()]


def hanging(star: Star, calm: Star | None) -> list[bool]:
    """Whether each signal of a star hangs on flagged points; `calm` is the star as it was found without them, None
    where too little was left of it."""
    span = float(star.curve.time_bjd[0]), float(star.curve.time_bjd[-1])
    there = [] if calm is None else [s for s in calm.signals if s.snr >= LEAST_SNR]
    return [not _is_among(signal, there, span) for signal in star.signals]


def only_without(star: Star, calm: Star) -> Star:
    """The star without flagged points, and those of its signals that are not found with them."""
    span = float(star.curve.time_bjd[0]), float(star.curve.time_bjd[-1])
    return replace(calm, signals=tuple(s for s in calm.signals if not _is_among(s, star.signals, span)))


def _is_among(signal: Signal, others: Sequence[Signal], span_bjd: tuple[float, float]) -> bool:
    found = match(signal.transit.ephemeris, [other.transit.ephemeris for other in others], span_bjd)
    return found is not None
