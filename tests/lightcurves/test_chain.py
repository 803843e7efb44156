"""From segments to signals: shallow transits keep their depth, because they are masked once they are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from simulated import curve as simulated
from simulated import light_curve

from exo_assets.lightcurves.chain import search_star
from exo_assets.lightcurves.clean import cleaned
from exo_assets.lightcurves.curve import LightCurve, as_flat
from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.search import SearchSettings
from exo_assets.lightcurves.trapezoid import fit

INNER, OUTER = Ephemeris(3.21, 101.5, 0.13), Ephemeris(11.87, 105.0, 0.21)
DEPTHS = {3.21: 5e-4, 11.87: 8e-4}


def _star(seed: int = 0) -> list[LightCurve]:
    time, flux, _ = simulated((INNER, DEPTHS[3.21]), (OUTER, DEPTHS[11.87]), span_days=160.0, seed=seed)
    flux *= 1 + 0.003 * np.sin(2 * np.pi * time / 25.0)
    first = time < 180
    return [light_curve(time[first], 5000 * flux[first], 1), light_curve(time[~first], 7000 * flux[~first], 2)]


def test_two_shallow_planets_of_a_spotted_star_are_found_with_their_depths() -> None:
    ratios = []
    for seed in range(4):
        star = search_star(_star(seed))
        found = {round(s.transit.ephemeris.period_days, 2): s for s in star.signals}
        assert set(found) == set(DEPTHS)
        ratios += [found[p].transit.depth / d for p, d in DEPTHS.items()]
        assert np.median(star.curve.flux) == pytest.approx(1, abs=1e-4)
    assert np.mean(ratios) == pytest.approx(1, abs=0.02)


def test_unmasked_the_longer_one_would_have_lost_some() -> None:
    kept = []
    for seed in range(4):
        clean = cleaned(_star(seed))
        kept.append(fit(clean.time_bjd, clean.flux, clean.flux_err, OUTER).depth / DEPTHS[OUTER.period_days])
    assert np.mean(kept) < 0.98


@pytest.mark.parametrize("cadence_minutes", [30.0, 72.0])
def test_a_curve_that_came_flat_is_searched_as_it_is(cadence_minutes: float) -> None:
    time, flux, _ = simulated((INNER, 8e-4), noise=1e-4, span_days=127.0, cadence_minutes=cadence_minutes)
    flat = replace(light_curve(time, flux), flux_kind=as_flat("flux"))
    star = search_star([flat])
    assert [round(s.transit.ephemeris.period_days, 2) for s in star.signals] == [3.21]
    assert star.signals[0].transit.depth == pytest.approx(8e-4, rel=0.05) and (star.curve.trend == 1).all()


def test_known_signals_are_not_found_again() -> None:
    star = search_star(_star(), known=[OUTER])
    assert [round(s.transit.ephemeris.period_days, 2) for s in star.signals] == [3.21]


def test_the_number_of_signals_is_bounded() -> None:
    assert len(search_star(_star(), replace(SearchSettings(), signals_max=1)).signals) == 1


def test_a_planet_of_a_star_that_turns_fast_is_found_alone() -> None:
    """Crests of one percent every 1.1 days, and transits of a thousandth."""
    place = Ephemeris(3.7, 101.0, 0.14)
    time, flux, _ = simulated((place, 1e-3), noise=1e-4)
    star = search_star([light_curve(time, flux + 0.01 * np.sin(2 * np.pi * time / 1.1))])
    assert [round(s.transit.ephemeris.period_days, 2) for s in star.signals] == [3.7]
    assert star.signals[0].transit.depth == pytest.approx(1e-3, rel=0.08)


def test_spots_that_turn_at_their_own_latitudes_are_no_planets() -> None:
    """Two dips of nearly one period are doubted; beside a planet of many times the SNR only what is left of it is."""
    weak, near = Ephemeris(3.21, 101.5, 0.13), Ephemeris(3.23, 103.0, 0.13)
    far = Ephemeris(11.87, 105.0, 0.21)
    time, flux, _ = simulated((weak, 6e-4), (near, 7e-4), (far, 8e-4), span_days=60.0)
    said = {round(s.transit.ephemeris.period_days, 1): s.doubt for s in search_star([light_curve(time, flux)]).signals}
    assert said[11.9] is None and "nearly its period" in (said[3.2] or "")
    time, flux, _ = simulated((weak, 6e-3), (near, 7e-4), span_days=60.0)
    signals = sorted(search_star([light_curve(time, flux)]).signals, key=lambda s: -s.snr)
    assert signals[0].doubt is None and all(s.doubt for s in signals[1:])


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ((6.0, 101.0), (12.0, 104.0)),
        ((4.0, 101.0), (12.0, 102.2)),
        ((5.0, 101.0), (10.0, 103.5)),
        ((7.0, 102.0), (14.0, 112.5)),
    ],
)
@pytest.mark.parametrize("depths", [(1e-3, 8e-4), (8e-4, 1.2e-3)])
def test_planets_whose_transits_lie_on_one_comb_are_told_apart(
    inner: tuple[float, float], outer: tuple[float, float], depths: tuple[float, float]
) -> None:
    """In an exact resonance a shorter period has the transits of both."""
    places = [Ephemeris(period, t0, 0.12) for period, t0 in (inner, outer)]
    time, flux, _ = simulated(*zip(places, depths, strict=True), span_days=120.0)
    star = search_star([light_curve(time, flux)])
    found = sorted((s.transit.ephemeris.period_days, s.transit.depth) for s in star.signals)
    assert [round(period, 2) for period, _ in found] == [inner[0], outer[0]]
    assert [depth for _, depth in found] == pytest.approx(depths, rel=0.1)


@pytest.mark.parametrize(
    ("inner", "outer"),
    [((4.0, 101.0), (12.0, 103.0)), ((4.0, 101.0), (6.0, 103.0)), ((2.7, 101.0), (6.75, 102.35))],
)
@pytest.mark.parametrize("depths", [(1e-3, 8e-4), (8e-4, 1.2e-3), (4e-4, 2e-3)])
def test_a_transit_that_another_planet_hides_is_neither_present_nor_missing(
    inner: tuple[float, float], outer: tuple[float, float], depths: tuple[float, float]
) -> None:
    """Of 6 d each second transit would lie on one of the planet of 4 d: there when 6 d is the outer period, not when
    it is 12 d. Of 6.75 d each second one is hidden."""
    places = [Ephemeris(period, t0, 0.12) for period, t0 in (inner, outer)]
    time, flux, _ = simulated(*zip(places, depths, strict=True), span_days=120.0)
    star = search_star([light_curve(time, flux)])
    found = sorted((s.transit.ephemeris.period_days, s.transit.depth) for s in star.signals)
    assert [period for period, _ in found] == pytest.approx([inner[0], outer[0]], rel=2e-4)
    assert [depth for _, depth in found] == pytest.approx(depths, rel=0.15)
    assert all(signal.doubt is None and signal.secondary is None for signal in star.signals)
