"""Features of threshold-crossing events: formulas over the columns of one event, and its context among the others.

Belongs here: what a model may look at, as one matrix with names. Does not belong here: labels, and the comparisons
between events (context.py).

No feature is a label in disguise: `BANNED` names what none is computed from, and a test holds it.
"""

from __future__ import annotations

import polars as pl

from exo_assets.events.columns import MEASURED, SPAN_DAYS
from exo_assets.events.context import SIBLING, Crowd, ephemeris_matches, star_context

BANNED = (
    "tce_nkoi", "koi_", "kepoi_name", "kepler_name", "fpwg_", "label", "tce_rogue_flag", "tceid", "cv_fold", "datalink",
    "kepid", "star_id", "event", "ra", "dec", "ra_deg", "dec_deg", "t0_bkjd", "planet_number", "tce_plnt_num",
)  # fmt: skip
"""Columns (or beginnings of their names) that no feature may be: labels and their by-products, identity, position.

`tce_nkoi` counts the catalogued planets of the star. The number of an event on its star is the order of detection, no
label, but it is kept out too: the catalogue was made from the events in that order. The sky position is kept out
because a star can be recognised by it; it is used only for the distance between events of one ephemeris.
"""

LOGS = (
    "period_days", "duration_hours", "ingress_hours", "depth_ppm", "radius_ratio", "a_over_rs", "radius_earth", "teq_k",
    "insolation_earth", "albedo", "planet_temperature_k", "model_snr", "mes", "ses", "robust_statistic",
    "odd_even_statistic", "secondary_mes", "secondary_depth_ppm", "ghost_core_statistic", "ghost_halo_statistic",
    "bootstrap_false_alarm", "centroid_motion_statistic", "n_transits", "offset_oot_arcsec", "offset_kic_arcsec",
    "semi_major_axis_au", "star_radius_sun",
)  # fmt: skip
"""Columns that are used as they are and from whose logarithms ratios are formed."""

TINY_PROBABILITY = 1e-300
G_CGS = 6.67430e-8
R_SUN_CM = 6.957e10
SOLAR_DENSITY_GCC = 1.40978
HOURS_AT_A_YEAR = 13.0
"""Duration of a central transit of a star of solar density at one year, hours (Winn 2010, arXiv:1001.2010, eq. 19)."""

ERRORS = tuple(c.name for c in MEASURED if c.group == "error")


CONTEXT_COLUMNS = (
    "event", "star_id", "ra_deg", "dec_deg", "period_days", "t0_bkjd", "duration_hours", "depth_ppm", "mes", "ses",
    "n_transits", "model_snr", "radius_earth", "impact", "secondary_mes", "offset_oot_arcsec", "offset_oot_arcsec_err",
    "offset_kic_arcsec", "offset_kic_arcsec_err",
)  # fmt: skip
"""Columns of an event that the features of other events are computed from."""


def build_features(events: pl.DataFrame, crowd: Crowd | None = None) -> pl.DataFrame:
    """Features of each event, rows in order: `event`, then numbers (Float64, null for unknown).

    `events` has the columns of `core_events`; all events known are to be given, because they are compared; or those
    that are near (`Neighbourhood.near`) with the counts over all (`crowd`).
    """
    own = events.select("event", "star_id", "ra_deg", "dec_deg", *(c.name for c in MEASURED)).with_columns(_logs())
    own = own.with_columns(_ratios()).with_columns(_ratios_of_ratios())
    context = [star_context(own), ephemeris_matches(own), (crowd or Crowd.of(own)).crowding(own)]
    frame = own
    for told in context:
        frame = pl.concat([frame, told.drop("event")], how="horizontal")
    numeric = frame.select("event", pl.exclude("event", "star_id", "ra_deg", "dec_deg", "t0_bkjd").cast(pl.Float64))
    values = pl.exclude("event")
    return numeric.with_columns(pl.when(values.is_finite()).then(values).name.keep())


def feature_names(frame: pl.DataFrame, *, errors: bool = True) -> list[str]:
    """Names of the features in `frame`; without `errors`, those that are uncertainties are left out."""
    return [c for c in frame.columns if c != "event" and (errors or c not in ERRORS)]


def _log(name: str) -> pl.Expr:
    return pl.when(pl.col(name) > 0).then(pl.col(name)).log10()


def _logs() -> list[pl.Expr]:
    names = {
        "log_period": "period_days",
        "log_duration": "duration_hours",
        "log_depth": "depth_ppm",
        "log_mes": "mes",
        "log_radius": "radius_earth",
        "log_secondary": "secondary_mes",
        "log_secondary_depth": "secondary_depth_ppm",
        "log_snr": "model_snr",
        "log_ses": "ses",
    }
    density = (10 ** pl.col("star_logg_cgs")) * 3 / (4 * 3.141592653589793 * G_CGS)
    density = density / (pl.col("star_radius_sun") * R_SUN_CM)
    return [
        *(_log(column).alias(name) for name, column in names.items()),
        pl.col("bootstrap_false_alarm").clip(TINY_PROBABILITY).log10().alias("log_bootstrap_false_alarm"),
        pl.coalesce("star_density_gcc", density).log10().alias("log_star_density"),
        pl.col("n_transits").clip(1).log10().alias("log_n_transits"),
    ]


