"""Pages of plots of the signals of one star.

Belongs here: from stored rows to pages. Does not belong here: drawing (`page.py`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from exo_assets.lightcurves.clean import CleanCurve, remasked_each
from exo_assets.lightcurves.curve_rows import of_rows
from exo_assets.lightcurves.ephemeris import in_transit
from exo_assets.lightcurves.flags import FLAGS, OTHER_PERIODS, in_words
from exo_assets.lightcurves.page import page
from exo_assets.lightcurves.quantum import Quantum
from exo_assets.lightcurves.search import HIDDEN_DURATIONS, SearchSettings, Signal, spectrum
from exo_assets.lightcurves.search_rows import signal_of
from exo_assets.lightcurves.star_contracts import CORE_LIGHT_CURVES, CORE_PAGES, CORE_SEARCH, WITHOUT_SCATTERED
from exo_assets.lightcurves.star_tasks import Rows

PAGE_WIDTH = 120
"""Characters in a line above a page."""
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
    found = CORE_SEARCH.conform(tables.star(CORE_SEARCH.name, work.bucket, work.star_id)).sort("number")
    rows = found.with_columns(flags=in_words(FLAGS)).to_dicts()
    stored = of_rows(tables.star(CORE_LIGHT_CURVES.name, work.bucket, work.star_id))
    signals = [signal_of(row) for row in rows]
    is_calm = [row["scattered_light"] == WITHOUT_SCATTERED for row in rows]
    curves = remasked_each(stored, [signal.transit.ephemeris for signal in signals], is_calm)
    settings = SearchSettings(density_sun=rows[0]["density_sun"])
    pages = []
    for row, signal, curve in zip(rows, signals, curves, strict=True):
        known = f" = {row['signal_id']}" if row["match"] == "same" else ""
        title = (
            f"{row['tce_id']}{known}  P = {row['period_days']:.5f} d, {row['depth_ppm']:.0f} ppm, "
            f"SDE {row['sde']:.1f}, SNR {row['snr']:.1f}"
        )
        picture = page_alone(curve, signal, signals, settings, with_flags(title, row))
        pages.append((row["tce_id"], work.star_id, row["sde"], title, picture))
    return pl.DataFrame(pages, schema=CORE_PAGES.schema, orient="row")


def with_flags(title: str, row: Mapping[str, Any]) -> str:
    """The title of a page, and below it what is to be known of the signal (`flags`, `period_alternatives_days`)."""
    others = ", ".join(f"{period:.5g}" for period in row["period_alternatives_days"] or ())
    said = [f"{flag} ({others} d)" if flag == OTHER_PERIODS else flag for flag in row["flags"]]
    return above_page(title, "; ".join(said))


def above_page(title: str, said: str) -> str:
    """`title`, and what is `said` of the signal in the lines below it."""
    return "\n".join([title, *textwrap.wrap(said, PAGE_WIDTH)])


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
