"""Contracts of the catalogue tables (`core_*`)."""

from __future__ import annotations

import polars as pl

from exo_assets.archive.rows import COPY, REPEATED
from exo_assets.contracts import Column, TableContract

F, I, S, B = pl.Float64, pl.Int64, pl.String, pl.Boolean  # noqa: E741 - four short names keep the tables readable

MISSIONS = ("kepler", "k2", "tess")
DISPOSITIONS = ("CONFIRMED", "CANDIDATE", "FALSE POSITIVE")
RESOLVED = ("CONFIRMED", "FALSE POSITIVE")
"""Dispositions of signals that are a question no more."""

_IDENTITY = (
    Column(
        "signal_id",
        S,
        "Name of the signal: KOI (K00752.01), TOI (TOI-1000.01) or K2 planet or candidate name",
        nullable=False,
    ),
    Column("mission", S, "Mission that the catalogue entry comes from", nullable=False, allowed=MISSIONS),
    Column(
        "mission_star_id",
        S,
        "Host by the key of its mission, which no renaming changes: 'KIC 10797460', 'TIC 50365310', 'EPIC 201367065', "
        "or the name under which a K2 host without a known EPIC number was first seen (core_k2_hosts)",
        nullable=False,
    ),
    Column("kic_id", I, "Kepler Input Catalog number"),
    Column("epic_id", I, "K2 Ecliptic Plane Input Catalog number, where the table says it or ever said it"),
    Column("tic_id", I, "TESS Input Catalog number"),
    Column("planet_name", S, "Name of the confirmed planet (not a feature: known only for planets)"),
    Column("disposition_archive", S, "Disposition exactly as the archive wrote it (label)"),
    Column("disposition", S, "Harmonised disposition (label)", allowed=DISPOSITIONS),
)

# Measured quantities that a feature may use. Errors are the mean of the absolute upper and lower uncertainties.
_TRANSIT = (
    Column("period_days", F, "Orbital period", "d", low=0, low_open=True),
    Column("period_err_days", F, "Uncertainty of the period", "d", low=0),
    Column("t0_bjd", F, "Time of a mid-transit, barycentric (TDB) Julian date", "d", low=2_000_000, high=3_000_000),
    Column("t0_err_days", F, "Uncertainty of the epoch", "d", low=0),
    Column("duration_hours", F, "Transit duration, first to last contact", "h", low=0, low_open=True),
    Column("duration_err_hours", F, "Uncertainty of the duration", "h", low=0),
    Column("depth_ppm", F, "Transit depth", "ppm", low=0, low_open=True, high=1e6),
    Column("depth_err_ppm", F, "Uncertainty of the depth", "ppm", low=0),
    Column("radius_earth", F, "Planet radius", "R_Earth", low=0, low_open=True),
    Column("radius_err_earth", F, "Uncertainty of the planet radius", "R_Earth", low=0),
    Column("radius_ratio", F, "Planet radius over star radius, fitted", low=0, low_open=True),
    Column("radius_ratio_err", F, "Uncertainty of the radius ratio", low=0),
    Column("impact", F, "Impact parameter, fitted", low=0),
    Column("impact_err", F, "Uncertainty of the impact parameter", low=0),
    Column("insolation_earth", F, "Insolation", "S_Earth", low=0),
    Column("insolation_err_earth", F, "Uncertainty of the insolation", "S_Earth", low=0),
    Column("teq_k", F, "Equilibrium temperature", "K", low=0, low_open=True),
    Column("teq_err_k", F, "Uncertainty of the equilibrium temperature", "K", low=0),
    Column("snr", F, "Signal to noise of the transit model", low=0),
)

