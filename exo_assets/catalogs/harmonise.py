"""One set of names, units and times for the signals of Kepler, TESS and K2.

Belongs here: turning rows in an archive layout into `core_signals` columns, row for row, in order. The catalogue and
`exo score` use the same functions. Does not belong here: which rows belong in the catalogue (`signals.py`).

Every frame made here has the columns of CORE_SIGNALS except `star_id`, plus `unreadable` (the fields whose text was
not a number, joined by ','). Only the column that names the signal must be there (`SIGNAL_COLUMN`); any other absent
column is null. Nothing raises on the content of a field.
"""

from __future__ import annotations

import polars as pl

from exo_assets.catalogs.contracts import CORE_SIGNALS, DIAGNOSTIC_COLUMNS
from exo_assets.catalogs.dispositions import harmonised
from exo_assets.catalogs.k2_hosts import epic_number, host_name, tic_number
from exo_assets.catalogs.layouts import LAYOUTS, SIGNAL_COLUMN, Layout, detect_layout
from exo_assets.catalogs.parsing import integer, measured, unreadable
from exo_assets.text_csv import text

__all__ = ["HARMONISED_SCHEMA", "SIGNAL_COLUMN", "detect_layout", "harmonise_k2", "harmonise_koi", "harmonise_toi"]

HARMONISED_SCHEMA = pl.Schema(
    {name: dtype for name, dtype in CORE_SIGNALS.schema.items() if name != "star_id"} | {"unreadable": pl.String}
)
"""Columns and types that every function here returns."""

DR25_SUPPLIES = (
    "radius_ratio",
    "radius_ratio_err",
    *DIAGNOSTIC_COLUMNS,
    "star_mass_sun",
    "star_mass_err_sun",
    "star_metallicity_dex",
    "star_metallicity_err_dex",
)
"""What the default columns of the cumulative table lack and the DR25 table has."""

SAME_PERIOD = 1e-3
"""Relative period difference below which a KOI of two catalogues is the same signal (same ephemeris)."""

_PIPELINE = (
    "mes",
    "ses",
    "odd_even_sig",
    "centroid_motion_sig",
    "centroid_offset_oot_arcsec",
    "centroid_offset_kic_arcsec",
)


def harmonise_koi(
    raw: pl.DataFrame, dr25: pl.DataFrame | None = None, *, source_table: str = "cumulative"
) -> pl.DataFrame:
    """Rows in the KOI layout (cumulative or DR25), harmonised; epochs from BKJD to BJD.

    With `dr25` (the DR25 KOI table), quantities that `raw` lacks are taken from the row of the same `kepoi_name`,
    when its period agrees within `SAME_PERIOD`: otherwise the two rows describe different signals. Values of `raw`
    always win.
    """
    columns = raw.columns
    frame = _harmonise(
        raw,
        LAYOUTS["koi"],
        mission="kepler",
        source_table=source_table,
        signal_id=text("kepoi_name", columns),
        star=pl.format("KIC {}", integer("kepid", columns)),
        planet=text("kepler_name", columns),
        label=text("koi_disposition", columns),
        kic=integer("kepid", columns),
    )
    if dr25 is None or dr25.is_empty():
        return frame
    return _with_dr25(frame, harmonise_koi(dr25, source_table="q1_q17_dr25_koi"))


def harmonise_toi(raw: pl.DataFrame) -> pl.DataFrame:
    """Rows in the TOI layout, harmonised; `signal_id` is 'TOI-1000.01'.

    The TOI number has two decimals; one that lost its trailing zero ('123.1' for 123.10) gets it back.
    """
    columns = raw.columns
    name = text("toi", columns).str.replace(r"(?i)^TOI[- ]?", "")
    number = name.cast(pl.Float64, strict=False)
    digits = pl.when(name.str.contains(r"^\d+\.\d$")).then(name + "0").otherwise(name)
    return _harmonise(
        raw,
        LAYOUTS["toi"],
        mission="tess",
        source_table="toi",
        # Text that is no number (a name that a caller made up) stays as it is.
        signal_id=pl.when(number.is_null()).then(text("toi", columns)).otherwise("TOI-" + digits),
        star=pl.format("TIC {}", integer("tid", columns)),
        planet=pl.lit(None, dtype=pl.String),
        label=text("tfopwg_disp", columns),
        tic=integer("tid", columns),
    )


