"""Dips of one orbit are one signal; its period is its own; what happens once is reported as such."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from simulated import light_curve

from exo_assets.lightcurves.chain import Star, search_star
from exo_assets.lightcurves.curve import as_flat
from exo_assets.lightcurves.ephemeris import Ephemeris, phase_days
from exo_assets.lightcurves.orbits import longest_period
from exo_assets.lightcurves.search import SearchError, SearchSettings
from exo_assets.lightcurves.single_transits import allowed_periods, dips_of_signals, single_transits
from exo_assets.lightcurves.trapezoid import profile

Array = NDArray[np.float64]
TEN = SearchSettings(signals_max=10)
START = 2_458_354.1


def sector(start: float = START, days: float = 27.2, cadence_s: float = 120.0) -> Array:
    """Times of a TESS sector with its gap of a day in the middle."""
    time = np.arange(start, start + days, cadence_s / 86_400)
    return time[np.abs(time - start - days / 2) > 0.5]


def dips(time: Array, period: float, t0: float, hours: float, depth: float, ingress: float = 0.15) -> Array:
    """Relative flux with trapezoid transits."""
    return 1 - depth * profile(phase_days(time, period, t0), hours / 24, ingress)


def searched(time: Array, flux: Array, noise: float, seed: int, settings: SearchSettings = TEN) -> Star:
    noisy = flux + np.random.default_rng(seed).normal(0, noise, time.size)
    curve = replace(light_curve(time, 1e4 * noisy, target="TIC 1"), mission="tess")
    return search_star([curve], settings)


@pytest.mark.parametrize("period_max", [None, 25.0])
def test_two_transits_are_enough(period_max: float | None) -> None:
    time = sector()
    flux = dips(time, 17.0, 2_458_357.0, 6, 0.004)
    (signal,) = searched(time, flux, 6e-4, 15, replace(TEN, period_max_days=period_max)).signals
    assert signal.transit.ephemeris.period_days == pytest.approx(17.0, abs=0.005)
    assert signal.transit.depth == pytest.approx(0.004, rel=0.03) and signal.n_transits == 2
    assert signal.doubt is None and signal.period_alternatives_days == ()


@pytest.mark.parametrize(
    ("period", "hours", "primary", "secondary", "phase"),
    [(5.4, 4.0, 0.060, 0.020, 0.37), (4.4, 5.0, 0.60, 0.05, 0.5), (3.1, 3.0, 0.02, 0.019, 0.5)],
)
def test_a_binary_is_one_signal_with_its_secondary_measured(
    period: float, hours: float, primary: float, secondary: float, phase: float
) -> None:
    """The last one has eclipses so alike that half its period fits; odd and even ones differ by 5 %."""
    time, t0 = sector(), START + 0.9
    flux = dips(time, period, t0, hours, primary, 0.4) * dips(time, period, t0 + phase * period, hours, secondary, 0.4)
    (signal,) = searched(time, flux, 8e-5 if primary == 0.02 else 8e-4, 18).signals
    assert signal.transit.ephemeris.period_days == pytest.approx(period, rel=2e-4)
    assert signal.transit.depth == pytest.approx(primary, rel=0.02)
    assert signal.secondary is not None and signal.secondary.sigma > 50
    assert signal.secondary.phase == pytest.approx(phase, abs=0.005)
    assert signal.secondary.depth == pytest.approx(secondary, rel=0.06)


def test_a_hot_jupiter_has_its_occultation() -> None:
    time, period, t0 = sector(), 0.94145, START + 0.4
    flux = dips(time, period, t0, 2.2, 0.01) * dips(time, period, t0 + period / 2, 2.2, 0.00034)
    (signal,) = searched(time, flux, 3e-4, 43).signals
    assert signal.transit.ephemeris.period_days == pytest.approx(period, rel=1e-4)
    assert signal.secondary is not None and signal.secondary.phase == pytest.approx(0.5, abs=0.01)
    assert signal.secondary.depth == pytest.approx(0.00034, rel=0.1)
    assert signal.doubt is None and not signal.is_variable


@pytest.mark.parametrize("periods", [(6.2573, 12.5190), (7.3845, 14.7887), (4.0, 12.001)])
def test_planets_in_resonance_are_signals_of_their_own(periods: tuple[float, float]) -> None:
    time = np.arange(540.0, 720.0, 1765.5 / 86_400) + 2_454_833
    inner = dips(time, periods[0], time[0] + 1.0, 3, 0.0010)
    outer = dips(time, periods[1], time[0] + 1.0 + 0.55 * periods[0], 4, 0.0016)
    signals = searched(time, inner * outer, 1.5e-4, 41).signals
    found = sorted((s.transit.ephemeris.period_days, s.transit.depth) for s in signals)
    assert [period for period, _ in found] == pytest.approx(periods, rel=2e-4)
    assert [depth for _, depth in found] == pytest.approx([0.0010, 0.0016], rel=0.05)
    assert all(s.doubt is None and s.secondary is None for s in signals)


def test_an_ultra_short_period_is_searched_unasked() -> None:
    time = sector()
    (signal,) = searched(time, dips(time, 0.2803, START + 0.1, 0.9, 0.0012), 6e-4, 22).signals
    assert signal.transit.ephemeris.period_days == pytest.approx(0.2803, rel=1e-4)
    assert signal.transit.depth == pytest.approx(0.0012, rel=0.06)


def flat_star(time: Array, flux: Array, noise: float, seed: int) -> Star:
    """A star whose curve came flat, as many compilations are: nothing but the search stands between it and a signal."""
    noisy = flux + np.random.default_rng(seed).normal(0, noise, time.size)
    return search_star([replace(light_curve(time, noisy), flux_kind=as_flat("flux"))], TEN)


def test_a_deep_dip_without_a_second_in_the_data_hides_no_planet() -> None:
    """Where the other transit of its best period falls into a gap, nothing speaks against that period."""
    time = np.arange(0.0, 127.0, 0.1) + START
    time = time[np.abs(time - START - 30.0) > 4.0]
    flux = dips(time, 1e4, START + 101.0, 11, 0.0018) * dips(time, 9.0342, START + 4.0, 3.6, 0.0006)
    (signal,) = flat_star(time, flux, 2e-4, 5).signals
    assert signal.transit.ephemeris.period_days == pytest.approx(9.0342, rel=1e-3)
    assert signal.n_transits == 13


@pytest.mark.parametrize(("period", "hours", "depth"), [(0.76647, 2.6, 0.16), (0.69843, 1.9, 0.0008)])
def test_a_coarsely_sampled_curve_shows_short_periods(period: float, hours: float, depth: float) -> None:
    """A point in 2.4 hours, and transits shorter than that."""
    time = np.arange(0.0, 180.0, 0.1) + START
    signals = flat_star(time, dips(time, period, START + 0.3, hours, depth, 0.4), 2e-4, 6).signals
    assert signals and signals[0].transit.ephemeris.period_days == pytest.approx(period, rel=3e-4)
    assert signals[0].snr > 10


def test_many_weak_transits_are_not_taken_for_a_few_of_a_longer_period() -> None:
    """Each has less than three sigma but for a few with a point more; the period is not the time between those."""
    time = np.arange(0.0, 185.0, 0.1) + START
    flux = dips(time, 8.7096, START + 6.0, 3.0, 0.0014)
    star = flat_star(time, flux, 5e-4, 8)
    (signal,) = star.signals
    assert signal.transit.ephemeris.period_days == pytest.approx(8.7096, rel=1e-3) and signal.n_transits >= 18
    place = signal.transit.ephemeris
    error = np.full(time.size, signal.transit.depth / 2)
    few = np.abs(phase_days(time, 6 * place.period_days, place.t0)) < 0.1
    error[few] /= 2
    assert longest_period(time, error, signal.transit) == place
    hidden = few | (np.abs(phase_days(time, place.period_days, place.t0)) > 0.1)
    assert longest_period(time[hidden], error[hidden], signal.transit).period_days == 6 * place.period_days


def test_a_far_planet_beside_an_ultra_short_one_is_a_signal() -> None:
    """Its transits last a third of the inner planet's orbit, so that they always lie near one of its transits."""
    time = np.arange(0.0, 90.2, 0.05) + START
    inner, outer = dips(time, 0.83749, START + 0.2, 1.8, 0.00016), dips(time, 45.2943, START + 7.1, 7.2, 0.00048)
    signals = flat_star(time, inner * outer, 5e-5, 9).signals
    assert [round(s.transit.ephemeris.period_days, 1) for s in signals] == [0.8, 45.3]
    assert all(s.doubt is None and s.secondary is None for s in signals)