# Pipeline diagnostics that only the DR25 KOI table (and the full live cumulative table) publish.
_DIAGNOSTICS = (
    Column("mes", F, "Maximum multiple-event statistic (koi_max_mult_ev)"),
    Column("ses", F, "Maximum single-event statistic (koi_max_sngle_ev)"),
    Column("n_transits", F, "Number of transits expected in the data (koi_num_transits)", low=0),
    Column(
        "fit_stellar_density_gcc",
        F,
        "Stellar density that the transit fit implies (koi_srho)",
        "g/cm3",
        low=0,
        low_open=True,
    ),
    Column("a_over_rs", F, "Planet-star distance over star radius, fitted (koi_dor)", low=0, low_open=True),
    Column("inclination_deg", F, "Inclination, fitted (koi_incl)", "deg", low=0, high=180),
    Column("odd_even_sig", F, "Odd-even depth comparison statistic (koi_bin_oedp_sig)"),
    Column("model_chisq", F, "Chi-square of the transit model (koi_model_chisq)", low=0),
    Column("model_dof", F, "Degrees of freedom of the transit model (koi_model_dof)", low=0),
    Column("centroid_motion_sig", F, "Flux-weighted centroid motion significance (koi_fwm_stat_sig)"),
    Column(
        "centroid_offset_oot_arcsec",
        F,
        "Difference-image offset from the out-of-transit centroid (koi_dicco_msky)",
        "arcsec",
        low=0,
    ),
    Column("centroid_offset_oot_err_arcsec", F, "Its uncertainty", "arcsec", low=0),
    Column(
        "centroid_offset_kic_arcsec",
        F,
        "Difference-image offset from the KIC position (koi_dikco_msky)",
        "arcsec",
        low=0,
    ),
    Column("centroid_offset_kic_err_arcsec", F, "Its uncertainty", "arcsec", low=0),
    Column("fw_offset_ra_arcsec", F, "Flux-weighted source offset in right ascension (koi_fwm_srao)", "arcsec"),
    Column("fw_offset_dec_arcsec", F, "Flux-weighted source offset in declination (koi_fwm_sdeco)", "arcsec"),
)

_STAR = (
    Column("star_teff_k", F, "Effective temperature", "K", low=0, low_open=True, high=250_000),
    Column("star_teff_err_k", F, "Its uncertainty", "K", low=0),
    Column("star_logg_cgs", F, "Surface gravity, log10", "cm/s2", low=-2, high=9),
    Column("star_logg_err_cgs", F, "Its uncertainty", "dex", low=0),
    Column("star_radius_sun", F, "Radius", "R_Sun", low=0, low_open=True, high=2000),
    Column("star_radius_err_sun", F, "Its uncertainty", "R_Sun", low=0),
    Column("star_mass_sun", F, "Mass", "M_Sun", low=0, low_open=True, high=300),
    Column("star_mass_err_sun", F, "Its uncertainty", "M_Sun", low=0),
    Column("star_metallicity_dex", F, "Metallicity [Fe/H] or [M/H]", "dex", low=-6, high=3),
    Column("star_metallicity_err_dex", F, "Its uncertainty", "dex", low=0),
    Column("distance_pc", F, "Distance", "pc", low=0, low_open=True),
    Column("magnitude", F, "Brightness in the mission's band: Kepler, TESS, or Gaia G for K2", "mag", low=-30, high=40),
    Column("ra_deg", F, "Right ascension, ICRS", "deg", nullable=False, low=0, high=360),
    Column("dec_deg", F, "Declination, ICRS", "deg", nullable=False, low=-90, high=90),
    Column("pm_ra_mas_yr", F, "Proper motion in right ascension (times cos dec)", "mas/yr"),
    Column("pm_dec_mas_yr", F, "Proper motion in declination", "mas/yr"),
)

_PROVENANCE = (
    Column("source_table", S, "Archive table that the row was read from", nullable=False),
    Column("has_diagnostics", B, "Whether pipeline diagnostics are attached", nullable=False),
)

CORE_SIGNALS = TableContract(
    "core_signals",
    "Transit signals of Kepler, K2 and TESS under one set of names, units and times; one row per signal.",
    (
        *_IDENTITY,
        Column("star_id", S, "Host star across missions (key of core_stars)", nullable=False),
        *_TRANSIT,
        *_DIAGNOSTICS,
        *_STAR,
        *_PROVENANCE,
    ),
    key=("signal_id",),
)
"""The table that every later stage starts from."""

