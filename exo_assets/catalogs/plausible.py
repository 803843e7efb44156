"""Is a copy of a catalogue fit to be worked with? Shares of rows that would be set aside, and medians of quantities.

Belongs here: what makes a whole copy unfit, as pure functions; the checks of the catalogue and the client of the
archive ask the same ones. Does not belong here: what sets a single row aside (`signals.py`).
"""

from __future__ import annotations

import polars as pl

from exo_assets.archive.contracts import GARBLED_SHARE, RAW_CONTRACTS
from exo_assets.catalogs.signals import harmonised_signals, reason_counts

QUARANTINE_WARN = 0.01
QUARANTINE_BLOCK = GARBLED_SHARE
"""Shares of quarantined rows above which a check warns, and above which a copy is not used."""
TYPICAL = {
    "period_days": (0.5, 200.0),
    "duration_hours": (0.5, 15.0),
    "depth_ppm": (30.0, 50_000.0),
    "radius_earth": (0.5, 40.0),
    "star_teff_k": (3000.0, 8000.0),
    "star_radius_sun": (0.3, 5.0),
    "magnitude": (6.0, 18.0),
}
"""Where the median of each quantity lies in any catalogue of transit signals, generously: a table in other units (per
cent for ppm, days for hours) falls outside, and no single value need be impossible for that."""
LEAST_MEDIAN = 50
"""Known values below which a median says nothing."""
CATALOGUES = ("cumulative", "q1_q17_dr25_koi", "toi", "k2pandc")
"""Archive tables that a catalogue is made of."""
SHOWN = 3


def unfit(archive_table: str, raw: pl.DataFrame) -> list[str]:
    """In words, why the copy `raw` of an archive table cannot be used as a catalogue; empty when it can, or is none."""
    if archive_table not in CATALOGUES or raw.height < LEAST_MEDIAN:
        return []
    tables = [raw if name == archive_table else RAW_CONTRACTS[name].empty() for name in CATALOGUES]
    rows = harmonised_signals(*tables)
    out = [
        f"its median {what.partition(': ')[2]} of {value:.4g} is not that of transits: the column is in another unit"
        for what, value in implausible_medians(rows).items()
    ]
    aside = rows["quarantine_reason"].is_not_null().sum()
    if aside > QUARANTINE_BLOCK * rows.height:
        worst = reason_counts(rows).head(SHOWN)
        reasons = ", ".join(f"{reason} ({count:,})" for reason, count in worst.select("reason", "rows").iter_rows())
        out.append(f"{aside:,} of {rows.height:,} rows would be quarantined: {reasons}")
    return out


def implausible_medians(rows: pl.DataFrame) -> dict[str, float]:
    """'mission: quantity' and its median (the column's unit), where that is outside TYPICAL."""
    medians = rows.group_by("mission").agg(
        pl.when(pl.col(name).count() >= LEAST_MEDIAN).then(pl.col(name).median()).alias(name) for name in TYPICAL
    )
    long = medians.unpivot(index="mission", variable_name="quantity", value_name="median").drop_nulls("median")
    return {
        f"{mission}: {quantity}": median
        for mission, quantity, median in long.sort("mission", "quantity").iter_rows()
        if not TYPICAL[quantity][0] <= median <= TYPICAL[quantity][1]
    }