def test_limits_of_the_period_are_obeyed_or_refused() -> None:
    time = sector()
    flux = dips(time, 3.47, START + 1.2, 2.6, 0.004)
    assert not searched(time, flux, 6e-4, 1, replace(TEN, period_min_days=4.0, period_max_days=6.0)).signals
    with pytest.raises(SearchError, match=r"period of 0\.005 d is not resolved by a point every 2 min; the shortest"):
        searched(time, flux, 6e-4, 1, replace(TEN, period_min_days=0.005))
    with pytest.raises(SearchError, match="no period from 30 to 27"):
        searched(time, flux, 6e-4, 1, replace(TEN, period_min_days=30.0))


@pytest.mark.parametrize(
    ("period", "limits"),
    [(0.18, (None, None)), (0.3, (0.3, None)), (2.0, (2.0, None)), (5.0, (5.0, None)), (7.0, (None, 7.0))],
)
def test_a_period_at_a_limit_is_found_as_it_is(period: float, limits: tuple[float | None, float | None]) -> None:
    """The peak lies at the end of the spectrum; its double would be taken instead."""
    time = sector()
    flux = dips(time, period, START + 0.7, min(2.0, 3 * period), 0.002)
    asked = replace(TEN, period_min_days=limits[0], period_max_days=limits[1])
    (signal,) = searched(time, flux, 6e-4, 3, asked).signals
    assert signal.transit.ephemeris.period_days == pytest.approx(period, rel=2e-4)
    assert signal.doubt is None and signal.secondary is None