def harmonise_k2(raw: pl.DataFrame) -> pl.DataFrame:
    """Rows in the layout of K2 Planets and Candidates, harmonised; depths from percent to ppm.

    The EPIC number is read from whichever column has it. The host has the table's name here; the catalogue puts its key
    in the place of it (`k2_hosts.py`). The object's name is that of a planet only when its disposition is CONFIRMED.
    """
    columns = raw.columns
    name, label = text("pl_name", columns), text("disposition", columns)
    return _harmonise(
        raw,
        LAYOUTS["k2"],
        mission="k2",
        source_table="k2pandc",
        signal_id=name,
        star=host_name(columns),
        planet=pl.when(harmonised(label, "k2") == "CONFIRMED").then(name),
        label=label,
        epic=epic_number(columns),
        tic=tic_number(columns),
    )


def _harmonise(
    raw: pl.DataFrame,
    layout: Layout,
    *,
    mission: str,
    source_table: str,
    signal_id: pl.Expr,
    star: pl.Expr,
    planet: pl.Expr,
    label: pl.Expr,
    kic: pl.Expr | None = None,
    epic: pl.Expr | None = None,
    tic: pl.Expr | None = None,
) -> pl.DataFrame:
    columns = raw.columns
    if layout.signal not in columns:
        raise ValueError(
            f"{layout.title}: the column {layout.signal!r}, which names the signals, is missing (found {columns[:8]})"
        )
    no_id = pl.lit(None, dtype=pl.Int64)
    frame = raw.select(
        signal_id.alias("signal_id"),
        pl.lit(mission).alias("mission"),
        star.alias("mission_star_id"),
        (no_id if kic is None else kic).alias("kic_id"),
        (no_id if epic is None else epic).alias("epic_id"),
        (no_id if tic is None else tic).alias("tic_id"),
        planet.alias("planet_name"),
        label.alias("disposition_archive"),
        harmonised(label, mission).alias("disposition"),
        *(expr for quantity in layout.quantities for expr in measured(quantity, columns)),
        pl.lit(source_table).alias("source_table"),
        unreadable(layout.numeric, layout.identifiers, columns).alias("unreadable"),
    )
    return _conform(frame.with_columns(_has_diagnostics(frame.columns)))


def _conform(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in HARMONISED_SCHEMA.items()
    )


def _has_diagnostics(columns: list[str]) -> pl.Expr:
    present = [pl.col(name).is_not_null() for name in _PIPELINE if name in columns]
    return (pl.any_horizontal(*present) if present else pl.lit(False)).alias("has_diagnostics")


def _with_dr25(frame: pl.DataFrame, dr25: pl.DataFrame) -> pl.DataFrame:
    named = dr25.filter(pl.col("signal_id").is_not_null())
    extra = named.sort(named.columns).unique("signal_id", keep="first", maintain_order=True)
    joined = frame.join(
        extra.select("signal_id", "period_days", *DR25_SUPPLIES), on="signal_id", how="left", suffix="_dr25"
    )
    same = ((pl.col("period_days") / pl.col("period_days_dr25") - 1).abs() < SAME_PERIOD).fill_null(False)
    filled = joined.with_columns(
        pl.coalesce(name, pl.when(same).then(pl.col(f"{name}_dr25"))).alias(name) for name in DR25_SUPPLIES
    )
    return _conform(filled.with_columns(_has_diagnostics(frame.columns)))
