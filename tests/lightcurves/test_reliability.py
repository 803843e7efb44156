"""What a signal must pass to be ranked, and the figures that say how far ranked ones can be relied on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.search_reliability import Tally, pooled, searched
from exo_assets.lightcurves.chain import search_star
from exo_assets.lightcurves.curve import as_flat
from exo_assets.lightcurves.ephemeris import Ephemeris, phase_days
from exo_assets.lightcurves.periods import central_duration_days
from exo_assets.lightcurves.reliability import LONGEST
from exo_assets.lightcurves.trapezoid import profile
from tests.lightcurves.simulated import light_curve

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
