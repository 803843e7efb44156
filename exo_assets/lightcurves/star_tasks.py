"""What each stage does with one star.

Belongs here: from a star's stored inputs to its rows. Does not belong here: the science, which lies beside, and where
the work is done.

The readers are those parts of the lake that a stage needs; on a cluster they read on the machine that does the work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from exo_assets.lightcurves.chain import search_curve
from exo_assets.lightcurves.clean import cleaned
from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.curve_rows import of_rows, to_rows
from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.joining import Unused, joinable
from exo_assets.lightcurves.matching import match
from exo_assets.lightcurves.scattered_light import Tried, singles_told, with_and_without
from exo_assets.lightcurves.search import SearchSettings
from exo_assets.lightcurves.search_rows import measured, measured_once, signal_of
from exo_assets.lightcurves.single_transits import SingleTransit
from exo_assets.lightcurves.star_contracts import CORE_LIGHT_CURVES, CORE_SEARCH, CORE_SINGLE_SEARCH
from exo_assets.lightcurves.stored import read_curve

File = tuple[str, str, str]
"""Key in the lake, name and SHA-256 of a file."""
SIGNALS_MAX = 10
"""Most signals of a star: two more than Kepler-90 has."""


class Blobs(Protocol):
    """The part of the lake that holds files."""

    def get(self, key: str) -> bytes:
        """Bytes under a key."""


class Rows(Protocol):
    """The part of the lake that holds rows of stars."""

    def star(self, table: str, partition: str, star_id: str) -> pl.DataFrame:
        """The rows of one star."""


@dataclass(frozen=True)
class Catalogued:
    """A catalogued signal; epoch and duration are nan where the catalogue has none."""

    signal_id: str
    place: Ephemeris

    @property
    def is_placed(self) -> bool:
        """Whether the catalogue says where its transits are."""
        return bool(np.isfinite([self.place.period_days, self.place.t0, self.place.duration_days]).all())


@dataclass(frozen=True)
class CleanWork:
    """Files of a star (key, name, SHA-256), and what the catalogue knows of its signals."""

    star_id: str
    files: tuple[File, ...]
    catalogued: tuple[Catalogued, ...]


@dataclass(frozen=True)
class SearchWork:
    """A star with a clean curve; `density_sun` is nan where the catalogue does not know it."""

    star_id: str
    bucket: str
    density_sun: float
    catalogued: tuple[Catalogued, ...]


def star_curves(blobs: Blobs, star_id: str, files: Sequence[File]) -> tuple[list[LightCurve], list[Unused]]:
    """The light curves of a star that are joined, and what is not used of its files.

    LightCurveFileError when not one of them can be read; OSError for a file that is not what was recorded when it was
    kept: the lake's damage, not the star's, and mended by fetching it again.
    """
    curves, unread = [], []
    for key, name, digest in files:
        data = blobs.get(key)
        if hashlib.sha256(data).hexdigest() != digest:
            raise OSError(f"{key} in the lake is not the file that was kept; delete it, and it is fetched again")
        try:
            curves.append(read_curve(data, name, star_id))
        except LightCurveFileError as error:
            if len(files) == 1:
                raise
            unread.append(Unused(name, 0, error.reason, str(error)))
    if not curves:
        raise LightCurveFileError(star_id, unread[0].reason, f"no file of {len(files)} counts: {unread[0].message}")
    used, unused = joinable(curves)
    return used, [*unused, *unread]


def clean_star(blobs: Blobs, work: CleanWork) -> pl.DataFrame:
    """The row of `core_light_curves` of one star."""
    curves, unused = star_curves(blobs, work.star_id, work.files)
    known = [signal.place for signal in work.catalogued if signal.is_placed]
    return to_rows(cleaned(curves, known), work.star_id, len(curves), unused)


def search_one(tables: Rows, work: SearchWork) -> pl.DataFrame:
    """The rows of `core_search` of one star: none when nothing was found. Where points are flagged for scattered light
    it is searched with them and without."""
    curve = of_rows(tables.star(CORE_LIGHT_CURVES.name, work.bucket, work.star_id))
    density = work.density_sun if np.isfinite(work.density_sun) else 1.0
    settings = SearchSettings(density_sun=density, signals_max=SIGNALS_MAX)
    tried = with_and_without(curve, curve.without_scattered(), lambda one: search_curve(one, settings))
    rows = [{**row, "density_sun": density} for row in found_rows(tried, work.star_id, work.catalogued)]
    return pl.DataFrame(rows, schema=CORE_SEARCH.schema)


def found_rows(tried: Tried, star_id: str, catalogued: tuple[Catalogued, ...]) -> list[dict[str, object]]:
    """A row of `core_search`, but for the density that was searched for, of each signal that was found."""
    curve = tried.star.curve
    span = float(curve.time_bjd[0]), float(curve.time_bjd[-1])
    return [
        {
            "tce_id": f"{star_id}-{number:02d}",
            "star_id": star_id,
            "mission": curve.mission,
            "number": number,
            **measured(signal),
            "scattered_light": told,
            **matched(signal.transit.ephemeris, catalogued, span),
        }
        for number, (signal, told, _) in enumerate(tried.signals, start=1)
    ]


def single_one(tables: Rows, work: SearchWork) -> pl.DataFrame:
    """The rows of `core_single_search` of one star: none when no transit happens once."""
    curve = of_rows(tables.star(CORE_LIGHT_CURVES.name, work.bucket, work.star_id))
    found = tables.star(CORE_SEARCH.name, work.bucket, work.star_id).sort("number").to_dicts()
    signals = [(signal_of(row), row.get("scattered_light")) for row in found]
    events = singles_told(curve, signals, work.density_sun)
    rows = [
        {
            "event_id": f"{work.star_id}-S{number}",
            "star_id": work.star_id,
            "mission": curve.mission,
            "number": number,
            **measured_once(event),
            "scattered_light": told,
            "density_sun": work.density_sun if np.isfinite(work.density_sun) else None,
            "signal_id": next((s.signal_id for s in work.catalogued if _transits_then(s, event)), None),
        }
        for number, (event, told) in enumerate(events, start=1)
    ]
    return pl.DataFrame(rows, schema=CORE_SINGLE_SEARCH.schema)


def _transits_then(signal: Catalogued, event: SingleTransit) -> bool:
    """Whether a transit of the catalogued signal overlaps with the event; its period may be unknown."""
    place, half = signal.place, event.transit.ephemeris.duration_days / 2
    apart = event.time_bjd - place.t0
    if np.isfinite(place.period_days) and place.period_days > 0:
        apart -= place.period_days * np.rint(apart / place.period_days)
    return bool(abs(apart) < half)


def matched(
    place: Ephemeris, catalogued: tuple[Catalogued, ...], span_bjd: tuple[float, float]
) -> dict[str, str | float | None]:
    """`match`, `signal_id` and `period_ratio` of `core_search`: which of the star's catalogued signals `place` is."""
    found = match(place, [signal.place for signal in catalogued], span_bjd)
    if found is None:
        return {"match": "none", "signal_id": None, "period_ratio": None}
    signal = catalogued[found.index]
    return {
        "match": "same" if found.kind == "same" else "harmonic",
        "signal_id": signal.signal_id,
        "period_ratio": place.period_days / signal.place.period_days,
    }
