"""The tabular features: name, unit, formula and source of each, written once.

Belongs here: what a feature is. Does not belong here: how it is computed (tabular.py) or when it is withheld from the
model (transformer.py).
"""

# ruff: noqa: E501  (one feature a line reads as a table)
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from exo_assets.features.from_light_curves import CURVE_COLUMNS, PREFIX

Group = Literal["transit", "error", "star", "star_error", "system", "diagnostics", "light_curve", "mission"]


@dataclass(frozen=True)
class Feature:
    """One feature of a transit signal. `inputs` are the columns of `core_signals`, or of `from_light_curves.py`, that it
    is computed from."""

    name: str
    unit: str
    formula: str
    source: str
    group: Group
    inputs: tuple[str, ...]
    categorical: bool = False


ARCHIVE = "NASA Exoplanet Archive column definitions"
SEAGER = "Seager & Mallen-Ornelas 2003, ApJ 585, 1038"
WINN = "Winn 2010, arXiv:1001.2010, eq. 14"
KEPLER3 = "Kepler's third law"
HELLER = "Heller 2019, A&A 623, A137"
SHALLUE = "practice of the field (logarithms of heavy-tailed quantities)"
DR25 = "Thompson et al. 2018, ApJS 235, 38"
MAZEH = "Mazeh, Holczer & Faigler 2016, A&A 589, A75, eq. 1-2"
LISSAUER = "Lissauer et al. 2012, ApJ 750, 112 (multiplicity)"
SHARES = "ratio of a published uncertainty to its value"

_P, _T, _D, _R, _K = "period_days", "duration_hours", "depth_ppm", "radius_earth", "radius_ratio"
_STAR = ("star_radius_sun", "star_mass_sun", "star_logg_cgs")


def _log(name: str, unit: str, column: str) -> Feature:
    return Feature(name, f"log10({unit})", f"log10({column})", SHALLUE, "transit", (column,))


def _relative(name: str, value: str, error: str, group: Group = "error") -> Feature:
    return Feature(name, "1", f"{error} / {value}", SHARES, group, (value, error))


def _as_is(name: str, unit: str, group: Group, source: str = ARCHIVE) -> Feature:
    return Feature(name, unit, name, source, group, (name,))


