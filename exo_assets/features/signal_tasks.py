"""What the feature stage does with the light curve of one star.

Belongs here: from a stored curve and the star's signals to rows of diagnostics and views. Does not belong here: the
measurements themselves, and where the work is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from exo_assets.features.diagnostics import as_row, diagnose
from exo_assets.features.signal_contracts import FEAT_DIAGNOSTICS, FEAT_VIEWS
from exo_assets.features.views import ViewError, Views, views
from exo_assets.lightcurves.clean import CleanCurve, remasked_each
from exo_assets.lightcurves.curve_rows import of_rows
from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.search_rows import place_of
from exo_assets.lightcurves.star_contracts import CORE_LIGHT_CURVES, WITHOUT_SCATTERED
from exo_assets.lightcurves.star_tasks import Catalogued, Rows
from exo_assets.lightcurves.trapezoid import FitError, fit

HOURS = 24.0


@dataclass(frozen=True)
class Place:
    """A signal to be measured: its name, where it was found (None: it was not) and where its transits are. `form_of` is
    the catalogued signal that it is at another period, or was found as once more; `scattered_light` is what the search
    tells of it (`core_search`)."""

    signal_id: str
    tce_id: str | None
    origin: str
    ephemeris: Ephemeris
    secondary_phase: float = 0.5
    form_of: str | None = None
    scattered_light: str | None = None

    @property
    def is_calm(self) -> bool:
        """Whether it was found only without the points flagged for scattered light: it is measured without them."""
        return self.scattered_light == WITHOUT_SCATTERED

    def is_one_with(self, other: Place) -> bool:
        """Whether both are forms of one signal: then the transits of one say nothing against the other."""
        return bool({self.signal_id, self.form_of or self.signal_id} & {other.signal_id, other.form_of})


@dataclass(frozen=True)
class SignalWork:
    """A star with a clean curve and its signals."""

    star_id: str
    bucket: str
    density_sun: float
    places: tuple[Place, ...]


def places(catalogued: Sequence[Catalogued], found: Iterable[Mapping[str, Any]]) -> tuple[Place, ...]:
    """The signals of a star: those of the catalogue, where the search found them or else where the catalogue has
    them, and those that only the search found. `found` are rows of `core_search`.

    A harmonic of a catalogued signal is that signal, found at another period: both are measured, each as if the other
    were not there. A catalogued signal without an epoch that was not found cannot be placed, and is left out.
    """
    rows = list(found)
    same = {row["signal_id"]: row for row in reversed(rows) if row["match"] == "same"}
    out = [
        _found_at(s.signal_id, same[s.signal_id])
        if s.signal_id in same
        else Place(s.signal_id, None, "catalogue", s.place)
        for s in catalogued
        if s.signal_id in same or s.is_placed
    ]
    own = {place.tce_id for place in out}
    new = [row for row in rows if row["tce_id"] not in own]
    return (*out, *(_found_at(row["tce_id"], row, form_of=row["signal_id"]) for row in new))


def _found_at(signal_id: str, row: Mapping[str, Any], form_of: str | None = None) -> Place:
    told = row.get("scattered_light")  # a table of before has no such column
    return Place(signal_id, row["tce_id"], "search", place_of(row), form_of=form_of, scattered_light=told)


def others_of(place: Place, of: Sequence[Place]) -> list[Ephemeris]:
    """The star's other signals, whose transits are left out when `place` is measured."""
    return [other.ephemeris for other in of if other is not place and not place.is_one_with(other)]


def diagnose_star(tables: Rows, work: SignalWork) -> pl.DataFrame:
    """The rows of `feat_diagnostics` of one star."""
    rows: list[dict[str, Any]] = []
    for place, curve in zip(work.places, _curves(tables, work), strict=True):
        try:
            transit = fit(curve.time_bjd, curve.flux, curve.flux_err, place.ephemeris)
            others = others_of(place, work.places)
            measured = as_row(diagnose(curve, transit, others=others, density_sun=work.density_sun))
        except (FitError, ValueError) as error:
            rows.append({**_named(place, curve), "reason": str(error)})
            continue
        rows.append({**_named(place, curve, transit.ephemeris), **measured})
    return FEAT_DIAGNOSTICS.conform(pl.DataFrame(rows, schema=_given(rows, FEAT_DIAGNOSTICS.schema)))


def view_star(tables: Rows, work: SignalWork) -> pl.DataFrame:
    """The rows of `feat_views` of one star; its places are those that `feat_diagnostics` fitted."""
    rows = []
    for place, curve in zip(work.places, _curves(tables, work), strict=True):
        try:
            seen = views(curve.time_bjd, curve.flux, place.ephemeris, place.secondary_phase)
        except ViewError as error:
            rows.append({**_named(place, curve), "reason": str(error)})
            continue
        rows.append({**_named(place, curve), **viewed(seen), "stack_view": np.ravel(seen.stack)})
    return as_frame(rows, FEAT_VIEWS.schema)


def viewed(seen: Views) -> dict[str, Any]:
    """The views that the vetter sees, as columns."""
    return {
        "depth": seen.depth,
        "secondary_phase": seen.secondary_phase,
        "global_view": seen.global_view,
        "local_view": seen.local_view,
        "odd_view": seen.odd,
        "even_view": seen.even,
        "secondary_view": seen.secondary,
    }


def as_frame(rows: Sequence[Mapping[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    """Rows with views as a table; what a row lacks is null."""
    return pl.DataFrame([_column(n, [row.get(n) for row in rows], kind) for n, kind in schema.items()])


def _column(name: str, values: list[Any], kind: pl.DataType) -> pl.Series:
    """A column; of arrays some of which are missing polars makes one only from lists."""
    if not isinstance(kind, pl.Array):
        return pl.Series(name, values, dtype=kind)
    lists = [None if value is None else value.tolist() for value in values]
    return pl.Series(name, lists, dtype=pl.List(pl.Float32)).cast(kind)


def _curves(tables: Rows, work: SignalWork) -> list[CleanCurve]:
    """For each signal the star's curve with the transits of all its signals masked while the trend is found."""
    stored = of_rows(tables.star(CORE_LIGHT_CURVES.name, work.bucket, work.star_id))
    return remasked_each(stored, [p.ephemeris for p in work.places], [p.is_calm for p in work.places])


def _named(place: Place, curve: CleanCurve, fitted: Ephemeris | None = None) -> dict[str, Any]:
    where = fitted or place.ephemeris
    return {
        "signal_id": place.signal_id,
        "star_id": curve.target,
        "mission": curve.mission,
        "tce_id": place.tce_id,
        "origin": place.origin,
        "scattered_light": place.scattered_light,
        "period_days": where.period_days,
        "t0_bjd": where.t0,
        "duration_hours": where.duration_days * HOURS,
    }


def _given(rows: Sequence[Mapping[str, Any]], schema: pl.Schema) -> dict[str, Any]:
    names = {name for row in rows for name in row}
    return {name: kind for name, kind in schema.items() if name in names}
