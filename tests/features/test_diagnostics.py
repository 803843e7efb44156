"""Vetting diagnostics on simulated light curves: each sees what it is for, and a planet passes all of them."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from simulated_signals import PLACE, START, Sky, diagnosed, dimmed, dip, planet, red_noise, transit

from exo_assets.contracts import TableContract
from exo_assets.features.diagnostics import COLUMNS, Diagnostics, DiagnosticsError, as_row, diagnose
from exo_assets.lightcurves.clean import CleanCurve, cleaned
from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.ephemeris import Ephemeris, phase_days, transit_number
from exo_assets.lightcurves.periods import central_duration_days
from exo_assets.lightcurves.trapezoid import fit

TABLE = TableContract("diagnostics", "one row", COLUMNS)
DAYS = 90.0


@pytest.mark.parametrize("seed", range(6))
def test_a_planet_passes_everything(seed: int) -> None:
    """Limits of LEO-Vetter and the DR25 Robovetter, or stricter ones."""
    found = diagnosed(planet(Sky(seed=seed)))
    assert found.snr_red > 60 and found.snr_white == pytest.approx(134, rel=0.05)
    assert found.odd_even_sigma < 4 and abs(found.depth_mean_over_median - 1) < 0.05
    assert found.depth_scatter_chi2 < 3 and found.chi_sigma > 7.8 and found.max_ses_over_mes < 0.8
    assert found.modshift_1 > 0.2 and found.modshift_2 > 0.8 and found.modshift_3 > 0.8
    assert found.modshift_4 < 0 and found.secondary_sigma < 5 and abs(found.half_phase_sigma) < 4
    assert found.chases == 1 and found.shp < 0.1 and found.fred == pytest.approx(1, abs=0.35)
    assert found.shape_v < 0.5 and found.u_over_v_chi2 > 100 and found.impact_plus_ratio < 1.04
    assert found.model_vs_line_aic < -1000 and abs(found.asymmetry_sigma) < 4
    assert max(found.sweet_half_sigma, found.sweet_sigma, found.sweet_double_sigma) < 5
    assert found.centroid_shift_sigma < 4 and found.autocorrelation > 0.95 and found.autocorrelation_beside < 0.2


def test_number_and_coverage_of_transits() -> None:
    curve = planet()
    found = diagnosed(curve)
    assert (found.n_transits_observed, found.n_transits_expected) == (16, 17)  # one falls into the gap
    assert found.coverage == pytest.approx(16 / 17 * 0.95, abs=0.04)
    assert found.edge_share == 0 and found.dump_share == 0
    number = transit_number(curve.time_bjd, PLACE.period_days, PLACE.t0)
    four_left = curve_where(curve, number < 4)
    fewer = diagnosed(four_left)
    assert (fewer.n_transits_observed, fewer.n_transits_expected) == (4, 4)
    near = replace(curve, is_near_dump=number == 5, is_edge=number < 2)
    assert diagnosed(near).dump_share == pytest.approx(1 / 16, abs=0.01)
    assert diagnosed(near).edge_share == pytest.approx(2 / 16, abs=0.015)


def test_an_eclipsing_binary_at_half_its_period_has_two_depths() -> None:
    curve = Sky().curve()
    odd = transit_number(curve.time_bjd, PLACE.period_days, PLACE.t0) % 2 == 1
    found = diagnosed(dimmed(curve, dip(curve, PLACE, 1.0) * np.where(odd, 2.3e-3, 1.7e-3)))
    assert found.odd_even_sigma > 15
    assert found.odd_depth_ppm == pytest.approx(2300, rel=0.03)
    assert found.even_depth_ppm == pytest.approx(1700, rel=0.03)


@pytest.mark.parametrize("phase", [0.5, 0.37, 0.81])
def test_a_secondary_eclipse_is_seen_where_it_is(phase: float) -> None:
    curve = planet()
    later = replace(PLACE, t0=PLACE.t0 + phase * PLACE.period_days)
    found = diagnosed(dimmed(curve, dip(curve, later, 3e-4)))
    assert found.secondary_phase == pytest.approx(phase, abs=0.01)
    assert found.secondary_sigma > 10 and found.modshift_4 > 0 and found.modshift_5 > 0 and found.modshift_6 > 0
    # A box's mean is 5 % less than the trapezoid's depth, under a level that the eclipse lowers by as much; +-15 ppm.
    assert found.secondary_depth_ppm == pytest.approx(275, abs=50)
    assert (found.half_phase_sigma > 10) == (phase == 0.5)


def test_u_and_v_are_told_apart() -> None:
    curve = Sky().curve()
    shapes = [fit_and_diagnose(dimmed(curve, dip(curve, PLACE, 2e-3, share))) for share in (0.1, 0.5)]
    assert shapes[0].shape_v < 0.35 and shapes[1].shape_v > 0.8
    assert shapes[0].u_over_v_chi2 > 100 and shapes[1].u_over_v_chi2 < -100
    assert shapes[1].impact_plus_ratio > shapes[0].impact_plus_ratio


def test_a_grazing_binary_fails_the_shape_limit() -> None:
    curve = Sky().curve()
    assert fit_and_diagnose(dimmed(curve, dip(curve, PLACE, 0.1, 0.5))).impact_plus_ratio > 1.04


@pytest.mark.parametrize(
    ("ratio", "sigma", "amplitude"),
    [
        (0.5, "sweet_half_sigma", "sweet_half_amplitude_ppm"),
        (1.0, "sweet_sigma", "sweet_amplitude_ppm"),
        (2.0, "sweet_double_sigma", "sweet_double_amplitude_ppm"),
    ],
)
def test_a_star_that_varies_as_a_sine_fails_sweet(ratio: float, sigma: str, amplitude: str) -> None:
    """The sine is in the trend, not in the flat flux: that is where a detrended star's variability is."""
    curve = planet()
    trend = 1 + 1e-3 * np.sin(2 * np.pi * curve.time_bjd / (ratio * PLACE.period_days))
    found = as_row(diagnosed(replace(curve, trend=trend)))
    values = {name: found[name] for name in ("sweet_half_sigma", "sweet_sigma", "sweet_double_sigma")}
    assert values.pop(sigma) > 50 and max(v for v in values.values() if v is not None) < 15
    assert found[amplitude] == pytest.approx(1000, rel=0.05)