def test_a_gap_makes_no_period_longer_than_what_is_asked() -> None:
    """The second of three transits falls into the gap."""
    time, period = sector(), 13.0
    flux = dips(time, period, START + 0.7, 2.5, 0.002)
    (signal,) = searched(time, flux, 6e-4, 3).signals
    assert signal.transit.ephemeris.period_days == pytest.approx(2 * period, abs=0.01)
    assert signal.period_alternatives_days[0] == pytest.approx(period, abs=0.005)
    (signal,) = searched(time, flux, 6e-4, 3, replace(TEN, period_max_days=period)).signals
    assert signal.transit.ephemeris.period_days == pytest.approx(period, abs=0.005)


def test_two_transits_years_apart_have_their_possible_periods_listed() -> None:
    time = np.concatenate([sector(), sector(START + 730.0)])
    first, period = START + 5.0, 39.1
    flux = dips(time, period, first, 6, 0.004)
    assert 19 * period == pytest.approx(742.9)
    (signal,) = searched(time, flux, 6e-4, 15).signals
    assert signal.n_transits == 2
    assert signal.transit.ephemeris.period_days == pytest.approx(742.9, abs=0.05)
    listed = np.array(signal.period_alternatives_days)
    assert np.abs(listed - period).min() < 0.01 and (np.diff(listed) < 0).all()
    for other in listed:  # none of them has another transit in the data
        inside = np.abs(phase_days(time, other, first)) < 0.1
        assert not (inside & (np.abs(time - first) > 1) & (np.abs(time - first - 742.9) > 1)).sum() > 30


