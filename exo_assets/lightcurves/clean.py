"""From points as they were measured to a flat, stitched light curve, with nothing lost of a transit.

Belongs here: choosing points, joining segments, outliers, noise figures, and the order of these steps. Does not belong
here: trends (`detrend.py`) and files.

A curve that came flat keeps its flux: its trend is one, whatever is masked. A second trend, found in what a first one
left, would take from the transits. Gaps stay gaps. Outliers are clipped upwards only: downwards they may be a transit.
The trend is kept beside the flux.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.curve import (
    ARRAYS,
    UNKNOWN_STAR,
    HeaderStar,
    LightCurve,
    is_flat,
    near_dump,
    scattered,
    usable,
)
from exo_assets.lightcurves.detrend import (
    WINDOW_DAYS,
    WINDOW_DURATIONS,
    biweight_trend,
    pieces,
    point_to_point_sigma,
    robust_sigma,
)
from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

UPWARD_SIGMA = 4.0
"""Points so far above the trend are left out."""
EDGE_DAYS = 0.5
"""Points so near to the end of a piece are flagged: trends are least certain there."""
CDPP_HOURS = (1.0, 3.0, 6.0)
RESOLUTION_DIGITS = 8
"""Digits of a relative flux in which two values are told apart: single precision has seven."""
RED_HOURS, RED_EXCESS = 3.0, 2.0
"""Averages over so many hours may be so much noisier than white noise before the trend is made to follow the star."""
CURVED_WINDOWS_DAYS = (1.5, 1.0, 0.7, 0.5, 0.35)
"""Windows for parabolas, tried from the widest on. A window takes from transits longer than a third of it."""
MIN_POINTS = 100


class CleanError(ValueError):
    """Nothing to search is left of a light curve; the message says why."""


@dataclass(frozen=True)
class CleanCurve:
    """A flat light curve: `flux` is relative about one, `flux_err` the noise of its segment, `trend` what was divided
    out (relative to the segment's median): in a window of `window_days`, by parabolas where it `is_curved`; one, and no
    window (nan), in a curve that came flat. `column`, `row`: centroid, pixels, nan where unknown. `is_scattered`:
    points flagged for scattered light. `cdpp_ppm` holds the noise at 1, 3 and 6 hours."""

    target: str
    mission: str
    flux_kind: str
    time_bjd: Array
    flux: Array
    flux_err: Array
    trend: Array
    segment: NDArray[np.int32]
    column: Array
    row: Array
    is_edge: Mask
    is_near_dump: Mask
    is_scattered: Mask
    n_unusable: int
    n_outliers: int
    cdpp_ppm: tuple[float, ...]
    window_days: float = WINDOW_DAYS
    is_curved: bool = False
    star: HeaderStar = UNKNOWN_STAR

    def where(self, chosen: Mask) -> CleanCurve:
        """The chosen points; counts and noise figures stay those of the whole."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in CLEAN_ARRAYS})

    def without_scattered(self) -> CleanCurve | None:
        """The curve without the points flagged for scattered light; None where there are none."""
        return self.where(~self.is_scattered) if self.is_scattered.any() else None


CLEAN_ARRAYS = (
    *("time_bjd", "flux", "flux_err", "trend", "segment", "column", "row"),
    *("is_edge", "is_near_dump", "is_scattered"),
)


def stitched(curves: Sequence[LightCurve]) -> LightCurve:
    """The segments of one star as one curve, ascending in time, each divided by the median of its usable points.

    CleanError when they are of several stars, some came flat and others did not, or a segment has no usable points
    at all (it is left out when others have). A point that two files have in common is kept once.
    """
    stars = {(c.target, c.mission) for c in curves}
    if len(stars) != 1:
        raise CleanError(f"light curves of {len(stars)} stars cannot be joined: {sorted(stars)}")
    if len({is_flat(c.flux_kind) for c in curves}) != 1:
        raise CleanError(
            f"{curves[0].target or 'the star'}: some of its segments came flat and others did not, and no trend fits "
            "both: import all of them flat, or none"
        )
    levels = [float(np.median(c.flux[usable(c)])) if usable(c).any() else float("nan") for c in curves]
    sound = [
        replace(c, flux=c.flux / level, flux_err=c.flux_err / level)
        for c, level in zip(curves, levels, strict=True)
        if np.isfinite(level) and level > 0
    ]
    if not any(usable(c).any() for c in curves):
        raise CleanError(
            f"{curves[0].target or 'the star'}: the quality flags leave no point of {sum(map(len, curves)):,}"
        )
    if not sound:
        raise CleanError(
            f"{curves[0].target or 'the star'}: no segment has usable points with a median flux above zero (to a flux "
            "about zero, add one)"
        )
    points: dict[str, Any] = {name: np.concatenate([getattr(c, name) for c in sound]) for name in ARRAYS}
    joined = replace(sound[0], flux_kind="+".join(sorted({c.flux_kind for c in sound})), **points)
    order = np.unique(joined.time_bjd, return_index=True)[1]
    return joined.where(order)


def cleaned(
    curves: Sequence[LightCurve], known: Sequence[Ephemeris] = (), *, window_days: float = WINDOW_DAYS
) -> CleanCurve:
    """The flat curve of one star; the transits of `known` signals are masked while the trend is found.

    The window grows to three durations of the longest known transit. Curves that came flat have no trend to find.
    CleanError when fewer than 100 points are left.
    """
    whole = stitched(curves)
    good = usable(whole)
    curve, beside_dump = whole.where(good), near_dump(whole)[good]
    return _flattened(
        CleanCurve(
            target=curve.target,
            mission=curve.mission,
            flux_kind=curve.flux_kind,
            time_bjd=curve.time_bjd,
            flux=curve.flux,
            flux_err=curve.flux_err,
            trend=np.ones(len(curve)),
            segment=curve.segment,
            column=curve.column,
            row=curve.row,
            is_edge=np.zeros(len(curve), dtype=bool),
            is_near_dump=beside_dump,
            is_scattered=scattered(curve),
            n_unusable=int((~good).sum()),
            n_outliers=0,
            cdpp_ppm=(),
            star=curve.star,
        ),
        known,
        window_days,
    )


def recleaned(curve: CleanCurve, known: Sequence[Ephemeris] = (), *, window_days: float = WINDOW_DAYS) -> CleanCurve:
    """`curve` with its trend found anew, from the flux before it was made flat; `known` transits are masked.

    No further points are left out: clipped again and again, noise would lose its upper half.
    """
    raw = replace(curve, flux=curve.flux * curve.trend, trend=np.ones(curve.flux.size))
    return _flattened(raw, known, window_days, upward_sigma=np.inf)


def remasked(curve: CleanCurve, known: Sequence[Ephemeris]) -> CleanCurve:
    """`recleaned`, or the curve as it is where `known` masks so much that no trend is left to find: the dips of a star
    that varies do."""
    try:
        return recleaned(curve, known)
    except CleanError:
        return curve


def remasked_each(curve: CleanCurve, known: Sequence[Ephemeris], is_calm: Sequence[bool]) -> list[CleanCurve]:
    """The curve on which each of the star's `known` signals is measured: `remasked`, and without the points flagged for
    scattered light where the signal was found only without them (`is_calm`)."""
    calm = curve.without_scattered() or curve
    made = {kind: remasked(calm if kind else curve, known) for kind in set(is_calm)}
    return [made[kind] for kind in is_calm]


def _flattened(
    curve: CleanCurve, known: Sequence[Ephemeris], window_days: float, upward_sigma: float = UPWARD_SIGMA
) -> CleanCurve:
    """The curve divided by its trend, without the points far above it."""
    if is_flat(curve.flux_kind):
        trend, window, is_curved = np.ones(curve.flux.size), float("nan"), False
    else:
        window = max([window_days, *(WINDOW_DURATIONS * place.duration_days for place in known)])
        trend, window, is_curved = _trend(curve, in_transit(curve.time_bjd, known), window, least=window - window_days)
    flat = curve.flux / trend
    noise = _noise(flat, trend, curve.segment)
    outlier = flat > 1 + upward_sigma * noise
    keep = np.isfinite(flat) & (trend > 0) & ~outlier
    if keep.sum() < MIN_POINTS:
        raise CleanError(
            f"{curve.target or 'the star'}: {keep.sum()} points of {keep.size} are left; {MIN_POINTS} are needed "
            f"({curve.n_unusable} were left out for their quality flags, {np.isnan(trend).sum()} have no trend, "
            f"{outlier.sum()} lie above it)"
        )
    kept = replace(curve, flux=flat, trend=trend).where(keep)
    time, flat = kept.time_bjd, kept.flux
    return replace(
        kept,
        flux_err=_noise(flat, kept.trend, kept.segment),
        is_edge=_edges(time),
        n_outliers=curve.n_outliers + int(outlier.sum()),
        cdpp_ppm=tuple(cdpp_ppm(time, flat, hours) for hours in CDPP_HOURS),
        window_days=window,
        is_curved=is_curved,
    )


def _trend(curve: CleanCurve, masked: Mask, window_days: float, least: float) -> tuple[Array, float, bool]:
    """The trend, the window that it took, and whether parabolas were fitted in it.

    Lines in a wide window serve most stars. One that varies within the window leaves crests and troughs, which a search
    takes for transits: there parabolas are fitted, in the widest window that leaves averages over three hours no more
    than twice as noisy as white noise. No window is narrower than `least`.
    """
    narrower = [(days, True) for days in CURVED_WINDOWS_DAYS if least <= days <= window_days]
    for days, is_curved in [(window_days, False), *narrower]:
        trend = biweight_trend(
            curve.time_bjd, curve.flux, masked=masked, segment=curve.segment, window_days=days, is_curved=is_curved
        )
        if _red_excess(curve, trend, masked) <= RED_EXCESS:
            break
    return trend, days, is_curved


def _red_excess(curve: CleanCurve, trend: Array, masked: Mask) -> float:
    """Noise of three-hour averages over that of white noise with the same difference of neighbours; the median segment.

    Points in known transits do not count. 0 where there is too little to tell.
    """
    flat = curve.flux / trend
    counts = np.isfinite(flat) & ~masked
    found = []
    for number in np.unique(curve.segment):
        chosen = counts & (curve.segment == number)
        if chosen.sum() < MIN_POINTS:
            continue
        time, values = curve.time_bjd[chosen], flat[chosen]
        white = point_to_point_sigma(values) * np.sqrt(float(np.median(np.diff(time))) / (RED_HOURS / 24)) * 1e6
        red = cdpp_ppm(time, values, RED_HOURS)
        if white > 0 and np.isfinite(red):
            found.append(red / white)
    return float(np.median(found)) if found else 0.0


def _noise(flat: Array, trend: Array, segment: NDArray[np.int32]) -> Array:
    """Noise of a point, one value for each segment: from neighbours' differences, or the scatter when that is more, or
    what rounding leaves of the flux (`flat` times `trend`).

    The scatter (1.4826 MAD) is more where the trend could not follow the star. It then counts as noise: its crests are
    no outliers. A flux rounded to steps as large as its noise is mostly one value, and has no scatter at all.
    """
    out = np.full(flat.size, np.nan)
    for number in np.unique(segment):
        chosen = segment == number
        known = flat[chosen & np.isfinite(flat)]
        if known.size > 2:
            rounding = _step((flat * trend)[chosen & np.isfinite(flat)]) / np.sqrt(12)
            out[chosen] = max(point_to_point_sigma(known), robust_sigma(known), rounding, 1e-9)
    return out


def _step(flux: Array) -> float:
    """The step to which a relative flux is rounded: the usual distance of one value to the next where most values come
    again, else 0. Rounding leaves an error of the step over the root of twelve (a uniform distribution's deviation)."""
    values = np.unique(np.round(flux, RESOLUTION_DIGITS))
    return float(np.median(np.diff(values))) if 1 < values.size < flux.size / 2 else 0.0


def _edges(time: Array) -> Mask:
    near = np.zeros(time.size, dtype=bool)
    for piece in pieces(time):
        t = time[piece]
        near[piece] = (t - t[0] < EDGE_DAYS) | (t[-1] - t < EDGE_DAYS)
    return near


def cdpp_ppm(time: Array, flat: Array, hours: float) -> float:
    """Noise of averages over `hours`, parts per million; nan for curves that have none of that length.

    A robust standard deviation (1.4826 MAD) of the flux averaged over bins of that length that are at least half full:
    the idea of the Combined Differential Photometric Precision (Christiansen et al. 2012; Gilliland et al. 2011,
    section 3, whose estimate this follows), without whitening.
    """
    width = hours / 24
    cadence = float(np.median(np.diff(time)))
    if cadence > width:
        return float("nan")
    bins = ((time - time[0]) / width).astype(np.int64)
    _, first, count = np.unique(bins, return_index=True, return_counts=True)
    mean = np.add.reduceat(flat, first) / count
    full = mean[count >= 0.5 * width / cadence]
    if full.size < 3:
        return float("nan")
    return robust_sigma(full) * 1e6
