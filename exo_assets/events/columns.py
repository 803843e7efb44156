"""The columns of events: the archive's name, ours, the unit, and what stands for an unknown value.

Belongs here: the harmonised numeric columns, written once. Does not belong here: labels (labels.py), or what the
columns become (features.py).

Meanings are those of the archive's "Data Columns in the Kepler TCE Table". The data-validation module writes -1 for the
uncertainty of what it could not fit, and 0 for a statistic that it did not compute: both are unknown here.
"""

# ruff: noqa: E501  (one column a line reads as a table)
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unknown = Literal["", "minus_one", "zero", "not_positive"]
Group = Literal["transit", "star", "statistic", "centroid", "error"]


@dataclass(frozen=True)
class Measured:
    """One numeric column. `raw` is the archive's name; `unknown` says which values stand for none.

    With `required`, a table of events without the column is not the archive's; others came from other tables.
    """

    raw: str
    name: str
    unit: str
    description: str
    group: Group
    unknown: Unknown = ""
    required: bool = True


def _fit(raw: str, name: str, unit: str, description: str, unknown: Unknown = "") -> tuple[Measured, ...]:
    """A quantity of the transit fit, and its uncertainty."""
    return (
        Measured(raw, name, unit, description, "transit", unknown),
        Measured(f"{raw}_err", f"{name}_err", unit, f"Uncertainty of: {description}", "error", "minus_one"),
    )


def _offset(raw: str, name: str, unit: str, description: str) -> tuple[Measured, ...]:
    """An offset on the sky, and its uncertainty."""
    return (
        Measured(raw, name, unit, description, "centroid"),
        Measured(f"{raw}_err", f"{name}_err", unit, f"Uncertainty of: {description}", "centroid", "minus_one"),
    )


def _star(raw: str, name: str, unit: str, description: str, unknown: Unknown = "") -> tuple[Measured, ...]:
    return (
        Measured(raw, name, unit, description, "star", unknown),
        Measured(f"{raw}_err", f"{name}_err", unit, f"Uncertainty of: {description}", "error", "not_positive"),
    )


