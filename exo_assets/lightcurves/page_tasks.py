"""Pages of plots of the signals of one star.

Belongs here: from stored rows to pages. Does not belong here: drawing (`page.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from exo_assets.lightcurves.clean import CleanCurve, remasked_each
from exo_assets.lightcurves.curve_rows import of_rows
from exo_assets.lightcurves.ephemeris import in_transit
from exo_assets.lightcurves.page import page
from exo_assets.lightcurves.quantum import Quantum
from exo_assets.lightcurves.search import HIDDEN_DURATIONS, SearchSettings, Signal, spectrum
from exo_assets.lightcurves.search_rows import signal_of
from exo_assets.lightcurves.star_contracts import CORE_LIGHT_CURVES, CORE_PAGES, CORE_SEARCH, WITHOUT_SCATTERED
from exo_assets.lightcurves.star_tasks import Rows

LEAST_LEFT = 0.5
"""Share of the points that must be left when the others' transits are out."""


@dataclass(frozen=True)
class PageWork:
    """A star on which signals were found."""

    star_id: str
    bucket: str


def page_quanta(bucket: str, curves: Mapping[str, str], found: Mapping[str, str]) -> Iterator[Quantum]:
    """Stars with found signals: digests of their rows of `core_light_curves` and of `core_search`."""
    for star, digest in found.items():
        if star in curves:
            yield Quantum(star, f"{curves[star]} {digest}", PageWork(star, bucket))


def draw_star(tables: Rows, work: PageWork) -> pl.DataFrame:
    """The rows of `core_pages` of one star. On the page of a signal the transits of the others are left out,
    and the points flagged for scattered light where it was found only without them."""
    rows = tables.star(CORE_SEARCH.name, work.bucket, work.star_id).sort("number").to_dicts()
    stored = of_rows(tables.star(CORE_LIGHT_CURVES.name, work.bucket, work.star_id))
    signals = [signal_of(row) for row in rows]
    is_calm = [row.get("scattered_light") == WITHOUT_SCATTERED for row in rows]
    curves = remasked_each(stored, [signal.transit.ephemeris for signal in signals], is_calm)
    settings = SearchSettings(density_sun=rows[0]["density_sun"])
    pages = []
    for row, signal, curve in zip(rows, signals, curves, strict=True):
        known = f" = {row['signal_id']}" if row["match"] == "same" else ""
        title = (
            f"{row['tce_id']}{known}  P = {row['period_days']:.5f} d, {row['depth_ppm']:.0f} ppm, "
            f"SDE {row['sde']:.1f}, SNR {row['snr']:.1f}"
        )
        picture = page_alone(curve, signal, signals, settings, title)
        pages.append((row["tce_id"], work.star_id, row["sde"], title, picture))
    return pl.DataFrame(pages, schema=CORE_PAGES.schema, orient="row")


def page_alone(
    curve: CleanCurve, signal: Signal, signals: Sequence[Signal], settings: SearchSettings | None, title: str
) -> bytes:
    """The page of one of a star's signals, without the transits of the others; with its periodogram unless `settings`
    is None. Where the others leave little, as those of a varying star do, they stay in."""
    others = [other.transit.ephemeris for other in signals if other is not signal]
    kept = ~in_transit(curve.time_bjd, others, HIDDEN_DURATIONS)
    if kept.mean() > LEAST_LEFT:
        curve = curve.where(kept)
    found = spectrum(curve.time_bjd, curve.flux, curve.flux_err, settings) if settings else None
    return page(curve, signal, found, title)