STAR_COLUMNS = tuple(c.name for c in _STAR)
MEASURED_COLUMNS = tuple(c.name for c in (*_TRANSIT, *_DIAGNOSTICS, *_STAR))
"""Columns of `core_signals` that a request may carry and a feature may use; identity and labels are not among them."""
DIAGNOSTIC_COLUMNS = tuple(c.name for c in _DIAGNOSTICS)


def _unchecked(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns without their ranges: for tables that hold the broken rows as well."""
    return tuple(Column(c.name, c.dtype, c.description, c.unit) for c in columns)


_REASON = "Rules of core_signals that the row breaks, joined by ';'"
_UNREADABLE = Column("unreadable", S, "Archive fields whose text was not a number, joined by ','")

CORE_SIGNALS_HARMONISED = TableContract(
    "core_signals_harmonised",
    "Every row of the three catalogues, harmonised, with the reason for which it is kept out of core_signals, if any.",
    (*_unchecked(CORE_SIGNALS.columns), _UNREADABLE, Column("quarantine_reason", S, f"{_REASON}; null when none")),
)

CORE_SIGNALS_QUARANTINE = TableContract(
    "core_signals_quarantine",
    "Rows kept out of core_signals, with all their values and the reason. A null never puts a row here, a broken value does.",
    (
        *_unchecked(CORE_SIGNALS.columns),
        _UNREADABLE,
        Column("quarantine_reason", S, _REASON, nullable=False),
    ),
)

_STELLAR = tuple(c for c in _STAR if c.name.startswith("star_"))

CORE_STARS = TableContract(
    "core_stars",
    "Host stars of core_signals, one row per star across missions.",
    (
        Column("star_id", S, "'KIC n' of a Kepler star, else the key of a K2 host, else 'TIC n'", nullable=False),
        Column("kic_id", I, "Kepler Input Catalog number"),
        Column("epic_id", I, "K2 Ecliptic Plane Input Catalog number"),
        Column("tic_id", I, "TESS Input Catalog number"),
        Column("k2_host", S, "Present name of the host in the K2 table"),
        Column("missions", S, "Missions with a signal of this star, joined by ',' (kepler, k2, tess)", nullable=False),
        Column("n_missions", I, "How many missions", nullable=False, low=1, high=3),
        Column("n_signals", I, "Signals of the star in core_signals, all missions", nullable=False, low=1),
        Column("ra_deg", F, "Right ascension, ICRS, at position_epoch", "deg", nullable=False, low=0, high=360),
        Column("dec_deg", F, "Declination, ICRS, at position_epoch", "deg", nullable=False, low=-90, high=90),
        Column(
            "position_epoch",
            F,
            "Epoch of the position: 2000.0 (KIC) or 2015.5 (Gaia, in the TOI and K2 tables)",
            "yr",
            nullable=False,
        ),
        Column("pm_ra_mas_yr", F, "Proper motion in right ascension (times cos dec)", "mas/yr"),
        Column("pm_dec_mas_yr", F, "Proper motion in declination", "mas/yr"),
        Column("kepler_mag", F, "Kepler magnitude", "mag"),
        Column("gaia_mag", F, "Gaia G magnitude (K2 table)", "mag"),
        Column("tess_mag", F, "TESS magnitude", "mag"),
        Column("distance_pc", F, "Distance", "pc", low=0, low_open=True),
        *_STELLAR,
        Column(
            "parameters_from",
            S,
            "Mission whose table gave the stellar parameters; gaps are filled from the others",
            nullable=False,
            allowed=MISSIONS,
        ),
        Column(
            "match_arcsec",
            F,
            "Largest separation of the positions joined in this star, proper motion applied; null for one entry",
            "arcsec",
            low=0,
        ),
    ),
    key=("star_id",),
)

CORE_PLANET_IDENTITY = TableContract(
    "core_planet_identity",
    "Signals that are one planet under several names: found by two missions, or a confirmed planet of the archive's composite table.",
    (
        Column(
            "planet_group_id", S, "Name of the confirmed planet, else the first of the group's signals", nullable=False
        ),
        Column("signal_id", S, "Signal", nullable=False),
        Column("mission", S, "Mission of the signal", nullable=False, allowed=MISSIONS),
        Column("star_id", S, "Host star", nullable=False),
        Column("planet_name", S, "Confirmed planet that the signal is"),
        Column("disposition", S, "Harmonised disposition of the signal", allowed=DISPOSITIONS),
        Column("period_days", F, "Period of the signal", "d", low=0, low_open=True),
        Column(
            "match_kind",
            S,
            "How the signal was recognised: by its planet's name, by star and period, or by star and a 1:2 alias of the period",
            nullable=False,
            allowed=("name", "period", "period_alias"),
        ),
        Column("counterparts", S, "What it was matched with (signals and planets), joined by ','", nullable=False),
        Column("period_ratio", F, "Period over the period of the closest counterpart", low=0, low_open=True),
        Column(
            "separation_arcsec", F, "Separation from that counterpart's position, both as published", "arcsec", low=0
        ),
    ),
    key=("signal_id",),
)

CORE_DISPOSITION_HISTORY = TableContract(
    "core_disposition_history",
    "Dispositions by date: a row for the first sight of a signal and one for each snapshot in which its label, or its name, differs from the one before.",
    (
        Column("signal_id", S, "Signal, by its present name", nullable=False),
        Column("mission", S, "Mission", nullable=False, allowed=MISSIONS),
        Column("archive_name", S, "Name that the signal had in that snapshot"),
        Column("source_table", S, "Archive table in which the label stood", nullable=False),
        Column("as_of", pl.Date, "Date of the archive's snapshot", nullable=False),
        Column(
            "change",
            S,
            "first_seen; changed: another label, and maybe another name; renamed: another name alone",
            nullable=False,
            allowed=("first_seen", "changed", "renamed"),
        ),
        Column("disposition_archive", S, "Label as the archive wrote it"),
        Column("disposition", S, "Harmonised disposition", allowed=DISPOSITIONS),
        Column("previous_archive", S, "Label before"),
        Column("previous_disposition", S, "Harmonised disposition before", allowed=DISPOSITIONS),
    ),
    key=("signal_id", "source_table", "as_of"),
)

CORE_ARCHIVE_QUARANTINE = TableContract(
    "core_archive_quarantine",
    "Rows of the archive's tables that repeat another and were set aside; the raw tables have each key once.",
    (
        Column("archive_table", S, "Archive table", nullable=False),
        Column("row_key", S, "Key of the row, its parts joined by ' / '; of a table without a key, its name"),
        Column(
            "reason",
            S,
            "copy_of_another_row: equal in every column; key_of_another_row: same key, other values",
            nullable=False,
            allowed=(COPY, REPEATED),
        ),
        Column("copies", I, "How many such rows were set aside", nullable=False, low=1),
        Column("as_of", S, "Date of the archive's copy", nullable=False),
        Column("row_json", S, "The row as the archive wrote it: filled columns, as JSON", nullable=False),
    ),
    key=("archive_table", "reason", "row_json"),
)

CORE_K2_HOSTS = TableContract(
    "core_k2_hosts",
    "Every host that the K2 table ever had, under a key that stays when the archive renames it; it is never forgotten.",
    (
        Column("host_key", S, "'EPIC n', or the host's first name when no column said the number", nullable=False),
        Column("host_name", S, "Name in the newest copy of the table that has the host", nullable=False),
        Column("epic_id", I, "Ecliptic Plane Input Catalog number, once it was said"),
        Column("tic_id", I, "TESS Input Catalog number, once it was said"),
        Column("ra_deg", F, "Right ascension, ICRS, of the newest copy", "deg"),
        Column("dec_deg", F, "Declination, ICRS, of the newest copy", "deg"),
        Column("names", S, "Every name that the host had, joined by ','", nullable=False),
        Column("is_listed", B, "Whether the newest copy has the host", nullable=False),
    ),
    key=("host_key",),
)

CONTRACTS: tuple[TableContract, ...] = (
    CORE_K2_HOSTS,
    CORE_ARCHIVE_QUARANTINE,
    CORE_SIGNALS_HARMONISED,
    CORE_SIGNALS,
    CORE_SIGNALS_QUARANTINE,
    CORE_STARS,
    CORE_PLANET_IDENTITY,
    CORE_DISPOSITION_HISTORY,
)
