"""The archive's column layouts: which column of which table is which harmonised quantity, with units and time system.

Belongs here: the mapping as data, and telling layouts apart. Does not belong here: arithmetic (`parsing.py`) and the
columns that need more than a rename (`harmonise.py`). Column definitions: the NASA Exoplanet Archive's documentation
of the cumulative KOI table, the TESS Project Candidates table, and the K2 Planets and Candidates table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from exo_assets.catalogs.parsing import Quantity

BKJD_ZERO = 2_454_833.0
"""Barycentric Kepler Julian Date 0, in BJD: koi_time0bk = BJD - 2454833.0."""

PPM_PER_PERCENT = 1e4


@dataclass(frozen=True)
class Layout:
    """One table's layout: the column that names the signal, numeric identifiers, and the measured quantities."""

    name: str
    title: str
    signal: str
    identifiers: tuple[str, ...]
    marks: tuple[str, ...]
    quantities: tuple[Quantity, ...]

    @property
    def numeric(self) -> tuple[str, ...]:
        """Every column in which only numbers belong."""
        return tuple(dict.fromkeys(s for q in self.quantities for s in q.sources))


def _koi(
    column: str,
    source: str,
    error: str | None = None,
    *,
    one_sided: bool = False,
    offset: float = 0.0,
    sentinel: float | None = None,
) -> Quantity:
    errors = () if error is None else (f"{source}_err",) if one_sided else (f"{source}_err1", f"{source}_err2")
    return Quantity(column, source, error, errors, offset=offset, sentinel=sentinel)


def _planetary(column: str, source: str, error: str | None = None, scale: float = 1.0) -> Quantity:
    errors = (f"{source}err1", f"{source}err2") if error else ()
    return Quantity(column, source, error, errors, limit=f"{source}lim", scale=scale)


# koi_bin_oedp_sig is a probability; -1 says that it was not computed. koi_smass is 0 where no stellar mass is known.
_KOI_QUANTITIES = (
    _koi("period_days", "koi_period", "period_err_days"),
    _koi("t0_bjd", "koi_time0bk", "t0_err_days", offset=BKJD_ZERO),
    _koi("duration_hours", "koi_duration", "duration_err_hours"),
    _koi("depth_ppm", "koi_depth", "depth_err_ppm"),
    _koi("radius_earth", "koi_prad", "radius_err_earth"),
    _koi("radius_ratio", "koi_ror", "radius_ratio_err"),
    _koi("impact", "koi_impact", "impact_err"),
    _koi("insolation_earth", "koi_insol", "insolation_err_earth"),
    _koi("teq_k", "koi_teq", "teq_err_k"),
    _koi("snr", "koi_model_snr"),
    _koi("mes", "koi_max_mult_ev"),
    _koi("ses", "koi_max_sngle_ev"),
    _koi("n_transits", "koi_num_transits"),
    _koi("fit_stellar_density_gcc", "koi_srho"),
    _koi("a_over_rs", "koi_dor"),
    _koi("inclination_deg", "koi_incl"),
    _koi("odd_even_sig", "koi_bin_oedp_sig", sentinel=-1.0),
    _koi("model_chisq", "koi_model_chisq"),
    _koi("model_dof", "koi_model_dof"),
    _koi("centroid_motion_sig", "koi_fwm_stat_sig"),
    _koi("centroid_offset_oot_arcsec", "koi_dicco_msky", "centroid_offset_oot_err_arcsec", one_sided=True),
    _koi("centroid_offset_kic_arcsec", "koi_dikco_msky", "centroid_offset_kic_err_arcsec", one_sided=True),
    _koi("fw_offset_ra_arcsec", "koi_fwm_srao"),
    _koi("fw_offset_dec_arcsec", "koi_fwm_sdeco"),
    _koi("star_teff_k", "koi_steff", "star_teff_err_k"),
    _koi("star_logg_cgs", "koi_slogg", "star_logg_err_cgs"),
    _koi("star_radius_sun", "koi_srad", "star_radius_err_sun"),
    _koi("star_mass_sun", "koi_smass", "star_mass_err_sun", sentinel=0.0),
    _koi("star_metallicity_dex", "koi_smet", "star_metallicity_err_dex"),
    _koi("magnitude", "koi_kepmag"),
    _koi("ra_deg", "ra"),
    _koi("dec_deg", "dec"),
)

# TOI: depth in ppm, duration in hours (pl_trandurh), epoch in BJD (pl_tranmid).
_TOI_QUANTITIES = (
    _planetary("period_days", "pl_orbper", "period_err_days"),
    _planetary("t0_bjd", "pl_tranmid", "t0_err_days"),
    _planetary("duration_hours", "pl_trandurh", "duration_err_hours"),
    _planetary("depth_ppm", "pl_trandep", "depth_err_ppm"),
    _planetary("radius_earth", "pl_rade", "radius_err_earth"),
    _planetary("insolation_earth", "pl_insol", "insolation_err_earth"),
    _planetary("teq_k", "pl_eqt", "teq_err_k"),
    _planetary("star_teff_k", "st_teff", "star_teff_err_k"),
    _planetary("star_logg_cgs", "st_logg", "star_logg_err_cgs"),
    _planetary("star_radius_sun", "st_rad", "star_radius_err_sun"),
    _planetary("star_mass_sun", "st_mass", "star_mass_err_sun"),
    _planetary("distance_pc", "st_dist"),
    _planetary("magnitude", "st_tmag"),
    Quantity("ra_deg", "ra"),
    Quantity("dec_deg", "dec"),
    _planetary("pm_ra_mas_yr", "st_pmra"),
    _planetary("pm_dec_mas_yr", "st_pmdec"),
)

