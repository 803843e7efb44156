"""What a signal must pass to be ranked, and the figures that say how far ranked ones can be relied on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.search_reliability import Tally, pooled, searched
from exo_assets.lightcurves.chain import search_star
from exo_assets.lightcurves.curve import as_flat
from exo_assets.lightcurves.ephemeris import Ephemeris, phase_days
from exo_assets.lightcurves.orbits import FEW_TRANSITS
from exo_assets.lightcurves.periods import central_duration_days
from exo_assets.lightcurves.reliability import LONGEST
from exo_assets.lightcurves.search import Signal
from exo_assets.lightcurves.trapezoid import profile
from tests.lightcurves.simulated import light_curve

Array = NDArray[np.float64]
PERIOD, DURATION = 3.3, 0.44


@pytest.mark.parametrize("bump", [0.0, 0.003])
def test_long_dips_are_ranked_unless_the_star_rises_as_much_as_it_falls(bump: float) -> None:
    """A binary's eclipse lasts four times as long as a planet's transit; so does the trough of a wave."""
    assert LONGEST * central_duration_days(PERIOD) < DURATION
    time = np.arange(0.0, 90.0, 30 / 1440) + 2_455_000.0
    flux = 1 + np.random.default_rng(3).normal(0, 1e-3, time.size)
    for height, after in ((-0.003, 0.0), (bump, 1.2)):
        flux += height * profile(phase_days(time, PERIOD, time[0] + 0.9 + after), DURATION, 0.45)
    curve = replace(light_curve(time, flux), flux_kind=as_flat("flux"))
    deepest = search_star([curve]).signals[0]
    assert deepest.transit.ephemeris.period_days == pytest.approx(PERIOD, rel=1e-3)
    assert deepest.transit.ephemeris.duration_days == pytest.approx(DURATION, rel=0.1)
    if bump:
        assert deepest.doubt is not None and deepest.doubt.startswith("it lasts")
    else:
        assert deepest.doubt is None


def searched_flat(time: Array, flux: Array, noise: float, seed: int) -> list[Signal]:
    """What is found in a curve that came flat, with noise."""
    noisy = flux + np.random.default_rng(seed).normal(0, noise, time.size)
    return list(search_star([replace(light_curve(time, noisy), flux_kind=as_flat("flux"))]).signals)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("hours", [5.0, 12.0])
def test_a_ramp_at_the_edge_of_a_gap_is_not_ranked(side: int, hours: float) -> None:
    """Every month the telescope turns to Earth; the flux takes hours to come back to its level, or falls before."""
    time = np.arange(0.0, 180.0, 30 / 1440) + 2_455_000.0
    day = (time - time[0]) % 30.0
    kept = day > 1.5
    ramp = 0.002 * np.exp(-24 / hours * (day - 1.5 if side > 0 else 30.0 - day))
    found = searched_flat(time[kept], 1 - ramp[kept], 1.5e-4, 7)
    assert all(signal.doubt is not None for signal in found)
    assert any("before and after them" in str(signal.doubt) for signal in found)


def test_dips_at_random_times_are_not_ranked_but_transits_as_deep_are() -> None:
    """Twelve equal dips make a signal of each pair and of some three; six transits do not come about so."""
    time = np.arange(0.0, 90.0, 30 / 1440) + 2_455_000.0
    at = time[0] + np.random.default_rng(11).uniform(2, 88, 12)
    depth = 0.0012 * profile(np.abs(time[:, None] - at).min(axis=1), 0.2, 0.2)
    found = searched_flat(time, 1 - depth, 3e-4, 8)
    assert found and all(signal.doubt is not None for signal in found)
    planet = 0.0012 * profile(phase_days(time, 14.3, time[0] + 5.0), 0.2, 0.2)
    (signal,) = searched_flat(time, 1 - planet, 3e-4, 8)
    assert signal.doubt is None and signal.n_transits == 6


def test_two_transits_are_ranked_when_nothing_else_in_the_curve_is_like_them() -> None:
    """With a third dip of their size, elsewhere, any two of the three would have been found as well."""
    time = np.arange(0.0, 60.0, 30 / 1440) + 2_455_000.0
    flux = 1 - 0.0011 * profile(phase_days(time, 33.0, time[0] + 12.0), 0.25, 0.15)
    (signal,) = searched_flat(time, flux, 3.5e-4, 5)
    assert signal.n_transits == 2 and 8 < signal.snr < 12 and signal.doubt is None
    third = 0.0011 * profile(time - time[0] - 31.0, 0.25, 0.15)
    found = searched_flat(time, flux - third, 3.5e-4, 5)
    assert found and all(signal.doubt is not None and "by chance" in signal.doubt for signal in found)


def test_eclipses_of_a_close_binary_are_ranked_and_pulsations_are_not() -> None:
    """Both last longer than a fifth of the period; a pulsating star varies over all of it."""
    time = np.arange(0.0, 60.0, 30 / 1440) + 2_455_000.0
    x = phase_days(time, 0.83, time[0] + 0.3)
    (binary,) = searched_flat(time, 1 - 0.1 * profile(x, 0.2, 0.4), 1e-3, 3)
    assert binary.doubt is None and binary.transit.ephemeris.duration_days == pytest.approx(0.2, rel=0.1)
    pulse = sum(0.1 / n * np.cos(2 * np.pi * n * x / 0.83) for n in (1, 2, 3))
    assert all(signal.doubt is not None for signal in searched_flat(time, 1 - pulse, 1e-3, 3))


def test_a_star_that_pulsates_at_a_third_of_the_period_varies() -> None:
    """A delta Scuti star of 1.9 h, whose crests come together every third time; a planet of that star does not vary."""
    time = np.arange(0.0, 27.0, 120 / 86_400) + 2_458_354.1
    noise = np.random.default_rng(29).normal(0, 4e-4, time.size)
    waves = 0.006 * np.sin(2 * np.pi * time / 0.081) + 0.004 * np.sin(2 * np.pi * time / 0.067)
    found = search_star([replace(light_curve(time, 1e4 * (1 + waves + noise)), mission="tess")]).signals
    assert found and found[0].transit.ephemeris.period_days == pytest.approx(3 * 0.081, rel=1e-3)
    assert all(signal.is_variable for signal in found)
    planet = 0.002 * profile(phase_days(time, 0.9, time[0] + 0.3), 0.07, 0.2)
    (signal,) = search_star([replace(light_curve(time, 1e4 * (1 - planet + noise)), mission="tess")]).signals
    assert not signal.is_variable and signal.variability_ratio < 0.1


@pytest.mark.parametrize(
    ("mission", "period", "hours", "is_ranked"),
    [
        ("k2", 0.2452, 0.6, False),
        ("k2", 0.4904, 0.6, False),
        ("kepler", 0.2452, 0.6, True),
        ("k2", 0.2401, 0.6, True),
        ("k2", 0.7356, 1.7, True),
    ],
)
def test_dips_of_k2s_thrusters_are_not_ranked(mission: str, period: float, hours: float, is_ranked: bool) -> None:
    """A point or two, every twelve long cadences; a planet near that period, or one whose transits last, is ranked."""
    time = np.arange(0.0, 75.0, 1765.46 / 86_400) + 2_457_000.0
    dip = np.abs(phase_days(time, period, time[0] + 0.03)) < max(hours / 48, 0.01)
    flux = 1 - 0.002 * dip + np.random.default_rng(1).normal(0, 1e-4, time.size)
    (signal,) = search_star([replace(light_curve(time, flux), mission=mission)]).signals
    assert signal.transit.ephemeris.period_days == pytest.approx(period, rel=1e-3)
    assert (signal.doubt is None) == is_ranked
    assert is_ranked or "roll of the telescope" in str(signal.doubt)


def test_known_transits_are_left_out_of_scrambled_curves_and_shares_are_pooled() -> None:
    """Eclipses of 5 %, torn from their order, would pair up; 100 searches of tests with 2 signals, 50 with 20."""
    time = np.arange(0.0, 90.0, 30 / 1440) + 2_455_000.0
    flux = 1 + np.random.default_rng(4).normal(0, 3e-4, time.size)
    place = Ephemeris(11.3, float(time[0]) + 2.0, 0.3)
    flux -= 0.05 * profile(phase_days(time, place.period_days, place.t0), place.duration_days, 0.2)
    curve = replace(light_curve(time, flux), flux_kind=as_flat("flux"))
    found = searched(curve, "real", [], 0)
    assert found is not None and found.signals
    for kind in ("inverted", "scrambled"):
        star = searched(curve, kind, [place], 1)
        assert star is not None and star.curve.flux.min() > 0.99 and not star.signals
    tallies = {kind: Tally() for kind in ("real", "inverted", "scrambled")}
    for tally, ranked in zip(tallies.values(), (20, 2, 0), strict=True):
        tally.stars = 50
        tally.ranked[1] = ranked
    tallies["real"].catalogued, tallies["real"].found, tallies["real"].found_ranked = 40, 25, 20
    tallies["real"].known[1] = 16
    line = pooled("ALL", [tallies])
    # Of 50 curves 1 would be spurious: 5 % of 20. Wilson's bounds of 2 in 100 are 0.55 % and 7.00 %, times 50 / 20.
    assert "spurious 5.0% (1.4% to 17.5%)" in line
    assert "4 of the ranked in no catalogue: 20.0% (8.1% to 41.6%)" in line
    assert "25 found with SNR 7.1 or more, 20 ranked: 80.0%" in line


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_many_transits_whose_depths_scatter_are_held_against_their_scatter(share: float) -> None:
    """Transits of a planet are equal; a varying star's dips are not, and their mean is as sure as they agree."""
    time = np.arange(0.0, 90.0, 30 / 1440) + 2_455_000.0
    number = np.rint((time - time[0] - 2.0) / 6.1).astype(int)
    depths = 0.002 * np.maximum(1 + share * np.random.default_rng(4).normal(0, 1.3, number.max() + 1), -0.3)
    flux = 1 - depths[number] * profile(phase_days(time, 6.1, time[0] + 2.0), 0.2, 0.2)
    found = [one for one in searched_flat(time, flux, 1.5e-4, 9) if one.n_transits > FEW_TRANSITS]
    if share:
        assert found and any("by the scatter of its transits" in str(one.doubt) for one in found)
        assert all(one.doubt for one in found)
    else:
        (signal,) = found
        assert signal.doubt is None and signal.transit.ephemeris.period_days == pytest.approx(6.1, rel=1e-3)
