"""Vetting diagnostics of a signal, from its light curve alone.

Belongs here: which measurements make up the diagnostics, and the points that they see. Does not belong here: any of the
measurements; each is described beside its formula, in the module of its family. Not measured, because light curves do
not hold it: halo against core flux (ghosts), difference images, matches with the ephemerides of other stars.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exo_assets.contracts import Column
from exo_assets.features.centroids import CentroidShift, centroid_shift
from exo_assets.features.event_series import event_series, grid
from exo_assets.features.measured import columns_of
from exo_assets.features.model_shift import ModelShift, model_shift
from exo_assets.features.sinusoid import Sinusoids, sinusoids
from exo_assets.features.transit_shape import TransitShape, folded_bins, transit_shape
from exo_assets.features.transit_statistics import Coverage, TransitStatistics, coverage, transit_statistics
from exo_assets.lightcurves.clean import CleanCurve
from exo_assets.lightcurves.ephemeris import MASKED_DURATIONS, Ephemeris, in_transit, phase_days
from exo_assets.lightcurves.transit_depths import average_depth, single_depths
from exo_assets.lightcurves.trapezoid import Trapezoid

Array = NDArray[np.float64]

FAMILIES = (Coverage, TransitStatistics, ModelShift, TransitShape, Sinusoids, CentroidShift)
COLUMNS: tuple[Column, ...] = columns_of(FAMILIES)
"""One column for each diagnostic."""
CLIP_SIGMA = 5.0


class DiagnosticsError(ValueError):
    """The ephemeris is none, or the curve has no points; the message says why."""


@dataclass(frozen=True)
class Diagnostics(CentroidShift, Sinusoids, TransitShape, ModelShift, TransitStatistics, Coverage):
    """All diagnostics of one signal, flat; nan where one could not be measured. `COLUMNS` describes each."""


def diagnose(
    curve: CleanCurve, transit: Trapezoid, *, others: Sequence[Ephemeris] = (), density_sun: float = math.nan
) -> Diagnostics:
    """Everything that a flat light curve tells of one of its signals.

    `others`: the star's other signals, not this one; their transits are left out. `density_sun`: the mean density of
    the star over the Sun's, nan when unknown. DiagnosticsError for an ephemeris that is none.
    """
    place = transit.ephemeris
    run, cover_days, cadence = _stretches(curve)
    _checked(transit, cadence)
    # A segment of one or two points has no noise of its own: they weigh nothing.
    kept = ~in_transit(curve.time_bjd, others) & (curve.flux_err > 0)
    time, flux = curve.time_bjd[kept], curve.flux[kept]
    weight = curve.flux_err[kept] ** -2
    run, cover_days = run[kept], cover_days[kept]
    x = phase_days(time, place.period_days, place.t0)
    level = _level(flux, curve.flux_err[kept], np.abs(x) > place.duration_days)
    with np.errstate(all="ignore"):  # what has no value becomes nan
        seen, observed = coverage(
            time,
            cover_days,
            place,
            ends=(float(curve.time_bjd[0]), float(curve.time_bjd[-1])),
            near=(curve.is_edge[kept], curve.is_near_dump[kept]),
        )
        on = grid(time, transit, cadence)
        series = event_series(on, transit, level - flux, weight, cover_days)
        depths = single_depths(time, flux, curve.flux_err[kept], transit, level=level)
        inflation = average_depth(depths, series.red_noise)[1] / average_depth(depths)[1]
        away = np.abs(x) > MASKED_DURATIONS * place.duration_days
        parts = (
            seen,
            transit_statistics(depths, observed, series, place),
            model_shift(series, place),
            transit_shape(folded_bins(x, level - flux, weight, place.duration_days), transit, density_sun, inflation),
            sinusoids(time[away], (flux * curve.trend[kept])[away], weight[away], run[away], place.period_days),
            centroid_shift(on, transit, (curve.column[kept], curve.row[kept]), cover_days, run),
        )
    values: dict[str, Any] = {f.name: getattr(part, f.name) for part in parts for f in fields(part)}
    values.update({name: math.nan for name, value in values.items() if not math.isfinite(value)})
    return Diagnostics(**values)


def as_row(found: Diagnostics) -> dict[str, float | int | None]:
    """The diagnostics as a row of a table, in the order of `COLUMNS`: None where nan."""
    return {c.name: None if math.isnan(v := getattr(found, c.name)) else v for c in COLUMNS}


def _checked(transit: Trapezoid, cadence_days: float) -> None:
    place = transit.ephemeris
    if not (
        np.isfinite([place.period_days, place.t0, place.duration_days]).all()
        and 0 < place.duration_days < place.period_days
        and 0 <= transit.ingress_share <= 0.5
    ):
        raise DiagnosticsError(
            f"no transit: period {place.period_days} d, duration {place.duration_days} d, epoch {place.t0}, ingress "
            f"{transit.ingress_share} of the duration"
        )
    if place.period_days < 2 * cadence_days:
        raise DiagnosticsError(f"a period of {place.period_days} d is not seen by one point in {cadence_days:g} d")


def _stretches(curve: CleanCurve) -> tuple[NDArray[np.int64], Array, float]:
    """The stretch of data (run of one segment) of each point, from 0, the time that it stands for, and the cadence."""
    time = curve.time_bjd
    if time.size < 2:
        raise DiagnosticsError(f"{curve.target or 'the star'}: a curve of {time.size} points")
    run = np.concatenate([[0], np.cumsum(np.diff(curve.segment) != 0)])
    steps = np.diff(time)
    cadence = float(np.median(steps))
    cover = np.empty(time.size)
    ends = np.searchsorted(run, np.arange(int(run[-1]) + 2))
    for a, b in pairwise(ends):
        cover[a:b] = np.median(steps[a : b - 1]) if b - a > 1 else cadence
    return run, cover, cadence


def _level(flux: Array, flux_err: Array, away: NDArray[np.bool_]) -> float:
    """Weighted mean out of transit, without points five times their error off the median; nan when there are none."""
    if not away.any():
        return math.nan
    f, e = flux[away], flux_err[away]
    near = np.abs(f - np.median(f)) <= CLIP_SIGMA * e
    return float(np.average(f[near], weights=e[near] ** -2)) if near.any() else math.nan