def test_a_single_transit_is_reported_with_the_periods_that_it_allows() -> None:
    time = sector()
    star = searched(time, dips(time, 1e4, 2_458_360.7, 9, 0.008), 6e-4, 14)
    assert star.signals == ()
    (event,) = single_transits(star.curve, [], 1.0)
    assert event.time_bjd == pytest.approx(2_458_360.7, abs=0.01)
    assert event.transit.ephemeris.duration_days * 24 == pytest.approx(9, rel=0.03)
    assert event.transit.depth == pytest.approx(0.008, rel=0.03) and event.snr > 50
    low, high = event.period_days
    assert time[-1] - event.time_bjd - 0.4 < low < 121 < high  # 121 d: its central transit of a Sun takes 9 h


@pytest.mark.parametrize("what", ["noise", "planet", "edge", "flare", "step"])
def test_what_is_no_single_transit(what: str) -> None:
    time = sector()
    flux = np.ones(time.size)
    if what == "planet":
        flux = dips(time, 3.47, START + 1.2, 2.6, 0.004)
    elif what == "edge":
        flux = 1 - 0.004 * (time < START + 0.2)
    elif what == "flare":
        flux = 1 - 0.02 * np.where(time > START + 5, np.exp(-(time - START - 5) / 0.05), 0)
    elif what == "step":
        flux = 1 - 0.004 * (time > START + 5)
    star = searched(time, flux, 6e-4, 3)
    assert single_transits(star.curve, [s.transit.ephemeris for s in star.signals]) == ()


def test_periods_of_a_single_transit_are_those_that_show_no_other() -> None:
    time = np.concatenate([sector(), sector(START + 60.0)])
    place = Ephemeris(1e4, START + 5.0, 0.25)
    low, _ = allowed_periods(time, place, 1.0)
    others = place.t0 + np.arange(-3, 5) * low
    assert low > 11 and all(np.abs(time - other).min() > 0.03 for other in others if abs(other - place.t0) > 0.1)


def test_a_single_transit_beside_a_planet_is_no_second_dip_of_it() -> None:
    time, once = sector(cadence_s=600), START + 7.0
    flux = dips(time, 5.1, START + 1.0, 2.4, 0.002) * dips(time, 1e3, once, 7.2, 0.006)
    star = searched(time, flux, 6e-4, 1)
    (planet,) = star.signals
    assert planet.transit.ephemeris.period_days == pytest.approx(5.1, abs=0.003) and planet.secondary is None
    (event,) = single_transits(star.curve, dips_of_signals(star.signals))
    assert event.time_bjd == pytest.approx(once, abs=0.01) and event.transit.depth == pytest.approx(0.006, rel=0.05)


@pytest.mark.parametrize(("period", "parts"), [(8.0, 4), (5.4, 3)])
def test_equal_eclipses_a_part_of_the_orbit_apart_are_one_binary(period: float, parts: int) -> None:
    """Half of the transits at the fourth of its period, and a third of those at the third, are not there."""
    time, t0 = sector(cadence_s=600), START + 1.0
    flux = dips(time, period, t0, 3.84, 0.06) * dips(time, period, t0 + period / parts, 3.84, 0.06)
    (signal,) = searched(time, flux, 6e-4, 1).signals
    assert signal.transit.ephemeris.period_days == pytest.approx(period, rel=1e-4)
    assert signal.transit.depth == pytest.approx(0.06, rel=0.02) and signal.secondary is not None
    assert min(signal.secondary.phase, 1 - signal.secondary.phase) == pytest.approx(1 / parts, abs=0.005)
    assert signal.secondary.depth == pytest.approx(0.06, rel=0.02)


def test_a_planet_whose_outer_neighbour_transits_between_keeps_its_period() -> None:
    """Of 6 and 12 d, three of four transits fit half the inner period."""
    time = sector(days=90.0, cadence_s=1765)
    flux = dips(time, 6.0, START + 1.0, 3.1, 0.001) * dips(time, 12.0, START + 4.0, 4.1, 0.0008)
    inner = searched(time, flux, 1.5e-4, 2).signals[0]
    assert inner.transit.ephemeris.period_days == pytest.approx(6.0, rel=1e-4)
    assert inner.transit.depth == pytest.approx(0.001, rel=0.05)
