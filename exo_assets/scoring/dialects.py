"""Tables of signals in other columns than the catalogue's three: ExoFOP's TOI table, the archive's tables of planets.

Belongs here: telling such a table, its columns in those of a catalogue layout, and which of its rows are no signals
that can be judged. Does not belong here: the layouts themselves (`catalogs/layouts.py`).

ExoFOP: the columns of https://exofop.ipac.caltech.edu/tess/download_toi.php (comma- or pipe-separated). What the
archive's own TOI table has is read, and no more (no SNR, no stellar mass): a TOI has one answer in both tables.
Planetary Systems (`ps`) and its composite table (`pscomppars`): the archive's column definitions; units are those of K2
Planets and Candidates.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from exo_assets.catalogs.harmonise import harmonise_k2
from exo_assets.scoring.score import LEFT_OUT
from exo_assets.text_csv import number, text

EXOFOP = {
    "TOI": "toi",
    "TIC ID": "tid",
    "TFOPWG Disposition": "tfopwg_disp",
    "TESS Mag": "st_tmag",
    "PM RA (mas/yr)": "st_pmra",
    "PM Dec (mas/yr)": "st_pmdec",
    "Epoch (BJD)": "pl_tranmid",
    "Period (days)": "pl_orbper",
    "Duration (hours)": "pl_trandurh",
    "Depth (ppm)": "pl_trandep",
    "Planet Radius (R_Earth)": "pl_rade",
    "Planet Insolation (Earth Flux)": "pl_insol",
    "Planet Equil Temp (K)": "pl_eqt",
    "Stellar Distance (pc)": "st_dist",
    "Stellar Eff Temp (K)": "st_teff",
    "Stellar log(g) (cm/s^2)": "st_logg",
    "Stellar Radius (R_Sun)": "st_rad",
}
"""ExoFOP's columns and the archive's; the uncertainty of 'X' is in 'X err'."""
DEPTH_MMAG = "Depth (mmag)"
LEAST_MARKS = 3
"""Columns of EXOFOP by which its table is told."""

FACILITIES = {
    "kepler": "kepler",
    "k2": "k2",
    "transiting exoplanet survey satellite (tess)": "tess",
    "tess": "tess",
}
"""`disc_facility` in lower case and the mission whose signals its planets are."""
NO_TRANSITS = "found by {}, not by transits"
_K2_MARKS = ("disposition", "k2_name", "epic_")
_SEXAGESIMAL = r"^([+-]?)(\d+)[:h ]\s*(\d+)[:m ]\s*([\d.]+)s?$"


def is_exofop(columns: Collection[str]) -> bool:
    """Whether the table has ExoFOP's columns."""
    return len({name.strip().lower() for name in columns} & {name.lower() for name in EXOFOP}) >= LEAST_MARKS


def from_exofop(raw: pl.DataFrame) -> pl.DataFrame:
    """ExoFOP's table in the columns of the archive's TOI table."""
    here = {name.strip().lower(): name for name in raw.columns}
    named = {f"{a}{tail}": f"{b}{end}" for a, b in EXOFOP.items() for tail, end in (("", ""), (" err", "err1"))}
    out = raw.select(pl.col(here[a.lower()]).alias(b) for a, b in named.items() if a.lower() in here)
    mmag = here.get(DEPTH_MMAG.lower())
    if mmag is not None:
        ppm = ((1 - 10.0 ** (-0.4e-3 * number(mmag, raw.columns))) * 1e6).cast(pl.String)
        stated = out.with_columns(raw.select(ppm.alias("_mmag"))["_mmag"])
        out = stated.with_columns(pl_trandep=pl.coalesce(text("pl_trandep", out.columns), "_mmag")).drop("_mmag")
    position = {"ra": 15.0, "dec": 1.0}
    return out.with_columns(
        raw.select(_degrees(here[name], scale)).to_series().alias(name)
        for name, scale in position.items()
        if name in here
    )


def _degrees(name: str, scale: float) -> pl.Expr:
    """Degrees (text) of 'hh:mm:ss' or 'dd:mm:ss', or of a number of degrees."""
    parts = pl.col(name).str.strip_chars().str.extract_groups(_SEXAGESIMAL).struct
    whole, minutes, seconds = (parts.field(str(i)).cast(pl.Float64, strict=False) for i in (2, 3, 4))
    value = (whole + minutes / 60 + seconds / 3600) * scale
    signed = pl.when(parts.field("1") == "-").then(-value).otherwise(value)
    return pl.coalesce(signed.cast(pl.String), pl.col(name))


def is_planets(columns: Collection[str]) -> bool:
    """Whether the table is one of the archive's tables of planets, found by any method at any facility."""
    return {"pl_name", "discoverymethod", "disc_facility"} <= set(columns) and not any(
        name.startswith(_K2_MARKS) for name in columns
    )


def harmonise_planets(raw: pl.DataFrame) -> pl.DataFrame:
    """Rows of `ps` or `pscomppars`, harmonised as signals of the mission that found the planet, and LEFT_OUT: why the
    others are not judged."""
    columns = raw.columns
    said = raw.select(
        method=text("discoverymethod", columns),
        facility=text("disc_facility", columns),
        spare=(number("default_flag", columns) == 0).fill_null(False),
        mission=text("disc_facility", columns).str.to_lowercase().replace_strict(FACILITIES, default=None),
        kepler_magnitude=number("sy_kepmag", columns),
        tess_magnitude=number("sy_tmag", columns),
    )
    mission, transits = pl.col("mission_right"), (pl.col("method") == "Transit").fill_null(False)
    rows = harmonise_k2(raw).hstack(said.rename({"mission": "mission_right"}))
    reasons = [
        pl.when(~transits).then(pl.format(NO_TRANSITS, pl.col("method").fill_null("no method named"))),
        pl.when("spare").then(pl.format("another row of {} is the archive's default", "signal_id")),
        pl.when(mission.is_null()).then(
            pl.format("found at {}, not by Kepler, K2 or TESS", pl.col("facility").fill_null("no facility named"))
        ),
    ]
    left_out = pl.concat_str(reasons, separator="; ", ignore_nulls=True)
    return rows.with_columns(
        mission=mission,
        mission_star_id=pl.when(mission == "tess").then(pl.format("TIC {}", "tic_id")).otherwise("mission_star_id"),
        magnitude=pl.when(mission == "kepler")
        .then("kepler_magnitude")
        .when(mission == "tess")
        .then("tess_magnitude")
        .otherwise("magnitude"),
        **{LEFT_OUT: pl.when(left_out != "").then(left_out)},
    ).drop("mission_right", "method", "facility", "spare", "kepler_magnitude", "tess_magnitude")
