"""Which stars have diagnostics and views made, and what each is made from.

Belongs here: from the tables of the light-curve stage to quanta. Does not belong here: the work itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import polars as pl

from exo_assets.features.signal_tasks import Place, SignalWork, places
from exo_assets.lightcurves.planning import UNKNOWN, KnownStar
from exo_assets.lightcurves.quantum import Quantum
from exo_assets.lightcurves.search_rows import place_of


def diagnose_quanta(
    bucket: str, curves: Mapping[str, str], found: pl.DataFrame, known: Mapping[str, KnownStar]
) -> Iterator[Quantum]:
    """Stars with a clean curve and a signal, catalogued or found: `found` are rows of `core_search`."""
    rows = by_star(found)
    for star, digest in curves.items():
        about = known.get(star, UNKNOWN)
        yield from _quantum(star, bucket, digest, about.density_sun, places(about.signals, rows.get(star, ())))


def view_quanta(bucket: str, curves: Mapping[str, str], diagnosed: pl.DataFrame) -> Iterator[Quantum]:
    """Stars whose signals were measured: `diagnosed` are rows of `feat_diagnostics`, whose fitted ephemerides and
    secondary phases the views are centred on."""
    rows = by_star(diagnosed)
    for star, digest in curves.items():
        seen = tuple(
            Place(
                row["signal_id"],
                row["tce_id"],
                row["origin"],
                place_of(row),
                0.5 if row["secondary_phase"] is None else row["secondary_phase"],
                scattered_light=row.get("scattered_light"),
            )
            for row in rows.get(star, ())
        )
        yield from _quantum(star, bucket, digest, float("nan"), seen)


def _quantum(star: str, bucket: str, digest: str, density: float, seen: tuple[Place, ...]) -> Iterator[Quantum]:
    if seen:
        yield Quantum(star, f"{digest} {density} {seen}", SignalWork(star, bucket, density, seen))


def by_star(rows: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Rows of a table by `star_id`."""
    out: dict[str, list[dict[str, Any]]] = {}
    named: Iterable[dict[str, Any]] = rows.iter_rows(named=True)
    for row in named:
        out.setdefault(row["star_id"], []).append(row)
    return out