def test_slow_drifts_are_no_sines() -> None:
    curve = planet()
    drift = 1 + 5e-3 * (curve.time_bjd - START) / DAYS * np.where(curve.segment == 1, 1.0, -2.0)
    assert diagnosed(replace(curve, trend=drift)).sweet_double_sigma < 5


def test_one_deep_outlier_among_the_transits() -> None:
    curve = Sky().curve()
    third = transit_number(curve.time_bjd, PLACE.period_days, PLACE.t0) == 3
    found = diagnosed(dimmed(curve, dip(curve, PLACE, 1.0) * np.where(third, 8e-3, 1e-4)), depth=6e-4)
    assert found.depth_mean_over_median > 3 and found.max_ses_over_mes > 2
    assert found.depth_scatter_chi2 > 20 and found.chi_sigma < 7.8


def test_a_single_systematic_dip_is_chased_and_not_unique() -> None:
    """Every transit has a rival as deep, 0.4 d later: within a tenth of the period, two durations away."""
    curve = planet()
    rival = replace(PLACE, t0=PLACE.t0 + 0.4)
    found = diagnosed(dimmed(curve, dip(curve, rival, 1.8e-3)))
    assert found.chases < 0.78
    far = [replace(PLACE, t0=PLACE.t0 + p * PLACE.period_days) for p in (0.3, 0.7)]
    several = diagnosed(dimmed(curve, dip(curve, far[0], 1.9e-3) + dip(curve, far[1], 1.9e-3)))
    assert several.modshift_2 < 20 < found.modshift_2 and several.chases == 1


