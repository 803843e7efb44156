"""Tabular features of transit signals: formulas over columns of `core_signals`, and diagnostics of light curves.

Belongs here: the computation of every feature of registry.py, vectorised, the same for one row and for all.
Does not belong here: masking, imputation or scaling (transformer.py), or any label.
"""

from __future__ import annotations

import polars as pl

from exo_assets.catalogs.contracts import MEASURED_COLUMNS, MISSIONS
from exo_assets.features.from_light_curves import CURVE_NAMES
from exo_assets.features.registry import FEATURES

# IAU 2015 resolution B3 nominal values and CODATA 2018, SI.
G = 6.67430e-11
GM_SUN = 1.3271244e20
R_SUN = 6.957e8
R_EARTH = 6.3781e6
AU = 1.495978707e11
TEFF_SUN = 5772.0
M_BOL_SUN = 4.74
DAY = 86_400.0
YEAR_DAYS = 365.25
M_SUN = GM_SUN / G
PPM = 1e-6
CGS = 1e-2

SPAN_DAYS = {"kepler": 1459.8, "k2": 80.0, "tess": 27.4}
"""Nominal time base of one star: Kepler Q1-Q17, a K2 campaign, one TESS sector."""

PI = 3.141592653589793
MISSION_TYPE = pl.Enum(list(MISSIONS))
IDENTITY = ("signal_id", "mission_star_id")
_OUTPUT = [*IDENTITY, *(f.name for f in FEATURES)]


