"""Which of a star's light curves are joined, so that no data are lost and photons are counted once.

Belongs here: the choice among products of one stretch of time, and what becomes of the others. Does not belong here:
reading files, and joining what was chosen (`clean.py`).

A stretch is taken from the best product that has it, in the order of `ORDER`: a mission's own light curve at the
cadence that its catalogue was made from comes first, then its faster one, then those of others, and tables last. What a
better product does not cover is taken from the next, when it is a day or more. Of two files of one product the first
given goes before: of users' own, the newer. Every other file, or part of one, is named with the reason.

Within a segment, each product counts as a segment of its own: its level, its trend and its noise are its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.curve import LightCurve, is_flat, usable
from exo_assets.lightcurves.products import TABLE

Mask = NDArray[np.bool_]

ORDER = (
    *("Kepler long cadence", "EVEREST", "K2SFF", "Kepler short cadence", "K2SC", "K2SC program"),
    *("SPOC 2 min", "SPOC 20 s", "TESS-SPOC", "QLP", "TGLC", "eleanor", "CDIPS"),
    *("lightkurve", "FITS", TABLE),
)
"""Products from the best to the last; one that is not named comes with the tables."""
GAP_DAYS = 0.5
"""A longer gap between points ends a stretch."""
LEAST_DAYS = 1.0
"""What a better product does not cover is used when it is as long as this."""
OWN_NUMBERS = 10_000
"""Numbers from here on are of second products of a segment, and of files that do not say theirs."""


@dataclass(frozen=True)
class Unused:
    """Points of a file that are not used: how many, the code of the reason, and the reason in words."""

    file: str
    points: int
    reason: str
    message: str


def joinable(curves: Sequence[LightCurve]) -> tuple[list[LightCurve], list[Unused]]:
    """The light curves of one star and mission that are joined, with the segments that noise is estimated of, and what
    is not used of them. Curves without a usable point are left to whoever cleans them, and named."""
    trended, flat = ([c for c in curves if is_flat(c.flux_kind) == kind] for kind in (False, True))
    kinds = [_once(group) for group in (trended, flat) if group]
    if len(kinds) == 2 and _days(kinds[1][0]) > _days(kinds[0][0]):
        kinds.reverse()
    used, unused = kinds[0] if kinds else ([], [])
    for others, left in kinds[1:]:
        unused += left
        said = (
            "its trend was taken out before, unlike that of most"
            if others and is_flat(others[0].flux_kind)
            else ("it has its trend, unlike most")
        )
        unused += [
            Unused(c.origin.file, len(c), "other_trend", f"{_called(c)}: {said}; no trend fits both") for c in others
        ]
    return _numbered(used), unused


def _once(curves: Sequence[LightCurve]) -> tuple[list[LightCurve], list[Unused]]:
    """Curves of which no two hold the same photons."""
    used: list[LightCurve] = []
    unused: list[Unused] = []
    covered: list[tuple[float, float, LightCurve]] = []
    for curve in sorted(curves, key=_rank):
        good = usable(curve)
        if not good.any():
            if len(curves) == 1:
                used.append(curve)
                continue
            said = f"{_called(curve)}: its quality flags leave no point"
            unused.append(Unused(curve.origin.file, len(curve), "no_usable_point", said))
            continue
        hidden = _inside(curve.time_bjd, covered)
        kept = ~hidden
        if hidden[good].any():
            kept = _left(curve, good, hidden)
            better = ", ".join(dict.fromkeys(_called(by) for by in _covering(curve, covered)))
            if not kept.any():
                said = f"{_called(curve)}: the photons of {better}, which goes before it"
                unused.append(Unused(curve.origin.file, len(curve), "other_product", said))
                continue
            said = f"{_called(curve)}: {int((~kept).sum()):,} of {len(curve):,} points are the photons of {better}"
            unused.append(Unused(curve.origin.file, int((~kept).sum()), "other_product_in_part", said))
        part = curve if kept.all() else curve.where(kept)
        used.append(part)
        covered += [(first, last, part) for first, last in _stretches(part.time_bjd[usable(part)])]
    return used, unused


def _rank(curve: LightCurve) -> int:
    product = curve.origin.product
    return ORDER.index(product) if product in ORDER else len(ORDER)


def _called(curve: LightCurve) -> str:
    product = curve.origin.product or TABLE
    return f"{product} ({curve.origin.file})" if curve.origin.file else product


def _stretches(time: NDArray[np.float64]) -> list[tuple[float, float]]:
    """First and last time of pieces without a gap; `time` ascends."""
    breaks = np.flatnonzero(np.diff(time) > GAP_DAYS)
    return list(zip(time[np.r_[0, breaks + 1]].tolist(), time[np.r_[breaks, time.size - 1]].tolist(), strict=True))


def _inside(time: NDArray[np.float64], covered: Sequence[tuple[float, float, LightCurve]]) -> Mask:
    inside = np.zeros(time.size, bool)
    for first, last, _ in covered:
        inside[np.searchsorted(time, first, "left") : np.searchsorted(time, last, "right")] = True
    return inside


def _covering(curve: LightCurve, covered: Sequence[tuple[float, float, LightCurve]]) -> list[LightCurve]:
    first, last = curve.time_bjd[0], curve.time_bjd[-1]
    return [by for start, end, by in covered if start <= last and end >= first]


def _left(curve: LightCurve, good: Mask, hidden: Mask) -> Mask:
    """The points that a better product leaves: stretches that it does not touch, and of others the parts that it does
    not cover and that are a day long."""
    kept = np.zeros(len(curve), bool)
    time = curve.time_bjd
    for first, last in _stretches(time[good]):
        inside = (time >= first) & (time <= last)
        if not (inside & hidden).any():
            kept |= inside
            continue
        uncovered = time[inside & good & ~hidden]
        for start, end in _stretches(uncovered) if uncovered.size else []:
            if end - start >= LEAST_DAYS:
                kept |= (time >= start) & (time <= end) & ~hidden
    return kept


def _days(curves: Sequence[LightCurve]) -> float:
    """Days with points, of all curves."""
    return sum(last - first for c in curves for first, last in _stretches(c.time_bjd[usable(c)]) if usable(c).any())


def _numbered(curves: Sequence[LightCurve]) -> list[LightCurve]:
    """The curves with a number for each segment and product; a segment's first product keeps the segment's own."""
    owners: dict[int, object] = {}
    out = []
    for place, curve in enumerate(curves):
        numbers = np.unique(curve.segment)
        fresh = {}
        for number in numbers.tolist():
            owner: object = (curve.origin.product, number)
            if curve.origin.product in ("", TABLE) and number == 0:
                owner = (place, number)  # a file that does not say its segment
            free = next(n for n in (number, *range(OWN_NUMBERS, 2 * OWN_NUMBERS)) if owners.get(n, owner) == owner)
            owners[free] = owner
            fresh[number] = free
        if all(old == new for old, new in fresh.items()):
            out.append(curve)
            continue
        segment = np.array([fresh[n] for n in numbers.tolist()], np.int32)[np.searchsorted(numbers, curve.segment)]
        out.append(replace(curve, segment=segment))
    return out