def _ratios() -> list[pl.Expr]:
    c = pl.col
    expected = HOURS_AT_A_YEAR * (c("period_days") / 365.25).pow(1 / 3)
    return [
        (c("log_snr") - c("log_mes")).alias("log_snr_over_mes"),
        (_log("robust_statistic") - c("log_mes")).alias("log_robust_over_mes"),
        (c("log_ses") - c("log_mes")).alias("log_ses_over_mes"),
        (c("log_ses") - c("log_mes") + 0.5 * c("log_n_transits")).alias("log_ses_over_mean"),
        (c("log_mes") - 0.5 * c("log_n_transits")).alias("log_mes_per_transit"),
        (c("log_secondary") - c("log_mes")).alias("log_secondary_over_mes"),
        (c("log_secondary_depth") - c("log_depth")).alias("log_secondary_depth_ratio"),
        (c("secondary_phase_days") / c("period_days")).alias("secondary_phase"),
        (c("secondary_phase_days").abs() * 24 / c("duration_hours")).log10().alias("log_secondary_in_durations"),
        (c("secondary_robust_statistic") / c("robust_statistic")).alias("secondary_robust_ratio"),
        (c("log_depth") - 6 - 2 * _log("radius_ratio")).alias("log_depth_over_ratio_squared"),
        (c("duration_hours") / 24 / c("period_days")).log10().alias("log_duty_cycle"),
        (c("ingress_hours") / c("duration_hours")).alias("ingress_share"),
        (c("impact") + c("radius_ratio")).alias("v_shape"),
        (c("n_transits") * c("period_days") / SPAN_DAYS).alias("transits_over_expected"),
        (c("n_transits_clean") / c("n_transits").clip(1)).alias("clean_share"),
        (c("duration_hours").log10() - expected.log10() + (c("log_star_density") - _SOLAR) / 3).alias(
            "log_duration_over_expected"
        ),
        (3 * _log("a_over_rs") - 2 * c("log_period") - c("log_star_density")).alias("log_density_of_fit_over_star"),
        (c("offset_oot_arcsec") / c("offset_oot_arcsec_err")).alias("offset_oot_sigma"),
        (c("offset_kic_arcsec") / c("offset_kic_arcsec_err")).alias("offset_kic_sigma"),
        (c("offset_oot_arcsec") - c("offset_kic_arcsec")).alias("offset_difference_arcsec"),
        (c("fw_source_ra_arcsec").pow(2) + c("fw_source_dec_arcsec").pow(2)).sqrt().alias("fw_source_arcsec"),
        (
            (c("fw_source_ra_arcsec") / c("fw_source_ra_arcsec_err")).pow(2)
            + (c("fw_source_dec_arcsec") / c("fw_source_dec_arcsec_err")).pow(2)
        )
        .sqrt()
        .alias("fw_source_sigma"),
        (
            (c("fw_peak_ra_arcsec") / c("fw_peak_ra_arcsec_err")).pow(2)
            + (c("fw_peak_dec_arcsec") / c("fw_peak_dec_arcsec_err")).pow(2)
        )
        .sqrt()
        .alias("fw_peak_sigma"),
        (c("ghost_core_statistic") - c("ghost_halo_statistic")).alias("ghost_difference"),
        (c("ghost_halo_statistic") / c("ghost_core_statistic")).alias("ghost_ratio"),
        (c("ghost_core_statistic") / c("mes")).alias("ghost_core_over_mes"),
        (c("ghost_halo_statistic") / c("mes")).alias("ghost_halo_over_mes"),
        (c("planet_temperature_k") / c("teq_k")).log10().alias("log_temperature_ratio"),
        (_log("odd_even_statistic") - c("log_mes")).alias("log_odd_even_over_mes"),
        (c("log_bootstrap_false_alarm") / c("mes").pow(2)).alias("bootstrap_over_gaussian"),
        *(
            (c(f"{n}_err") / c(n)).log10().alias(f"log_{n}_relative_err")
            for n in ("period_days", "duration_hours", "depth_ppm", "radius_ratio", "a_over_rs", "ingress_hours")
        ),
        (c("t0_bkjd_err") * 24 / c("duration_hours")).log10().alias("log_t0_err_in_durations"),
    ]


_SOLAR = 0.14915
"""log10 of the Sun's mean density in g/cm3."""


def _ratios_of_ratios() -> list[pl.Expr]:
    c = pl.col
    return [
        (c("log_depth") - c("log_mes_per_transit")).alias("log_noise_ppm"),
        (c("log_depth") - c("log_mes_per_transit") + 0.5 * c("log_duration")).alias("log_noise_ppm_of_an_hour"),
        (c("log_snr") - 0.5 * c("log_n_transits")).alias("log_snr_per_transit"),
        (c("log_period") - 2.5705).abs().alias("distance_from_372_days"),
    ]


__all__ = ["BANNED", "ERRORS", "SIBLING", "build_features", "feature_names"]