def test_bumps_as_high_as_the_transits_are_deep() -> None:
    curve = planet()
    bump, eclipse = (replace(PLACE, t0=PLACE.t0 + p * PLACE.period_days) for p in (0.3, 0.7))
    # What lies beside the secondary event does not count as a bump: an eclipse says where that is.
    found = diagnosed(dimmed(curve, dip(curve, eclipse, 2e-4) - dip(curve, bump, 2e-3)))
    assert found.positive_sigma == pytest.approx(found.primary_sigma, rel=0.1)
    assert found.modshift_3 < 10 and found.shp == pytest.approx(0.5, abs=0.05)


def test_a_tilted_dip_is_asymmetric() -> None:
    """Symmetric transits reach 2.1 in sixty trials; a saw's misfit enlarges the error that it is divided by."""
    curve = Sky().curve()
    x = phase_days(curve.time_bjd, PLACE.period_days, PLACE.t0) / PLACE.duration_days
    saw = np.where(np.abs(x) < 0.5, 3e-3 * (0.5 - x) * np.clip((x + 0.5) / 0.1, 0, 1), 0.0)
    found = fit_and_diagnose(dimmed(curve, saw))
    assert found.asymmetry_sigma < -6
    mirrored = np.where(np.abs(x) < 0.5, 3e-3 * (0.5 + x) * np.clip((0.5 - x) / 0.1, 0, 1), 0.0)
    assert fit_and_diagnose(dimmed(curve, mirrored)).asymmetry_sigma > 6


def test_a_shifted_centroid_is_seen_in_length_and_in_where_it_points() -> None:
    curve = planet()
    inside = dip(curve, PLACE, 1.0)
    moved = replace(curve, column=curve.column + 3e-3 * inside, row=curve.row - 4e-3 * inside)
    found = diagnosed(moved)
    assert found.centroid_shift_sigma > 15
    assert found.centroid_shift_pixels == pytest.approx(5e-3, rel=0.15)
    assert found.centroid_offset_pixels == pytest.approx(5e-3 * 0.998 / 2e-3, rel=0.15)
    opposite = np.where(curve.segment == 1, 1.0, -1.0)  # a spacecraft that was rolled in between
    rolled = replace(curve, column=curve.column + 5e-3 * inside * opposite)
    assert diagnosed(rolled).centroid_shift_sigma > 15


def test_a_centroid_that_wanders_is_no_shift() -> None:
    curve = planet()
    wander = red_noise(curve, 5e-3, 1.0)
    assert diagnosed(replace(curve, column=curve.column + wander)).centroid_shift_sigma < 4
    unknown = np.full(curve.time_bjd.size, np.nan)
    none = diagnosed(replace(curve, column=unknown, row=unknown))
    assert math.isnan(none.centroid_shift_sigma) and math.isnan(none.centroid_shift_pixels)


def test_red_noise_lowers_the_signal_to_noise_by_as_much_as_it_should() -> None:
    curve = planet()
    plain, noisy = diagnosed(curve), diagnosed(dimmed(curve, red_noise(curve, 3e-4, 0.4)))
    assert noisy.red_noise_ppm == pytest.approx(260, rel=0.3) and plain.red_noise_ppm < 40
    assert noisy.snr_white == pytest.approx(plain.snr_white, rel=0.15)
    pink = 2e-3 / np.hypot(2e-3 / plain.snr_white, noisy.red_noise_ppm * 1e-6 / np.sqrt(16.0))
    assert noisy.snr_red == pytest.approx(pink, rel=0.15) and noisy.fred > 2


def test_signals_that_do_not_repeat_do_not_resemble_each_other() -> None:
    curve = Sky().curve()
    noise = diagnosed(dimmed(curve, red_noise(curve, 1e-3, 0.2)))
    assert noise.autocorrelation < 0.5
    wave = diagnosed(dimmed(curve, 1e-3 * np.cos(2 * np.pi * curve.time_bjd / PLACE.period_days)))
    assert wave.autocorrelation > 0.9 and wave.autocorrelation_beside > 0.9


