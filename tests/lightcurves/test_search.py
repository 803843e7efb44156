"""The search: what was put in is found, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from simulated import curve

from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit, phase_days, transit_number
from exo_assets.lightcurves.search import SearchError, SearchSettings, Signal, gains, power, signals, spectrum

INNER, OUTER = Ephemeris(3.21, 101.5, 0.11), Ephemeris(11.87, 105.0, 0.18)


def _same(found: Signal, place: Ephemeris) -> bool:
    got = found.transit.ephemeris
    off = abs(phase_days(np.array([got.t0]), place.period_days, place.t0)[0])
    return abs(got.period_days / place.period_days - 1) < 1e-3 and off < place.duration_days / 2


def test_planets_are_found_one_after_the_other() -> None:
    time, flux, error = curve((INNER, 6e-4), (OUTER, 1.2e-3))
    found = list(signals(time, flux, error))
    assert [_same(found[0], OUTER), _same(found[1], INNER)] in ([True, True], [False, False])
    assert sorted(round(s.transit.ephemeris.period_days, 1) for s in found) == [3.2, 11.9]
    for signal, depth in zip(sorted(found, key=lambda s: s.transit.ephemeris.period_days), (6e-4, 1.2e-3), strict=True):
        assert signal.transit.depth == pytest.approx(depth, abs=4 * signal.transit.depth_err)
        assert signal.snr > 15 and signal.sde > 7 and signal.odd_even_sigma < 4


def test_noise_and_brightenings_hold_no_signal() -> None:
    assert list(signals(*curve(seed=5))) == []
    time, flux, error = curve((INNER, 6e-4))
    assert list(signals(time, 2 - flux, error)) == []


def test_an_eclipsing_binary_is_found_at_its_own_period() -> None:
    primary, secondary = Ephemeris(6.42, 101.5, 0.15), Ephemeris(6.42, 101.5 + 3.21, 0.15)
    found = next(signals(*curve((primary, 3e-3), (secondary, 1e-3))))
    assert _same(found, primary)


@settings(max_examples=8, deadline=None)
@given(st.floats(0.7, 25), st.floats(0, 1), st.integers(0, 1000))
def test_any_period_and_epoch_is_recovered(period: float, phase: float, seed: int) -> None:
    place = Ephemeris(period, 100.0 + phase * period, 0.07 * period ** (1 / 3))
    time, flux, error = curve((place, 2e-3), seed=seed)
    seen = np.unique(transit_number(time[in_transit(time, [place], 0.4)], period, place.t0))
    # Where every other transit falls into the gap, or there is one, the data do not say which period it is.
    assume(np.gcd.reduce(np.diff(seen)) == 1)
    assert _same(next(signals(time, flux, error)), place)


def test_what_is_searched_does_not_depend_on_units() -> None:
    time, flux, error = curve((INNER, 6e-4))
    settings = SearchSettings(period_max_days=20)
    plain = spectrum(time, flux, error, settings)
    moved = spectrum(time + 2_454_833.0, 1e4 * flux, 1e4 * error, settings)
    assert moved.gain == pytest.approx(plain.gain, rel=2e-2, abs=0.5)
    assert moved.sde == pytest.approx(plain.sde, rel=1e-2)


def test_gains_match_folding_one_period_at_a_time() -> None:
    """The exact box at the true period and epoch, against the fast fold's best shape: it loses a few percent."""
    time, flux, error = curve((INNER, 6e-4))
    inside = np.abs(phase_days(time, INNER.period_days, INNER.t0)) < 0.5 * INNER.duration_days
    weight = error**-2
    deviation = weight * (flux - (weight * flux).sum() / weight.sum())
    s, n = deviation[inside].sum(), weight[inside].sum()
    exact = s * s / (n * (1 - n / weight.sum()))
    assert gains(time, flux, error, np.array([INNER.period_days]))[0] == pytest.approx(exact, rel=0.12)


def test_power_is_the_height_of_a_peak_in_standard_deviations() -> None:
    gain = np.random.default_rng(3).normal(20, 2, 4001)
    gain[2000] = 100
    found = power(gain, 5000.0)
    assert found.argmax() == 2000 and found.mean() == pytest.approx(0, abs=1e-9) and found.std() == pytest.approx(1)
    assert (power(np.zeros(500), 5000.0) == 0).all()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t, f, e: (t, np.where(t > 150, np.nan, f), e), "flux has .* not finite"),
        (lambda t, f, e: (t[::-1], f, e), "not ascending"),
        (lambda t, f, e: (t, f, 0 * e), "not above zero"),
        (lambda t, f, e: (t, f[:-1], e), "differ in shape"),
        (lambda t, f, e: (t[:20], f[:20], e[:20]), "20 points are too few"),
    ],
)
def test_data_that_cannot_be_searched_are_named(spoil, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SearchError, match=says):
        spectrum(*spoil(*curve()))


@pytest.mark.parametrize("dips", [(111.9,), (111.9, 150.77), (105.3, 111.9, 123.4, 147.1, 166.6)])
def test_deep_dips_that_do_not_repeat_are_no_signals_and_hide_none(dips: tuple[float, ...]) -> None:
    """A hundred errors deep, a few points each; any two of them would be a signal at the time between them."""
    place = Ephemeris(4.7, 102.0, 0.15)
    time, flux, error = curve((place, 4e-4), noise=2e-4)
    for number, moment in enumerate(dips):
        flux[np.abs(time - moment) < 0.04] -= 2e-2 * (1 + number)
    found = [s.transit.ephemeris.period_days for s in signals(time, flux, error, SearchSettings(signals_max=6))]
    assert any(period == pytest.approx(4.7, rel=1e-3) for period in found)
    assert len(found) <= 1 + len(dips) // 2


def test_a_single_transit_is_no_signal() -> None:
    time, flux, error = curve((Ephemeris(500.0, 140.0, 0.4), 5e-3))
    assert list(signals(time, flux, error)) == []