# K2: depth in percent (the TOI table's is in ppm), duration in hours (pl_trandur), epoch in BJD.
_K2_QUANTITIES = (
    _planetary("period_days", "pl_orbper", "period_err_days"),
    _planetary("t0_bjd", "pl_tranmid", "t0_err_days"),
    _planetary("duration_hours", "pl_trandur", "duration_err_hours"),
    _planetary("depth_ppm", "pl_trandep", "depth_err_ppm", scale=PPM_PER_PERCENT),
    _planetary("radius_earth", "pl_rade", "radius_err_earth"),
    _planetary("radius_ratio", "pl_ratror", "radius_ratio_err"),
    _planetary("impact", "pl_imppar", "impact_err"),
    _planetary("insolation_earth", "pl_insol", "insolation_err_earth"),
    _planetary("teq_k", "pl_eqt", "teq_err_k"),
    _planetary("a_over_rs", "pl_ratdor"),
    _planetary("inclination_deg", "pl_orbincl"),
    _planetary("star_teff_k", "st_teff", "star_teff_err_k"),
    _planetary("star_logg_cgs", "st_logg", "star_logg_err_cgs"),
    _planetary("star_radius_sun", "st_rad", "star_radius_err_sun"),
    _planetary("star_mass_sun", "st_mass", "star_mass_err_sun"),
    _planetary("star_metallicity_dex", "st_met", "star_metallicity_err_dex"),
    Quantity("distance_pc", "sy_dist"),
    Quantity("magnitude", "sy_gaiamag"),
    Quantity("ra_deg", "ra"),
    Quantity("dec_deg", "dec"),
    Quantity("pm_ra_mas_yr", "sy_pmra"),
    Quantity("pm_dec_mas_yr", "sy_pmdec"),
)

LAYOUTS: dict[str, Layout] = {
    "koi": Layout(
        "koi",
        "Kepler Objects of Interest",
        signal="kepoi_name",
        identifiers=("kepid",),
        marks=("kepoi_name", "kepid", "koi_"),
        quantities=_KOI_QUANTITIES,
    ),
    "toi": Layout(
        "toi",
        "TESS Objects of Interest",
        signal="toi",
        identifiers=("tid",),
        marks=("toi", "tid", "tfopwg_disp", "pl_trandurh", "st_tmag", "st_dist", "st_pmra", "st_pmdec"),
        quantities=_TOI_QUANTITIES,
    ),
    "k2": Layout(
        "k2",
        "K2 Planets and Candidates",
        signal="pl_name",
        identifiers=(),
        marks=("pl_name", "hostname", "epic_", "k2_name", "default_flag", "soltype", "pl_trandur", "sy_"),
        quantities=_K2_QUANTITIES,
    ),
}

SIGNAL_COLUMN = {name: layout.signal for name, layout in LAYOUTS.items()}
"""The column that names the signal in each layout: the only one that must be there (a caller may make it up)."""


_SPELLINGS = frozenset(
    name
    for layout in LAYOUTS.values()
    for name in (layout.signal, *layout.identifiers, *layout.numeric)
    if name not in ("ra", "dec")
)


def misspelt(columns: Iterable[str]) -> dict[str, str]:
    """Names in `columns` that differ from a catalogue column by case, blanks, invisible signs or a unit in brackets
    only, and which column each looks like. They would be ignored without a word."""
    names = list(columns)
    bare = {name: re.sub(r"[^a-z0-9_]", "", re.sub(r"[\[(].*", "", name.lower())) for name in names}
    return {n: b for n, b in bare.items() if n != b and b in _SPELLINGS and b not in names}


def detect_layout(columns: Iterable[str]) -> str:
    """'koi', 'toi' or 'k2': the layout that the most of `columns` belong to and no other's marks contradict.

    ValueError names what is missing when no layout's own columns are there, or when two layouts' are equally so.
    """
    names = list(columns)
    score = {name: _marks(layout, names) for name, layout in LAYOUTS.items()}
    best = max(score.values())
    winners = [name for name, n in score.items() if n == best]
    if best == 0:
        wanted = "; ".join(f"{lay.title}: {', '.join(lay.marks)}" for lay in LAYOUTS.values())
        raise ValueError(
            f"the columns {names[:8]} are of no known catalogue layout: none of the columns that tell them apart is "
            f"there ({wanted})"
        )
    if len(winners) > 1:
        raise ValueError(
            f"the columns fit the layouts {winners} equally well; add the column that names the signal: "
            + " or ".join(f"{SIGNAL_COLUMN[name]!r} ({LAYOUTS[name].title})" for name in winners)
        )
    readable = {*LAYOUTS[winners[0]].numeric}
    if not readable & set(names):
        raise ValueError(
            f"the columns look like {LAYOUTS[winners[0]].title}, but no measured quantity is among them; "
            f"at least one of {', '.join(LAYOUTS[winners[0]].numeric[:8])}, ... is needed"
        )
    return winners[0]


def _marks(layout: Layout, names: list[str]) -> int:
    whole = {m for m in layout.marks if not m.endswith("_")}
    prefixes = tuple(m for m in layout.marks if m.endswith("_"))
    return sum(n in whole or n.removesuffix("lim").rstrip("12").removesuffix("err") in whole for n in names) + sum(
        n.startswith(prefixes) for n in names if prefixes
    )