def test_duration_against_the_density_of_the_star() -> None:
    curve = planet()
    found = diagnose(curve, transit(), density_sun=0.8)
    at_half_depth = PLACE.duration_days * 0.85
    central = central_duration_days(PLACE.period_days, 0.8)
    assert found.duration_over_central == pytest.approx(at_half_depth / central)
    assert central_duration_days(PLACE.period_days, found.density_circular_sun) == pytest.approx(at_half_depth)
    assert math.isnan(diagnosed(curve).duration_over_central)


def test_points_in_other_signals_transits_do_not_count() -> None:
    curve = planet()
    other = Ephemeris(7.9, START + 5.0, 0.3)
    spoilt = dimmed(curve, dip(curve, other, 0.02))
    found = diagnose(spoilt, transit(), others=[other])
    assert found.snr_red > 60 and found.secondary_sigma < 5 and found.odd_even_sigma < 4
    assert diagnosed(spoilt).fred > 3
    everything = diagnose(curve, transit(), others=[replace(PLACE, duration_days=4 * PLACE.duration_days)])
    assert everything.n_transits_observed == 0 and everything.coverage == 0 and math.isnan(everything.snr_white)


def test_one_transit_has_what_one_transit_can_have() -> None:
    curve = planet()
    single = curve_where(curve, transit_number(curve.time_bjd, PLACE.period_days, PLACE.t0) == 2)
    found = diagnosed(single)
    assert found.n_transits_observed == 1 and found.snr_white > 25 and found.max_ses_over_mes == pytest.approx(1)
    for name in ("odd_even_sigma", "depth_mean_over_median", "depth_scatter_chi2", "chi_sigma", "autocorrelation"):
        assert math.isnan(getattr(found, name))


def test_points_without_a_known_noise_weigh_nothing() -> None:
    curve = planet()
    some = np.arange(curve.time_bjd.size) < 2
    spoilt = replace(curve, flux_err=np.where(some, np.nan, curve.flux_err), flux=np.where(some, 0.3, curve.flux))
    same(diagnosed(spoilt), diagnosed(curve_where(curve, ~some)), rel=0.05)


def test_a_curve_without_any_noise_is_measured_where_it_can_be() -> None:
    curve = planet(Sky(noise=0.0))
    found = diagnosed(replace(curve, flux_err=np.full(curve.flux.size, 1e-9)))
    assert found.odd_depth_ppm == pytest.approx(2000) and found.snr_white > 1e6 and found.red_noise_ppm == 0
    TABLE.check(pl.DataFrame([as_row(found)], schema=TABLE.schema))


@settings(max_examples=10, deadline=None)
@given(st.floats(-3000, 3000), st.integers(0, 100))
def test_when_it_was_observed_does_not_matter(days: float, seed: int) -> None:
    curve = planet(Sky(seed=seed))
    moved = replace(curve, time_bjd=curve.time_bjd + days)
    there = transit(replace(PLACE, t0=PLACE.t0 + days))
    same(diagnose(moved, there), diagnose(curve, transit()))


@settings(max_examples=10, deadline=None)
@given(st.floats(1e-3, 1e6), st.integers(0, 100))
def test_units_of_flux_do_not_matter(scale: float, seed: int) -> None:
    curve = planet(Sky(seed=seed))

    def measured(unit: float) -> Diagnostics:
        n = curve.time_bjd.size
        raw = LightCurve(
            "simulated",
            "kepler",
            "SAP_FLUX",
            curve.time_bjd,
            curve.flux * unit,
            curve.flux_err * unit,
            np.zeros(n, np.int64),
            curve.segment,
            curve.column,
            curve.row,
        )
        return diagnosed(cleaned([raw], [PLACE]))

    same(measured(scale), measured(1.0))


