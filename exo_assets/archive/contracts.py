"""Contracts of the raw tables: the columns that the pipeline relies on, in the archive's own names.

Belongs here: which columns of which archive table must be there, its key, and which columns date it.
Does not belong here: what the columns become (`catalogs/layouts.py`), or where the tables come from
(`exo_resources.archive`). Units are those of the archive's column documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from exo_assets.contracts import Column, TableContract
from exo_assets.text_csv import number, text

WORDS = frozenset(
    (
        "kepoi_name",
        "kepler_name",
        "koi_disposition",
        "tfopwg_disp",
        "pl_name",
        "hostname",
        "disposition",
        "discoverymethod",
        "disc_facility",
    )
)
"""Contract columns that hold words; every other holds numbers."""

GARBLED_SHARE = 0.05
"""Share of rows in which a column of numbers may hold something else; above it the copy is damaged.

It is the share of rows that may be quarantined (`catalogs/checks.py`): what would stop the night is not kept.
"""

FILLED = frozenset(
    (
        "koi_disposition",
        "koi_period",
        "koi_duration",
        "koi_depth",
        "tfopwg_disp",
        "pl_orbper",
        "pl_trandurh",
        "pl_trandep",
        "disposition",
        "ra",
        "dec",
        "tce_period",
        "tce_duration",
        "tce_max_mult_ev",
    )
)
"""Contract columns that have a value in nearly every row of the archive."""

EMPTIED_SHARE = 0.5
"""Share of rows in which one of them may be empty; above it the copy is damaged."""


@dataclass(frozen=True)
class StandIn:
    """A Parquet file of a mirror that holds a table of the archive under other names, and maybe more columns.

    `path` is its place in the mirror; `renamed` gives columns of the file the archive's names.
    """

    path: str
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RawContract(TableContract):
    """A table as the archive publishes it: the contract's columns at least, every column text.

    `archive_table` is the archive's name of it. `as_of_column` dates a copy by its newest row, where the rows say when
    they were last updated. `updated_column` is asked for its maximum to see whether the table changed. `stand_in` is
    what a mirror may hold in its place. `followed` are the columns that the history of dispositions and the keys of
    hosts are made from: they are kept of every copy that there ever was; none where no label is followed. `also_read`
    are columns that are read where a copy has them: one that had them is not replaced by one without.
    """

    archive_table: str = ""
    as_of_column: str | None = None
    updated_column: str | None = None
    stand_in: StandIn | None = None
    followed: tuple[str, ...] = ()
    also_read: tuple[str, ...] = ()

    def lost(self, columns: Iterable[str], before: Iterable[str]) -> list[str]:
        """Columns that the copy with the columns `before` had, that are read, and that are not among `columns`."""
        return sorted(set(self.also_read) & set(before) - set(columns))

    def missing(self, columns: Iterable[str]) -> list[str]:
        """Required columns that are not among `columns`."""
        present = set(columns)
        return [c.name for c in self.columns if c.name not in present]

    def repeated_rows(self, frame: pl.DataFrame) -> int:
        """How many rows are exact copies of another."""
        return frame.height - frame.n_unique() if frame.height else 0

    def repeated_keys(self, frame: pl.DataFrame) -> list[str]:
        """Keys that more than one row has, up to five of them."""
        if not self.key:
            return []
        key = pl.concat_str(self.key, separator=" / ", ignore_nulls=True).alias("key")
        return frame.filter(pl.struct(self.key).is_duplicated()).select(key.unique().sort()).head(5)["key"].to_list()

    def problems(self, frame: pl.DataFrame) -> list[str]:
        """Every way `frame` breaks the contract. Columns beyond it are welcome, as long as they are text.

        Rows without their names are held against it by their share: a few do not make the table useless.
        """
        missing = self.missing(frame.columns)
        typed = [f"{name} is {dtype}, not String" for name, dtype in frame.schema.items() if dtype != pl.String]
        out = [f"missing columns {missing}"] * bool(missing) + typed
        if out or not frame.height:
            return out
        names = [c.name for c in self.columns if not c.nullable]
        unnamed = _beyond(frame, ((n, pl.col(n).is_null()) for n in names), GARBLED_SHARE, "empty") if names else []
        out = unnamed + self._garbled(frame) + self._emptied(frame)
        if copies := self.repeated_rows(frame):
            out.append(f"{copies} rows are exact copies of another")
        if keys := self.repeated_keys(frame):
            out.append(f"key {self.key} is not unique: {keys}")
        return out

    def _garbled(self, frame: pl.DataFrame) -> list[str]:
        """Columns of numbers that hold too much else."""
        names = [c.name for c in self.columns if c.name not in WORDS]
        # A plain cast is quick and takes nothing that `number` refuses: only columns where it refuses are read with care.
        casts = {n: pl.col(n).is_not_null() & ~pl.col(n).cast(pl.Float64, strict=False).is_finite() for n in names}
        refused = frame.select(cast.fill_null(True).any().alias(n) for n, cast in casts.items()).row(0, named=True)
        doubted = [n for n in names if refused[n]]
        if not doubted:
            return []
        bad = (text(n, doubted).is_not_null() & number(n, doubted).is_null() for n in doubted)
        return _beyond(frame, zip(doubted, bad, strict=True), GARBLED_SHARE, "not a number")

    def _emptied(self, frame: pl.DataFrame) -> list[str]:
        """Columns that the pipeline lives on and that hold too little."""
        names = [c.name for c in self.columns if c.name in FILLED]
        bad = (text(name, names).is_null() for name in names)
        return _beyond(frame, zip(names, bad, strict=True), EMPTIED_SHARE, "empty")


def _beyond(frame: pl.DataFrame, rules: Iterable[tuple[str, pl.Expr]], share: float, what: str) -> list[str]:
    """Columns whose rule holds in more than `share` of the rows, in words."""
    counts = frame.select(rule.sum().alias(name) for name, rule in rules).row(0, named=True)
    return [
        f"{name} is {what} in {n:,} of {frame.height:,} rows" for name, n in counts.items() if n > share * frame.height
    ]


def _text(name: str, description: str, unit: str = "", *, nullable: bool = True) -> tuple[Column, ...]:
    return (Column(name, pl.String, description, unit, nullable=nullable),)


def _measured(name: str, description: str, unit: str = "", *, error: str = "_err") -> tuple[Column, ...]:
    """A quantity with its upper (1) and lower (2) uncertainty."""
    return (
        Column(name, pl.String, description, unit),
        Column(f"{name}{error}1", pl.String, f"{description}: upper uncertainty", unit),
        Column(f"{name}{error}2", pl.String, f"{description}: lower uncertainty", unit),
    )


def _pl(name: str, description: str, unit: str = "") -> tuple[Column, ...]:
    return _measured(name, description, unit, error="err")


_KOI = (
    *_text("kepid", "Kepler Input Catalog number", nullable=False),
    *_text("kepoi_name", "KOI name, e.g. K00752.01", nullable=False),
    *_text("kepler_name", "Kepler planet name, e.g. Kepler-227 b"),
    *_text("koi_disposition", "Disposition: CONFIRMED, CANDIDATE, FALSE POSITIVE or NOT DISPOSITIONED"),
    *_measured("koi_period", "Orbital period", "d"),
    *_measured("koi_time0bk", "Mid-transit time, BJD - 2454833", "d"),
    *_measured("koi_impact", "Impact parameter"),
    *_measured("koi_duration", "Transit duration", "h"),
    *_measured("koi_depth", "Transit depth", "ppm"),
    *_measured("koi_prad", "Planet radius", "R_Earth"),
    *_text("koi_teq", "Equilibrium temperature", "K"),
    *_measured("koi_insol", "Insolation", "S_Earth"),
    *_text("koi_model_snr", "Signal to noise of the transit model"),
    *_measured("koi_steff", "Effective temperature of the star", "K"),
    *_measured("koi_slogg", "Surface gravity of the star, log10", "cm/s2"),
    *_measured("koi_srad", "Radius of the star", "R_Sun"),
    *_text("ra", "Right ascension", "deg"),
    *_text("dec", "Declination", "deg"),
    *_text("koi_kepmag", "Kepler-band magnitude", "mag"),
)

_DR25_ONLY = (
    *_measured("koi_ror", "Planet radius over star radius"),
    *_text("koi_srho", "Stellar density that the transit fit implies", "g/cm3"),
    *_text("koi_incl", "Inclination", "deg"),
    *_text("koi_dor", "Planet-star distance over star radius"),
    *_text("koi_max_sngle_ev", "Maximum single-event statistic"),
    *_text("koi_max_mult_ev", "Maximum multiple-event statistic"),
    *_text("koi_num_transits", "Number of transits expected in the data"),
    *_text("koi_bin_oedp_sig", "Odd-even depth comparison statistic"),
    *_text("koi_model_dof", "Degrees of freedom of the transit model"),
    *_text("koi_model_chisq", "Chi-square of the transit model"),
    *_measured("koi_smet", "Metallicity of the star", "dex"),
    *_measured("koi_smass", "Mass of the star", "M_Sun"),
    *_text("koi_fwm_stat_sig", "Flux-weighted centroid motion significance"),
    *_text("koi_fwm_srao", "Flux-weighted source offset in right ascension", "arcsec"),
    *_text("koi_fwm_sdeco", "Flux-weighted source offset in declination", "arcsec"),
    *_text("koi_dicco_msky", "Difference-image offset from the out-of-transit centroid", "arcsec"),
    *_text("koi_dicco_msky_err", "Its uncertainty", "arcsec"),
    *_text("koi_dikco_msky", "Difference-image offset from the KIC position", "arcsec"),
    *_text("koi_dikco_msky_err", "Its uncertainty", "arcsec"),
)

_TOI = (
    *_text("toi", "TOI number, e.g. 1000.01", nullable=False),
    *_text("tid", "TESS Input Catalog number", nullable=False),
    *_text("tfopwg_disp", "TFOPWG disposition: PC, FP, CP, KP, APC or FA"),
    *_text("ra", "Right ascension", "deg"),
    *_text("dec", "Declination", "deg"),
    *_text("st_pmra", "Proper motion in right ascension", "mas/yr"),
    *_text("st_pmdec", "Proper motion in declination", "mas/yr"),
    *_pl("pl_tranmid", "Mid-transit time, BJD", "d"),
    *_pl("pl_orbper", "Orbital period", "d"),
    *_pl("pl_trandurh", "Transit duration", "h"),
    *_pl("pl_trandep", "Transit depth", "ppm"),
    *_pl("pl_rade", "Planet radius", "R_Earth"),
    *_text("pl_insol", "Insolation", "S_Earth"),
    *_text("pl_eqt", "Equilibrium temperature", "K"),
    *_text("st_tmag", "TESS-band magnitude", "mag"),
    *_text("st_dist", "Distance", "pc"),
    *_pl("st_teff", "Effective temperature of the star", "K"),
    *_pl("st_logg", "Surface gravity of the star, log10", "cm/s2"),
    *_pl("st_rad", "Radius of the star", "R_Sun"),
)

_K2 = (
    *_text("pl_name", "Name of the planet or candidate", nullable=False),
    *_text("hostname", "Name of the host star", nullable=False),
    *_text("default_flag", "1 on the row of the object's default parameter set", nullable=False),
    *_text("disposition", "Disposition: CONFIRMED, CANDIDATE, FALSE POSITIVE or REFUTED"),
    *_text("discoverymethod", "Method of discovery"),
    *_pl("pl_orbper", "Orbital period", "d"),
    *_pl("pl_rade", "Planet radius", "R_Earth"),
    *_pl("pl_insol", "Insolation", "S_Earth"),
    *_pl("pl_eqt", "Equilibrium temperature", "K"),
    *_pl("st_teff", "Effective temperature of the star", "K"),
    *_pl("st_rad", "Radius of the star", "R_Sun"),
    *_pl("st_mass", "Mass of the star", "M_Sun"),
    *_pl("st_met", "Metallicity of the star", "dex"),
    *_pl("st_logg", "Surface gravity of the star, log10", "cm/s2"),
    *_text("ra", "Right ascension", "deg"),
    *_text("dec", "Declination", "deg"),
    *_text("sy_dist", "Distance", "pc"),
    *_text("sy_gaiamag", "Gaia G magnitude", "mag"),
)

_PLANETS = (
    *_text("pl_name", "Name of the planet", nullable=False),
    *_text("hostname", "Name of the host star", nullable=False),
    *_text("discoverymethod", "Method of discovery"),
    *_text("disc_year", "Year of discovery"),
    *_text("disc_facility", "Facility of discovery"),
    *_pl("pl_orbper", "Orbital period", "d"),
    *_pl("pl_rade", "Planet radius", "R_Earth"),
    *_text("ra", "Right ascension", "deg"),
    *_text("dec", "Declination", "deg"),
    *_text("sy_dist", "Distance", "pc"),
)


def _fitted(name: str, description: str, unit: str = "") -> tuple[Column, ...]:
    """A quantity of an event with its one uncertainty, -1 where the fit failed."""
    return (
        Column(name, pl.String, description, unit),
        Column(f"{name}_err", pl.String, f"{description}: uncertainty", unit),
    )


_TCE = (
    *_text("kepid", "Kepler Input Catalog number", nullable=False),
    *_text("tce_plnt_num", "Number of the event on its star, in the order of detection", nullable=False),
    *_text("tce_rogue_flag", "1 for an event that fails the pipeline's own three-transit check"),
    *_fitted("tce_period", "Orbital period", "d"),
    *_fitted("tce_time0bk", "Mid-transit time, BJD - 2454833", "d"),
    *_fitted("tce_duration", "Transit duration", "h"),
    *_fitted("tce_ingress", "Duration of ingress", "h"),
    *_fitted("tce_depth", "Transit depth", "ppm"),
    *_fitted("tce_impact", "Impact parameter"),
    *_fitted("tce_ror", "Planet radius over star radius"),
    *_fitted("tce_dor", "Planet-star distance over star radius"),
    *_fitted("tce_incl", "Inclination", "deg"),
    *_fitted("tce_prad", "Planet radius", "R_Earth"),
    *_fitted("tce_sma", "Semi-major axis", "au"),
    *_fitted("tce_eqt", "Equilibrium temperature", "K"),
    *_fitted("tce_insol", "Insolation", "S_Earth"),
    *_fitted("tce_albedo", "Geometric albedo that the weak secondary would need"),
    *_fitted("tce_ptemp", "Temperature that the weak secondary would need", "K"),
    *_fitted("tce_steff", "Effective temperature of the star", "K"),
    *_fitted("tce_slogg", "Surface gravity of the star, log10", "cm/s2"),
    *_fitted("tce_smet", "Metallicity of the star", "dex"),
    *_fitted("tce_sradius", "Radius of the star", "R_Sun"),
    *_text("tce_num_transits", "Number of transits expected in the data"),
    *_text("tce_rb_tcount0", "Number of transits free of rolling bands"),
    *_text("tce_model_snr", "Signal to noise of the transit model"),
    *_text("tce_max_mult_ev", "Maximum multiple-event statistic"),
    *_text("tce_max_sngle_ev", "Maximum single-event statistic"),
    *_text("tce_robstat", "Robust statistic"),
    *_text("tce_bin_oedp_stat", "Odd-even depth comparison statistic"),
    *_text("tce_maxmes", "Multiple-event statistic of the weak secondary"),
    *_text("tce_maxmesd", "Time from transit to the weak secondary", "d"),
    *_text("wst_depth", "Depth of the weak secondary", "ppm"),
    *_text("wst_robstat", "Robust statistic of the weak secondary"),
    *_text("tce_albedo_stat", "Significance of the albedo's excess over 1"),
    *_text("tce_ptemp_stat", "Significance of the temperature's excess over equilibrium"),
    *_text("boot_fap", "Bootstrap probability of a false alarm"),
    *_text("tce_cap_stat", "Ghost diagnostic of the core aperture"),
    *_text("tce_hap_stat", "Ghost diagnostic of the halo aperture"),
    *_text("tce_fwm_stat", "Flux-weighted centroid motion statistic"),
    *_fitted("tce_fwm_srao", "Flux-weighted source offset in right ascension", "arcsec"),
    *_fitted("tce_fwm_sdeco", "Flux-weighted source offset in declination", "arcsec"),
    *_fitted("tce_fwm_prao", "Flux-weighted peak offset in right ascension", "arcsec"),
    *_fitted("tce_fwm_pdeco", "Flux-weighted peak offset in declination", "arcsec"),
    *_fitted("tce_dicco_msky", "Difference-image offset from the out-of-transit centroid", "arcsec"),
    *_fitted("tce_dikco_msky", "Difference-image offset from the KIC position", "arcsec"),
)


def _raw(
    archive_table: str,
    description: str,
    columns: tuple[Column, ...],
    key: tuple[str, ...],
    *,
    as_of_column: str | None = None,
    updated_column: str | None = None,
    stand_in: StandIn | None = None,
    followed: tuple[str, ...] = (),
    also_read: tuple[str, ...] = (),
) -> RawContract:
    return RawContract(
        f"raw_nea__{archive_table}",
        f"{description}, verbatim from the NASA Exoplanet Archive (table {archive_table}).",
        columns,
        key,
        archive_table=archive_table,
        as_of_column=as_of_column,
        updated_column=updated_column or as_of_column,
        stand_in=stand_in,
        followed=followed,
        also_read=also_read,
    )


def _errors(*names: str) -> tuple[str, ...]:
    """Quantities of the newer tables with their uncertainties and limit flags."""
    return tuple(f"{name}{end}" for name in names for end in ("", "err1", "err2", "lim"))


_TEQ_ERRORS = ("koi_teq_err1", "koi_teq_err2")
_KOI_FOLLOWED = ("kepoi_name", "kepid", "kepler_name", "koi_disposition", "koi_vet_date", "koi_period", "ra", "dec")
_TOI_FOLLOWED = (
    *("toi", "tid", "tfopwg_disp", "pl_orbper", "pl_orbperlim", "pl_tranmid", "ra", "dec", "st_pmra", "st_pmdec"),
    "rowupdate",
)
_K2_FOLLOWED = (
    *("pl_name", "hostname", "epic_hostname", "epic_candname", "k2_name", "tic_id", "hd_name", "hip_name"),
    *("disposition", "default_flag", "rowupdate", "discoverymethod", "pl_orbper", "pl_orbperlim", "pl_tranmid"),
    *("ra", "dec", "sy_pmra", "sy_pmdec"),
)

CUMULATIVE = _raw(
    "cumulative",
    "Kepler Objects of Interest, cumulative",
    _KOI,
    ("kepoi_name",),
    updated_column="koi_vet_date",
    followed=_KOI_FOLLOWED,
    also_read=("koi_vet_date", *_TEQ_ERRORS, *(c.name for c in _DR25_ONLY)),
)
TOI = _raw(
    "toi",
    "TESS Objects of Interest",
    _TOI,
    ("toi",),
    as_of_column="rowupdate",
    followed=_TOI_FOLLOWED,
    also_read=("rowupdate", *_errors("st_mass", "pl_insol", "pl_eqt")),
)
# One object has several rows here, and two rows of one publication may differ in their values only: there is no key.
K2PANDC = _raw(
    "k2pandc",
    "K2 planets and candidates",
    _K2,
    (),
    as_of_column="rowupdate",
    followed=_K2_FOLLOWED,
    also_read=(
        *("rowupdate", "epic_hostname", "epic_candname", "epic_name", "k2_name", "tic_id", "sy_pmra", "sy_pmdec"),
        *_errors("pl_tranmid", "pl_trandur", "pl_trandep", "pl_ratror", "pl_imppar", "pl_ratdor", "pl_orbincl"),
    ),
)
PSCOMPPARS = _raw(
    "pscomppars", "Confirmed planets, composite parameters", _PLANETS, ("pl_name",), updated_column="rowupdate"
)
DR25_KOI = _raw(
    "q1_q17_dr25_koi",
    "Kepler Objects of Interest of Data Release 25, with pipeline diagnostics",
    (*_KOI, *_DR25_ONLY),
    ("kepoi_name",),
    as_of_column="koi_vet_date",
    followed=_KOI_FOLLOWED,
    also_read=("koi_vet_date", *_TEQ_ERRORS, "koi_tce_plnt_num", "koi_fpflag_nt"),
)

# Where the compilers of the labelled file wrote over a diagnostic, they kept the archive's value as `<name>_original`.
_OVERWRITTEN = (
    *("wst_depth", "tce_maxmes", "tce_albedo", "tce_ptemp", "tce_albedo_stat", "tce_ptemp_stat"),
)  # fmt: skip
DR25_TCE = _raw(
    "q1_q17_dr25_tce",
    "Threshold-crossing events of Data Release 25: everything that the pipeline tripped on",
    _TCE,
    ("kepid", "tce_plnt_num"),
    stand_in=StandIn(
        "labels/q1_q17_dr25_tce_labelled.parquet",
        {
            "transit_depth": "tce_depth",
            **{f"{name}_original": name for name in _OVERWRITTEN},
            **{name: f"{name}_overwritten" for name in _OVERWRITTEN},
        },
    ),
    also_read=("label", "cv_fold", "kepoi_name", "koi_disposition", "fpwg_disp_status"),
)

CONTRACTS: tuple[RawContract, ...] = (CUMULATIVE, TOI, K2PANDC, PSCOMPPARS, DR25_KOI, DR25_TCE)

RAW_CONTRACTS: dict[str, RawContract] = {contract.archive_table: contract for contract in CONTRACTS}
"""Contract by the archive's table name."""