FEATURES: tuple[Feature, ...] = (
    # -- the transit ---------------------------------------------------------------------------------------------
    _log("log_period", "d", _P),
    _log("log_duration", "h", _T),
    _log("log_depth", "ppm", _D),
    _log("log_radius", "R_Earth", _R),
    _log("log_snr", "1", "snr"),
    Feature("sqrt_depth", "1", "sqrt(depth): radius ratio of a central transit without limb darkening", HELLER, "transit", (_D,)),
    Feature("radius_ratio_catalogue", "1", "radius_earth R_Earth / (star_radius_sun R_Sun)", "definition", "transit", (_R, "star_radius_sun")),
    Feature("log_blend", "log10", "log10(depth / (Rp/Rs)^2): far from 0 when light of another star dilutes the transit", HELLER, "transit", (_D, _R, "star_radius_sun")),
    Feature("duty_cycle", "1", "q = T14 / P", "definition", "transit", (_T, _P)),
    Feature("log_duration_ratio", "log10", "log10(T14 / T14 of a central transit on a circular orbit at the star's density)", SEAGER, "transit", (_T, _P, _D, *_STAR)),
    Feature("impact", "1", "impact parameter b of the fit", ARCHIVE, "transit", ("impact",)),
    Feature("v_shape", "1", "b + Rp/Rs: above 1 the transit grazes", DR25, "transit", ("impact", _D, _K)),
    Feature("log_insolation", "log10(S_Earth)", "log10(insolation), else log10((Rs/a)^2 (Teff/5772)^4) with a in AU and Rs in R_Sun", "flux at distance a", "transit", ("insolation_earth", "star_teff_k", _P, *_STAR)),
    Feature("teq", "K", "equilibrium temperature, else Teff sqrt(Rs / 2a) (zero albedo, full redistribution)", WINN, "transit", ("teq_k", "star_teff_k", _P, *_STAR)),
    Feature("log_semi_major_axis", "log10(AU)", "log10((M P_yr^2)^(1/3))", KEPLER3, "transit", (_P, *_STAR)),
    Feature("log_a_over_rs", "log10", "log10((G rho P^2 / 3 pi)^(1/3))", SEAGER, "transit", (_P, *_STAR)),
    Feature("desert_distance", "log10(R_Earth)", "smaller of (upper edge - log10 R) and (log10 R - lower edge) of the short-period desert; positive inside", MAZEH, "transit", (_P, _R)),
    Feature("snr_per_transit", "1", "snr / sqrt(N), N = n_transits, else max(1, nominal span of the mission / P)", DR25, "transit", ("snr", _P, "n_transits")),
    # -- uncertainties -------------------------------------------------------------------------------------------
    Feature("log_period_rel_err", "log10", "log10(period_err_days / period_days)", SHARES, "error", (_P, "period_err_days")),
    Feature("t0_err_per_duration", "1", "t0_err_days / T14", SHARES, "error", ("t0_err_days", _T)),
    _relative("duration_rel_err", _T, "duration_err_hours"),
    _relative("depth_rel_err", _D, "depth_err_ppm"),
    _relative("radius_rel_err", _R, "radius_err_earth"),
    _relative("insolation_rel_err", "insolation_earth", "insolation_err_earth"),
    _relative("teq_rel_err", "teq_k", "teq_err_k"),
    _as_is("impact_err", "1", "error"),
    # -- the star ------------------------------------------------------------------------------------------------
    _as_is("star_teff_k", "K", "star"),
    _as_is("star_logg_cgs", "cm/s2", "star"),
    _as_is("star_radius_sun", "R_Sun", "star"),
    _as_is("star_mass_sun", "M_Sun", "star"),
    _as_is("star_metallicity_dex", "dex", "star"),
    Feature("log_star_density", "log10(g/cm3)", "log10(3 M / 4 pi R^3), else log10(3 g / (4 pi G R))", "definition", "star", _STAR),
    Feature("log_distance", "log10(pc)", "log10(distance_pc)", SHALLUE, "star", ("distance_pc",)),
    _as_is("magnitude", "mag", "star"),
    Feature("absolute_magnitude", "mag", "m - 5 log10(d / 10 pc), no extinction", "definition", "star", ("magnitude", "distance_pc")),
    Feature("excess_magnitude", "mag", "absolute magnitude - (4.74 - 2.5 log10((R)^2 (Teff/5772)^4)): negative when the light is more than one star's", "Stefan-Boltzmann law; IAU 2015 B2", "star", ("magnitude", "distance_pc", "star_radius_sun", "star_teff_k")),
    Feature("log_proper_motion", "log10(mas/yr)", "log10(sqrt(pm_ra^2 + pm_dec^2))", "definition", "star", ("pm_ra_mas_yr", "pm_dec_mas_yr")),
    Feature("reduced_proper_motion", "mag", "m + 5 log10(pm in arcsec/yr) + 5", "Luyten 1922", "star", ("magnitude", "pm_ra_mas_yr", "pm_dec_mas_yr")),
    _relative("star_teff_rel_err", "star_teff_k", "star_teff_err_k", "star_error"),
    _as_is("star_logg_err_cgs", "dex", "star_error"),
    _relative("star_radius_rel_err", "star_radius_sun", "star_radius_err_sun", "star_error"),
    _relative("star_mass_rel_err", "star_mass_sun", "star_mass_err_sun", "star_error"),
    _as_is("star_metallicity_err_dex", "dex", "star_error"),
    # -- the system ----------------------------------------------------------------------------------------------
    Feature("n_signals", "1", "signals on the star: the larger of those in the table at hand and in the catalogue", LISSAUER, "system", ()),
    Feature("log_neighbour_period_ratio", "log10", "log10(P / P of the neighbour) for the nearest other period on the star", LISSAUER, "system", (_P,)),
    Feature("log_neighbour_depth_ratio", "log10", "log10(depth / depth of that neighbour): a secondary eclipse is a shallower twin", LISSAUER, "system", (_P, _D)),
    # -- pipeline diagnostics ------------------------------------------------------------------------------------
    Feature("log_mes", "log10", "log10(multiple-event statistic)", DR25, "diagnostics", ("mes",)),
    Feature("ses_over_mes", "1", "single-event over multiple-event statistic: one transit carries the signal when high", DR25, "diagnostics", ("mes", "ses")),
    Feature("snr_over_mes", "1", "snr of the fit over MES", DR25, "diagnostics", ("snr", "mes")),
    Feature("log_n_transits", "log10", "log10(number of transits)", ARCHIVE, "diagnostics", ("n_transits",)),
    _as_is("odd_even_sig", "1", "diagnostics", DR25),
    Feature("chisq_per_dof", "1", "model_chisq / model_dof", ARCHIVE, "diagnostics", ("model_chisq", "model_dof")),
    _as_is("centroid_motion_sig", "1", "diagnostics", DR25),
    _as_is("centroid_offset_oot_arcsec", "arcsec", "diagnostics", DR25),
    Feature("centroid_offset_oot_sig", "1", "offset / its uncertainty", DR25, "diagnostics", ("centroid_offset_oot_arcsec", "centroid_offset_oot_err_arcsec")),
    _as_is("centroid_offset_kic_arcsec", "arcsec", "diagnostics", DR25),
    Feature("centroid_offset_kic_sig", "1", "offset / its uncertainty", DR25, "diagnostics", ("centroid_offset_kic_arcsec", "centroid_offset_kic_err_arcsec")),
    Feature("fw_offset_arcsec", "arcsec", "sqrt(fw_offset_ra^2 + fw_offset_dec^2)", DR25, "diagnostics", ("fw_offset_ra_arcsec", "fw_offset_dec_arcsec")),
    Feature("log_fit_density_ratio", "log10", "log10(density of the transit fit / density of the star)", SEAGER, "diagnostics", ("fit_stellar_density_gcc", *_STAR)),
    Feature("log_fit_a_over_rs", "log10", "log10(a/Rs of the fit)", ARCHIVE, "diagnostics", ("a_over_rs",)),
    _as_is("inclination_deg", "deg", "diagnostics"),
    Feature("log_radius_ratio", "log10", "log10(Rp/Rs of the fit)", ARCHIVE, "diagnostics", (_K,)),
    Feature("radius_ratio_rel_err", "1", "radius_ratio_err / radius_ratio", SHARES, "diagnostics", (_K, "radius_ratio_err")),
    Feature("log_fit_depth_ratio", "log10", "log10(depth / (Rp/Rs of the fit)^2): limb darkening and grazing", HELLER, "diagnostics", (_D, _K)),
    # -- the light curve -----------------------------------------------------------------------------------------
    *(Feature(c.name, c.unit or "1", c.description, f"diagnostic {c.name.removeprefix(PREFIX)} of the light curve", "light_curve", (c.name,)) for c in CURVE_COLUMNS),
    # -- the mission ---------------------------------------------------------------------------------------------
    Feature("mission", "", "mission of the catalogue entry", ARCHIVE, "mission", ("mission",), categorical=True),
)  # fmt: skip

FEATURE_NAMES = tuple(f.name for f in FEATURES)
CATEGORICAL = tuple(f.name for f in FEATURES if f.categorical)
NUMERIC = tuple(f.name for f in FEATURES if not f.categorical)

BANNED = (
    "disposition", "disposition_archive", "planet_name", "koi_score", "koi_pdisposition", "koi_fpflag", "koi_vet",
    "koi_comment", "kepler_name", "koi_disp_prov", "koi_tce_delivname", "koi_tce_plnt_num", "koi_datalink", "tfopwg_disp",
    "toi_created", "rowupdate", "disc_", "soltype", "disp_refname", "pl_refname", "pl_pubdate", "releasedate",
    "pl_controv_flag", "sy_pnum", "pl_bmass", "pl_orbeccen", "kepid", "kic_id", "epic_id", "tic_id", "signal_id",
    "mission_star_id", "star_id", "ra_deg", "dec_deg", "t0_bjd", "source_table", "has_diagnostics",
)  # fmt: skip
"""Columns (or beginnings of their names) that no feature may be computed from: labels, their by-products, identity,
position, dates, and flags that say which table a row came from."""