@settings(max_examples=10, deadline=None)
@given(st.permutations([Ephemeris(7.9, START, 0.3), Ephemeris(3.1, START + 1, 0.1), Ephemeris(33.0, START + 9, 0.5)]))
def test_the_order_of_other_signals_does_not_matter(others: list[Ephemeris]) -> None:
    curve = planet()
    in_order = sorted(others, key=lambda place: place.period_days)
    assert as_row(diagnose(curve, transit(), others=others)) == as_row(diagnose(curve, transit(), others=in_order))


@settings(max_examples=150, deadline=None)
@given(
    st.integers(2, 400),
    st.integers(0, 10_000),
    st.floats(0.02, 300),
    st.floats(1e-3, 0.99),
    st.floats(-1, 2),
    st.floats(0, 0.5),
    st.sampled_from([-0.5, 0.0, 1e-4, 0.02, 0.9]),
)
def test_whatever_the_data_there_is_an_answer_that_keeps_the_contract(
    n: int, seed: int, period: float, share: float, epoch: float, ingress_share: float, depth: float
) -> None:
    """Few points, gaps, brightenings, eclipses of nearly everything: nan where nothing is known, and no error."""
    random = np.random.default_rng(seed)
    base = Sky(span_days=12.0, cadence_minutes=30.0, seed=seed).curve()
    chosen = np.zeros(base.time_bjd.size, dtype=bool)
    chosen[random.choice(chosen.size, n, replace=False)] = True
    curve = curve_where(base, chosen)
    place = Ephemeris(period, START + epoch * 12, share * period)
    curve = dimmed(curve, dip(curve, place, depth, ingress_share))
    try:
        row = as_row(diagnose(curve, transit(place, depth, ingress_share)))
    except DiagnosticsError as error:
        assert "is not seen by one point in" in str(error)
        return
    TABLE.check(pl.DataFrame([row], schema=TABLE.schema))


@pytest.mark.parametrize(
    ("place", "ingress_share"),
    [
        (Ephemeris(-3.0, START, 0.1), 0.1),
        (Ephemeris(3.0, START, 0.0), 0.1),
        (Ephemeris(3.0, START, 3.5), 0.1),
        (Ephemeris(float("nan"), START, 0.1), 0.1),
        (Ephemeris(3.0, float("inf"), 0.1), 0.1),
        (PLACE, 0.7),
        (Ephemeris(0.01, START, 0.005), 0.1),
    ],
)
def test_impossible_transits_are_named(place: Ephemeris, ingress_share: float) -> None:
    with pytest.raises(DiagnosticsError, match=r"no transit|is not seen"):
        diagnose(planet(), transit(place, ingress_share=ingress_share))


def test_a_curve_of_one_point_is_named() -> None:
    curve = planet()
    with pytest.raises(DiagnosticsError, match="a curve of 1 points"):
        diagnosed(curve_where(curve, np.arange(curve.time_bjd.size) == 7))


def test_every_diagnostic_has_a_column_that_says_what_it_is() -> None:
    names = [c.name for c in COLUMNS]
    assert set(names) == {f.name for f in fields(Diagnostics)} and len(set(names)) == len(names)
    assert all(len(c.description) > 15 for c in COLUMNS)
    row = as_row(diagnosed(planet()))
    assert list(row) == names and isinstance(row["n_transits_observed"], int)
    assert row["duration_over_central"] is None
    assert TABLE.schema["n_transits_expected"] == pl.Int64 and TABLE.schema["snr_red"] == pl.Float64


def curve_where(curve: CleanCurve, chosen: NDArray[np.bool_]) -> CleanCurve:
    arrays = [f.name for f in fields(CleanCurve) if isinstance(getattr(curve, f.name), np.ndarray)]
    return replace(curve, **{name: getattr(curve, name)[chosen] for name in arrays})


def fit_and_diagnose(curve: CleanCurve) -> Diagnostics:
    return diagnose(curve, fit(curve.time_bjd, curve.flux, curve.flux_err, PLACE))


def same(a: Diagnostics, b: Diagnostics, rel: float = 1e-3) -> None:
    for name, value in as_row(b).items():
        assert as_row(a)[name] == (None if value is None else pytest.approx(value, rel=rel, abs=rel)), name