def build_features(signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> pl.DataFrame:
    """Features of each signal, rows in the order given: `signal_id`, `mission_star_id`, then every feature.

    `signals` has a `mission` column and any of `MEASURED_COLUMNS` and `CURVE_COLUMNS`; absent columns, NaN, infinities
    and values outside physics count as unknown (null). `star_counts` [mission_star_id, n_signals] is what the catalogue
    knows of how many signals a star has; a signal without a star is taken to be alone. Raises ValueError on an unknown
    mission.
    """
    frame = _prepared(signals)
    if star_counts is None:
        frame = frame.with_columns(_catalogue=pl.lit(None, pl.Int64))
    else:
        counts = star_counts.select("mission_star_id", pl.col("n_signals").cast(pl.Int64).alias("_catalogue"))
        counts = counts.group_by("mission_star_id").agg(pl.col("_catalogue").max())
        frame = frame.join(counts, on="mission_star_id", how="left", maintain_order="left")
    frame = _neighbours(frame)
    rows = frame.height
    if rows == 1:
        # Polars divides by a column of one row as by a scalar: through its reciprocal or not, as the length decides,
        # which differs in the last bit. Two rows keep a single request bit for bit equal to the same signal in a
        # catalogue; for the same reason the formulas multiply by constants and never divide by them.
        frame = pl.concat([frame, frame], rechunk=True)
    frame = frame.with_columns(_star()).with_columns(_orbit()).with_columns(_log_durations())
    frame = frame.select(
        *IDENTITY, *_transit(), *_errors(), *_stellar(), *_system(), *_diagnostics(), *CURVE_NAMES, "mission"
    )
    numeric = pl.col(pl.Float64)
    return frame.head(rows).select(_OUTPUT).with_columns(pl.when(numeric.is_finite()).then(numeric).name.keep())


def count_signals(signals: pl.DataFrame) -> pl.DataFrame:
    """Signals per star of a catalogue: [mission_star_id, n_signals], the `star_counts` of `build_features`."""
    return signals.group_by("mission_star_id").agg(pl.len().cast(pl.Int64).alias("n_signals")).sort("mission_star_id")


def _prepared(signals: pl.DataFrame) -> pl.DataFrame:
    """Identity and measured columns, all present and typed; NaN and infinities are null."""
    if "mission" not in signals.columns:
        raise ValueError(f"signals need a column 'mission' (one of {', '.join(MISSIONS)})")
    unknown = set(signals["mission"].cast(pl.String).unique().to_list()) - set(MISSIONS)
    if unknown:
        raise ValueError(f"unknown mission {sorted(map(str, unknown))}; the missions are {', '.join(MISSIONS)}")
    measured = [
        (pl.col(c).cast(pl.Float64) if c in signals.columns else pl.lit(None, pl.Float64)).alias(c)
        for c in (*MEASURED_COLUMNS, *CURVE_NAMES)
    ]
    row = pl.concat_str(pl.lit("row-"), pl.row_index())
    identity = [(pl.col(c).cast(pl.String).fill_null(row) if c in signals.columns else row).alias(c) for c in IDENTITY]
    frame = signals.select(*identity, pl.col("mission").cast(pl.String).cast(MISSION_TYPE), *measured)
    value = pl.col(pl.Float64)
    return frame.with_columns(pl.when(value.is_finite()).then(value).name.keep())


def _positive(column: str) -> pl.Expr:
    return pl.when(pl.col(column) > 0).then(pl.col(column))


def _log(expression: pl.Expr) -> pl.Expr:
    return pl.when(expression > 0).then(expression).log10()


def _neighbours(frame: pl.DataFrame) -> pl.DataFrame:
    """`_count` signals on the star, and `_ratio`, `_depth_ratio` to the other signal with the nearest period."""
    frame = frame.with_row_index("_row").with_columns(
        _lp=_log(pl.col("period_days")), _ld=_log(pl.col("depth_ppm")), _count=pl.len().over("mission_star_id")
    )
    multiple = frame.filter((pl.col("_count") > 1) & pl.col("_lp").is_not_null())
    # Sorted by period (then depth, so that ties do not depend on row order), the nearest period is beside its own.
    ordered = multiple.select("_row", "mission_star_id", "_lp", "_ld").sort("mission_star_id", "_lp", "_ld", "_row")
    star = pl.col("mission_star_id")
    ordered = ordered.with_columns(
        _up=pl.when(star == star.shift(-1)).then(pl.col("_lp").shift(-1) - pl.col("_lp")),
        _down=pl.when(star == star.shift(1)).then(pl.col("_lp") - pl.col("_lp").shift(1)),
    ).with_columns(_use_up=pl.col("_down").is_null() | (pl.col("_up") < pl.col("_down")))
    pairs = ordered.select(
        "_row",
        _ratio=pl.when("_use_up").then(-pl.col("_up")).otherwise(pl.col("_down")),
        _depth_ratio=pl.col("_ld") - pl.when("_use_up").then(pl.col("_ld").shift(-1)).otherwise(pl.col("_ld").shift(1)),
    ).with_columns(pl.when(pl.col("_ratio").is_not_null()).then(pl.col("_depth_ratio")).alias("_depth_ratio"))
    return frame.join(pairs, on="_row", how="left", maintain_order="left")


def _star() -> list[pl.Expr]:
    """Mass (M_Sun) and density (kg/m3) of the star, from mass and radius where known, else from gravity and radius."""
    radius, mass = _positive("star_radius_sun") * R_SUN, _positive("star_mass_sun") * M_SUN
    gravity = 10.0 ** pl.col("star_logg_cgs") * CGS
    pm = (pl.col("pm_ra_mas_yr") ** 2 + pl.col("pm_dec_mas_yr") ** 2).sqrt()
    absolute = pl.col("magnitude") - 5.0 * _log(pl.col("distance_pc") * 0.1)
    return [
        pl.coalesce(mass, gravity * radius**2 * (1 / G)).alias("_mass_kg"),
        pl.coalesce(mass / (radius**3) * (0.75 / PI), gravity / radius * (0.75 / (PI * G))).alias("_density"),
        pm.alias("_pm"),
        absolute.alias("_absolute"),
        pl.coalesce(_positive("radius_ratio"), (_positive("depth_ppm") * PPM).sqrt()).alias("_k"),
    ]


def _orbit() -> list[pl.Expr]:
    """Semi-major axis (AU), a/Rs and the star's luminosity (L_Sun)."""
    period = _positive("period_days")
    luminosity = _positive("star_radius_sun") ** 2 * (_positive("star_teff_k") * (1 / TEFF_SUN)) ** 4
    return [
        ((pl.col("_mass_kg") * (1 / M_SUN)) * (period * (1 / YEAR_DAYS)) ** 2).pow(1 / 3).alias("_a_au"),
        (pl.col("_density") * (period * DAY) ** 2 * (G / (3.0 * PI))).pow(1 / 3).alias("_a_rs"),
        luminosity.alias("_luminosity"),
    ]


def _log_durations() -> list[pl.Expr]:
    """Duration (h) of a central transit on a circular orbit: T14 = (P/pi) arcsin((1 + k) / (a/Rs))."""
    sine = (1.0 + pl.col("_k").fill_null(0.0)) / pl.col("_a_rs")
    circular = _positive("period_days") * (24.0 / PI) * pl.when(sine <= 1).then(sine).otherwise(1.0).arcsin()
    return [pl.when(pl.col("_a_rs").is_not_null()).then(circular).alias("_t14_circular_hours")]


def _transit() -> list[pl.Expr]:
    period, radius = _positive("period_days"), _positive("radius_earth")
    k_catalogue = radius / _positive("star_radius_sun") * (R_EARTH / R_SUN)
    lp, lr = period.log10(), radius.log10()
    # Mazeh et al. 2016: log10(R_upper / R_Jup) = -0.33 log10 P + 0.17 ; log10(R_lower / R_Earth) = 0.68 log10 P.
    upper, lower = -0.33 * lp + 0.17 + 1.0496, 0.68 * lp
    span = pl.col("mission").cast(pl.String).replace_strict(SPAN_DAYS, return_dtype=pl.Float64)
    transits = pl.coalesce(_positive("n_transits"), pl.max_horizontal(pl.lit(1.0), span / period))
    insolation = pl.coalesce(_positive("insolation_earth"), pl.col("_luminosity") / pl.col("_a_au") ** 2)
    teq = _positive("star_teff_k") * (_positive("star_radius_sun") / pl.col("_a_au") * (0.5 * R_SUN / AU)).sqrt()
    depth = _positive("depth_ppm") * PPM
    return [
        lp.alias("log_period"),
        _log(pl.col("duration_hours")).alias("log_duration"),
        _log(pl.col("depth_ppm")).alias("log_depth"),
        lr.alias("log_radius"),
        _log(pl.col("snr")).alias("log_snr"),
        depth.sqrt().alias("sqrt_depth"),
        k_catalogue.alias("radius_ratio_catalogue"),
        _log(depth / k_catalogue**2).alias("log_blend"),
        (_positive("duration_hours") / period * (1 / 24.0)).alias("duty_cycle"),
        _log(_positive("duration_hours") / pl.col("_t14_circular_hours")).alias("log_duration_ratio"),
        pl.col("impact"),
        (pl.col("impact") + pl.col("_k")).alias("v_shape"),
        _log(insolation).alias("log_insolation"),
        pl.coalesce(_positive("teq_k"), teq).alias("teq"),
        _log(pl.col("_a_au")).alias("log_semi_major_axis"),
        _log(pl.col("_a_rs")).alias("log_a_over_rs"),
        pl.when(lr.is_not_null()).then(pl.min_horizontal(upper - lr, lr - lower)).alias("desert_distance"),
        (pl.col("snr") / transits.sqrt()).alias("snr_per_transit"),
    ]


def _errors() -> list[pl.Expr]:
    def relative(value: str, error: str) -> pl.Expr:
        return pl.col(error) / _positive(value)

    return [
        _log(relative("period_days", "period_err_days")).alias("log_period_rel_err"),
        (pl.col("t0_err_days") * 24.0 / _positive("duration_hours")).alias("t0_err_per_duration"),
        relative("duration_hours", "duration_err_hours").alias("duration_rel_err"),
        relative("depth_ppm", "depth_err_ppm").alias("depth_rel_err"),
        relative("radius_earth", "radius_err_earth").alias("radius_rel_err"),
        relative("insolation_earth", "insolation_err_earth").alias("insolation_rel_err"),
        relative("teq_k", "teq_err_k").alias("teq_rel_err"),
        pl.col("impact_err"),
        relative("star_teff_k", "star_teff_err_k").alias("star_teff_rel_err"),
        pl.col("star_logg_err_cgs"),
        relative("star_radius_sun", "star_radius_err_sun").alias("star_radius_rel_err"),
        relative("star_mass_sun", "star_mass_err_sun").alias("star_mass_rel_err"),
        pl.col("star_metallicity_err_dex"),
    ]


def _stellar() -> list[pl.Expr]:
    expected = M_BOL_SUN - 2.5 * _log(pl.col("_luminosity"))
    return [
        *(pl.col(c) for c in ("star_teff_k", "star_logg_cgs", "star_radius_sun", "star_mass_sun")),
        pl.col("star_metallicity_dex"),
        _log(pl.col("_density") * 1e-3).alias("log_star_density"),
        _log(pl.col("distance_pc")).alias("log_distance"),
        pl.col("magnitude"),
        pl.col("_absolute").alias("absolute_magnitude"),
        (pl.col("_absolute") - expected).alias("excess_magnitude"),
        _log(pl.col("_pm")).alias("log_proper_motion"),
        (pl.col("magnitude") + 5.0 * _log(pl.col("_pm") * 1e-3) + 5.0).alias("reduced_proper_motion"),
    ]


def _system() -> list[pl.Expr]:
    return [
        pl.max_horizontal("_count", "_catalogue").cast(pl.Float64).alias("n_signals"),
        pl.col("_ratio").alias("log_neighbour_period_ratio"),
        pl.col("_depth_ratio").alias("log_neighbour_depth_ratio"),
    ]


def _diagnostics() -> list[pl.Expr]:
    def over(a: str, b: str) -> pl.Expr:
        return pl.col(a) / _positive(b)

    return [
        _log(pl.col("mes")).alias("log_mes"),
        over("ses", "mes").alias("ses_over_mes"),
        over("snr", "mes").alias("snr_over_mes"),
        _log(pl.col("n_transits")).alias("log_n_transits"),
        pl.col("odd_even_sig"),
        over("model_chisq", "model_dof").alias("chisq_per_dof"),
        pl.col("centroid_motion_sig"),
        pl.col("centroid_offset_oot_arcsec"),
        over("centroid_offset_oot_arcsec", "centroid_offset_oot_err_arcsec").alias("centroid_offset_oot_sig"),
        pl.col("centroid_offset_kic_arcsec"),
        over("centroid_offset_kic_arcsec", "centroid_offset_kic_err_arcsec").alias("centroid_offset_kic_sig"),
        (pl.col("fw_offset_ra_arcsec") ** 2 + pl.col("fw_offset_dec_arcsec") ** 2).sqrt().alias("fw_offset_arcsec"),
        _log(pl.col("fit_stellar_density_gcc") * 1000.0 / pl.col("_density")).alias("log_fit_density_ratio"),
        _log(pl.col("a_over_rs")).alias("log_fit_a_over_rs"),
        pl.col("inclination_deg"),
        _log(pl.col("radius_ratio")).alias("log_radius_ratio"),
        over("radius_ratio_err", "radius_ratio").alias("radius_ratio_rel_err"),
        _log(pl.col("depth_ppm") * PPM / _positive("radius_ratio") ** 2).alias("log_fit_depth_ratio"),
    ]
