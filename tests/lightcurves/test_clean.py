"""Cleaning: bad points go, transits stay, segments join."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulated import curve as simulated
from simulated import light_curve

from exo_assets.lightcurves.clean import CleanError, cdpp_ppm, cleaned, recleaned, remasked, stitched
from exo_assets.lightcurves.curve import LightCurve, as_flat, near_dump, usable
from exo_assets.lightcurves.curve_rows import of_rows, to_rows
from exo_assets.lightcurves.ephemeris import Ephemeris, phase_days
from exo_assets.lightcurves.fits_file import read_fits
from exo_assets.lightcurves.search import SearchSettings, signals
from exo_assets.lightcurves.star_contracts import CORE_LIGHT_CURVES

PLACE = Ephemeris(6.78901, 102.345, 0.25)


def _two_segments() -> list[LightCurve]:
    time, flux, _ = simulated((PLACE, 3e-3), noise=1e-4)
    first = time < 132
    return [light_curve(time[first], 5000 * flux[first], 1), light_curve(time[~first], 9000 * flux[~first], 2)]


def test_segments_of_different_brightness_join_and_keep_their_gap() -> None:
    clean = cleaned(_two_segments(), [PLACE])
    assert np.median(clean.flux) == pytest.approx(1, abs=1e-4) and set(clean.segment) == {1, 2}
    assert np.diff(clean.time_bjd).max() > 3.9
    inside = np.abs(phase_days(clean.time_bjd, PLACE.period_days, PLACE.t0)) < 0.3 * PLACE.duration_days
    assert 1 - clean.flux[inside].mean() == pytest.approx(3e-3, rel=0.03)
    assert clean.flux_err.max() < 1.3e-4 and clean.cdpp_ppm[2] < clean.cdpp_ppm[1] < clean.cdpp_ppm[0]
    assert clean.is_edge.sum() == pytest.approx(4 * 0.5 * 48, rel=0.15)


def test_unusable_points_go_and_outliers_go_upwards_only() -> None:
    one, two = _two_segments()
    flux, quality = one.flux.copy(), one.quality.copy()
    flux[100], flux[200], quality[300], quality[301] = 5100.0, 4900.0, 1 << 5, 1 << 7
    clean = cleaned([replace(one, flux=flux, quality=quality), two], [PLACE])
    kept = np.isin(one.time_bjd[[100, 200, 300, 301]], clean.time_bjd)
    assert kept.tolist() == [False, True, False, True]
    assert (clean.n_unusable, clean.n_outliers >= 1) == (1, True)
    assert clean.is_near_dump.sum() == pytest.approx(48, abs=4)


@pytest.mark.parametrize("rotation_days", [1.1, 2.0, 4.0])
def test_a_star_that_varies_is_followed_and_its_transits_stay(rotation_days: float) -> None:
    """A crest every few days, thirty times as high as the transits are deep."""
    place = Ephemeris(3.7, 101.0, 0.14)
    time, flux, _ = simulated((place, 1e-3), noise=1e-4)
    clean = cleaned([light_curve(time, flux + 0.03 * np.sin(2 * np.pi * time / rotation_days))], [place])
    assert clean.is_curved and clean.n_outliers < 0.01 * time.size
    assert clean.flux_err.max() < 1.5e-4
    inside = np.abs(phase_days(clean.time_bjd, place.period_days, place.t0)) < 0.3 * place.duration_days
    assert 0.85e-3 < 1 - clean.flux[inside].mean() < 1.05e-3


def test_a_star_that_varies_too_fast_to_be_followed_is_not_cut_to_half() -> None:
    time, flux, _ = simulated(noise=1e-4)
    clean = cleaned([light_curve(time, flux + 0.01 * np.sin(2 * np.pi * time / 0.2))])
    assert clean.n_outliers < 0.01 * time.size and clean.flux_err.min() > 5e-3


def test_points_that_two_files_share_count_once() -> None:
    one, two = _two_segments()
    assert len(stitched([one, one, two])) == len(one) + len(two)


def test_what_cannot_be_cleaned_is_named() -> None:
    one, two = _two_segments()
    with pytest.raises(CleanError, match="2 stars cannot be joined"):
        stitched([one, replace(two, target="KIC 2")])
    with pytest.raises(CleanError, match="quality flags leave no point of 1,372"):
        cleaned([replace(one, quality=one.quality | 1 << 16)])
    with pytest.raises(CleanError, match="100 are needed"):
        cleaned([one.where(np.arange(len(one)) < 60)])


def test_flags_are_those_of_the_mission() -> None:
    one = _two_segments()[0]
    impulsive = replace(one, quality=one.quality | 1 << 9)
    assert usable(impulsive).all() and not usable(replace(impulsive, mission="tess")).any()
    assert not near_dump(one).any()


def test_averages_of_white_noise_fall_with_the_square_root() -> None:
    time = np.arange(0, 300, 0.02)
    flat = 1 + np.random.default_rng(1).normal(0, 1e-4, time.size)
    assert cdpp_ppm(time, flat, 6.0) == pytest.approx(100 / np.sqrt(12.5), rel=0.1)
    assert np.isnan(cdpp_ppm(time, flat, 0.2))


def test_a_curve_that_came_flat_is_not_detrended_again() -> None:
    """A slow wave that a trend would take away, and with it some of a transit of half a window."""
    place = Ephemeris(9.1, 102.0, 0.7)
    time, flux, _ = simulated((place, 3e-3), noise=1e-4)
    flux = flux + 1e-3 * np.sin(2 * np.pi * time / 8.0)
    flux[100] += 0.01
    raw = light_curve(time, flux)
    flat = replace(raw, flux_kind=as_flat(raw.flux_kind))
    clean = cleaned([flat], [place])
    level = np.median(flux)
    np.testing.assert_array_equal(clean.flux, (flux / level)[np.isin(time, clean.time_bjd)])
    assert (clean.trend == 1).all() and np.isnan(clean.window_days) and not clean.is_curved
    assert clean.n_outliers >= 1 and time[100] not in clean.time_bjd, "outliers go all the same"
    again = remasked(recleaned(clean, [place]), [])
    np.testing.assert_array_equal(again.flux, clean.flux)
    assert np.ptp(cleaned([raw], [place]).trend) > 1e-3, "unless it is said to be flat"


def test_a_flat_curve_keeps_its_kind_and_its_trend_in_the_table() -> None:
    one = _two_segments()[0]
    clean = cleaned([replace(one, flux_kind=as_flat("flux"), time_bjd=one.time_bjd + 2_454_833)])
    rows = to_rows(clean, clean.target, 1)
    assert CORE_LIGHT_CURVES.problems(rows) == [] and rows["window_days"].to_list() == [None]
    back = of_rows(rows)
    assert back.flux_kind == "flux (flat)" and np.isnan(back.window_days)
    np.testing.assert_array_equal(recleaned(back).flux, back.flux)


def test_segments_that_came_flat_do_not_join_others() -> None:
    one, two = _two_segments()
    with pytest.raises(CleanError, match="KIC 1: some of its segments came flat"):
        cleaned([one, replace(two, flux_kind=as_flat(two.flux_kind))])


@pytest.mark.archive
@pytest.mark.parametrize(
    ("star", "period_days", "depth_ppm"),
    [
        ("kplr011446443-2009131110544_slc", 2.470613, 14_000),  # TrES-2
        ("tess2018206045859-s0001-0000000149603524-0120-s_lc", 4.411953, 13_000),  # WASP-62
        ("tess2018206045859-s0001-0000000261136679-0120-s_lc", 6.2679, 290),  # pi Men
        ("tess2018206045859-s0001-0000000231670397-0120-s_lc", 4.0874, 3_500),  # TOI-104
    ],
)
def test_known_planets_are_found_in_real_files(
    archive_mirror: Path, star: str, period_days: float, depth_ppm: float
) -> None:
    data = (archive_mirror / "mast" / f"{star}.fits").read_bytes()
    clean = cleaned([read_fits(data, star)])
    settings = SearchSettings(period_max_days=13.0, signals_max=1)
    found = next(signals(clean.time_bjd, clean.flux, clean.flux_err, settings))
    assert found.transit.ephemeris.period_days == pytest.approx(period_days, rel=1e-3)
    assert found.transit.depth * 1e6 == pytest.approx(depth_ppm, rel=0.2)


@pytest.mark.archive
def test_no_signal_in_a_quiet_star(archive_mirror: Path) -> None:
    name = "tess2018206045859-s0001-0000000270501383-0120-s_lc.fits"
    clean = cleaned([read_fits((archive_mirror / "mast" / name).read_bytes(), name)])
    assert list(signals(clean.time_bjd, clean.flux, clean.flux_err)) == []


def test_a_flux_that_was_rounded_is_no_better_than_its_steps() -> None:
    """Most values are one, and the scatter is nothing: the noise is what rounding leaves, on every pass."""
    rng = np.random.default_rng(20)
    time = 2_458_354 + np.arange(0, 27, 2 / 1440)
    flux = 1 + rng.normal(0, 6e-4, time.size) - 4e-3 * (np.abs((time - time[0]) % 3.47 - 1.3) < 0.054)
    fine, coarse = (cleaned([light_curve(time, rounded)]) for rounded in (flux, np.round(flux, 2)))
    step = 0.01 / np.sqrt(12)
    assert np.median(fine.flux_err) == pytest.approx(6e-4, rel=0.05)
    assert coarse.flux_err == pytest.approx(step, rel=0.01)
    assert recleaned(coarse).flux_err == pytest.approx(step, rel=0.01)
