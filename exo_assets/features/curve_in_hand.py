"""What the vetter sees of signals in a light curve that is at hand, not in the lake.

Belongs here: the steps of `feat_diagnostics` and `feat_views` for one star, so that a curve is judged as the night
judges it. Does not belong here: the measurements (diagnostics.py, views.py), searching, or the judgement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from exo_assets.features.diagnostics import as_row, diagnose
from exo_assets.features.from_light_curves import CURVE_NAMES, PREFIX
from exo_assets.features.seen_views import SEEN_VIEWS, VIEWS, Floats, stacked_views
from exo_assets.features.signal_tasks import Place, others_of, places, viewed
from exo_assets.features.views import ViewError, views
from exo_assets.lightcurves.clean import CleanCurve, remasked_each
from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.star_tasks import Catalogued
from exo_assets.lightcurves.trapezoid import FitError, fit


@dataclass(frozen=True)
class Seen:
    """Of one signal: `diagnostics` by name, null where one cannot be measured, or empty and `no_diagnostics` says why;
    `views` (VIEWS_WIDTH,), or None and `no_views` says why."""

    diagnostics: Mapping[str, float | int | None]
    views: Floats | None
    no_diagnostics: str | None = None
    no_views: str | None = None


def seen_of_found(
    curve: CleanCurve, catalogued: Sequence[Catalogued], found: Sequence[Mapping[str, Any]], density_sun: float
) -> list[Seen]:
    """`seen_on` of each of `found` (rows of `core_search`), beside those that the catalogue has on the star."""
    wanted = places(catalogued, found)
    of_tce = {place.tce_id: seen for place, seen in zip(wanted, seen_on(curve, wanted, density_sun), strict=True)}
    return [of_tce[row["tce_id"]] for row in found]


def seen_on(curve: CleanCurve, of: Sequence[Place], density_sun: float) -> list[Seen]:
    """Diagnostics and views of each of a star's signals, all of which `of` has; `density_sun` is nan when unknown.

    As the night does it: signals are fitted and measured with the transits of all masked while the trend is found, and
    the views are made around the fitted ephemerides, which then are what is masked. A signal found only without points
    flagged for scattered light is seen without them.
    """
    is_calm = [place.is_calm for place in of]
    fitted, measured, lacking = [place.ephemeris for place in of], [], []
    masked_each = remasked_each(curve, fitted, is_calm)
    for number, (place, masked) in enumerate(zip(of, masked_each, strict=True)):
        row: Mapping[str, float | int | None] = {}
        problem = None
        try:
            transit = fit(masked.time_bjd, masked.flux, masked.flux_err, place.ephemeris)
            row = as_row(diagnose(masked, transit, others=others_of(place, of), density_sun=density_sun))
            fitted[number] = transit.ephemeris
        except (FitError, ValueError) as error:
            problem = str(error)
        measured.append(row)
        lacking.append(problem)
    again = remasked_each(curve, fitted, is_calm)
    return [_viewed(*about) for about in zip(again, fitted, measured, lacking, strict=True)]


def _viewed(
    curve: CleanCurve, place: Ephemeris, measured: Mapping[str, float | int | None], problem: str | None
) -> Seen:
    phase = measured.get("secondary_phase")
    try:
        made = views(curve.time_bjd, curve.flux, place, 0.5 if phase is None else phase)
    except ViewError as error:
        return Seen(measured, None, problem, str(error))
    by_name = {name: value[None] for name, value in viewed(made).items() if name in SEEN_VIEWS}
    return Seen(measured, stacked_views(by_name, np.zeros(1, dtype=np.int64))[0], problem)


def beside(signals: pl.DataFrame, seen: Sequence[Seen]) -> pl.DataFrame:
    """`signals`, a row for each of `seen`, with the columns CURVE_NAMES and VIEWS."""
    columns = [
        pl.Series(name, [one.diagnostics.get(name.removeprefix(PREFIX)) for one in seen], pl.Float64, strict=False)
        for name in CURVE_NAMES
    ]
    lists = [None if one.views is None else one.views.tolist() for one in seen]
    return signals.with_columns(*columns, pl.Series(VIEWS, lists, pl.List(pl.Float32)))