MEASURED: tuple[Measured, ...] = (
    *_fit("tce_period", "period_days", "d", "Orbital period", "not_positive"),
    *_fit("tce_time0bk", "t0_bkjd", "d", "First mid-transit time, BJD - 2454833"),
    *_fit("tce_duration", "duration_hours", "h", "Transit duration, first to last contact", "not_positive"),
    *_fit("tce_ingress", "ingress_hours", "h", "Duration of ingress"),
    *_fit("tce_depth", "depth_ppm", "ppm", "Depth of the fitted transit", "not_positive"),
    *_fit("tce_impact", "impact", "", "Impact parameter"),
    *_fit("tce_ror", "radius_ratio", "", "Planet radius over star radius", "not_positive"),
    *_fit("tce_dor", "a_over_rs", "", "Planet-star distance over star radius", "not_positive"),
    *_fit("tce_incl", "inclination_deg", "deg", "Inclination"),
    *_fit("tce_prad", "radius_earth", "R_Earth", "Planet radius", "not_positive"),
    *_fit("tce_sma", "semi_major_axis_au", "au", "Semi-major axis", "not_positive"),
    *_fit("tce_eqt", "teq_k", "K", "Equilibrium temperature", "not_positive"),
    *_fit("tce_insol", "insolation_earth", "S_Earth", "Insolation", "not_positive"),
    *_fit("tce_albedo", "albedo", "", "Geometric albedo that the weak secondary would need", "not_positive"),
    *_fit("tce_ptemp", "planet_temperature_k", "K", "Temperature that the weak secondary would need", "not_positive"),
    *_star("tce_steff", "star_teff_k", "K", "Effective temperature of the star", "not_positive"),
    *_star("tce_slogg", "star_logg_cgs", "cm/s2", "Surface gravity of the star, log10"),
    *_star("tce_smet", "star_metallicity_dex", "dex", "Metallicity of the star"),
    *_star("tce_sradius", "star_radius_sun", "R_Sun", "Radius of the star", "not_positive"),
    Measured("tce_num_transits", "n_transits", "", "Transits expected in the data", "statistic"),
    Measured("tce_rb_tcount0", "n_transits_clean", "", "Transits free of rolling bands (severity 0)", "statistic"),
    Measured("tce_model_snr", "model_snr", "", "Signal to noise of the transit fit", "statistic", "not_positive"),
    Measured("tce_max_mult_ev", "mes", "", "Multiple-event statistic", "statistic", "not_positive"),
    Measured("tce_max_sngle_ev", "ses", "", "Largest single-event statistic", "statistic", "not_positive"),
    Measured("tce_robstat", "robust_statistic", "", "Robust detection statistic", "statistic", "minus_one"),
    Measured("tce_bin_oedp_stat", "odd_even_statistic", "", "Odd-even depth comparison statistic", "statistic", "zero"),
    Measured("tce_maxmes", "secondary_mes", "", "Multiple-event statistic of the strongest other event at this period and duration", "statistic", "zero"),
    Measured("tce_maxmesd", "secondary_phase_days", "d", "Time from transit to that event", "statistic", "zero"),
    Measured("wst_depth", "secondary_depth_ppm", "ppm", "Depth of the weak secondary", "statistic", "zero"),
    Measured("wst_robstat", "secondary_robust_statistic", "", "Robust statistic of the weak secondary", "statistic", "minus_one"),
    Measured("tce_albedo_stat", "albedo_statistic", "", "Significance of an albedo above 1", "statistic", "zero"),
    Measured("tce_ptemp_stat", "planet_temperature_statistic", "", "Significance of a temperature above equilibrium", "statistic", "zero"),
    Measured("boot_fap", "bootstrap_false_alarm", "", "Bootstrap probability of a false alarm", "statistic", "minus_one"),
    Measured("tce_cap_stat", "ghost_core_statistic", "", "Ghost diagnostic: correlation of the core aperture with the transit", "statistic", "zero"),
    Measured("tce_hap_stat", "ghost_halo_statistic", "", "Ghost diagnostic: correlation of the halo with the transit", "statistic", "zero"),
    Measured("tce_fwm_stat", "centroid_motion_statistic", "", "Flux-weighted centroid motion statistic", "centroid", "zero"),
    *_offset("tce_fwm_srao", "fw_source_ra_arcsec", "arcsec", "Flux-weighted source offset in right ascension"),
    *_offset("tce_fwm_sdeco", "fw_source_dec_arcsec", "arcsec", "Flux-weighted source offset in declination"),
    *_offset("tce_fwm_prao", "fw_peak_ra_arcsec", "arcsec", "Flux-weighted peak offset in right ascension"),
    *_offset("tce_fwm_pdeco", "fw_peak_dec_arcsec", "arcsec", "Flux-weighted peak offset in declination"),
    *_offset("tce_dicco_msky", "offset_oot_arcsec", "arcsec", "Difference-image offset from the out-of-transit centroid"),
    *_offset("tce_dikco_msky", "offset_kic_arcsec", "arcsec", "Difference-image offset from the KIC position"),
    Measured("mag", "magnitude", "mag", "Kepler-band magnitude", "star", required=False),
    Measured("tce_smass", "star_mass_sun", "M_Sun", "Mass of the star", "star", "not_positive", required=False),
    Measured("tce_sdens", "star_density_gcc", "g/cm3", "Mean density of the star", "star", "not_positive", required=False),
)  # fmt: skip

POSITION: tuple[Measured, ...] = (
    Measured("ra", "ra_deg", "deg", "Right ascension", "star", required=False),
    Measured("dec", "dec_deg", "deg", "Declination", "star", required=False),
)
"""Where the star is: for the distance between events of one ephemeris, never for a model to look at."""

SPAN_DAYS = 1459.8
"""Nominal time base of a Kepler target, Q1 to Q17."""
