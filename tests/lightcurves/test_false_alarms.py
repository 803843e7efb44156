"""Light curves upside down and out of order: what stays, what goes, and what is still found in them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quiet_star import START_BJD, quiet
from test_injection import PLANET

from exo_assets.lightcurves.clean import cleaned, stitched
from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.ephemeris import in_transit
from exo_assets.lightcurves.false_alarms import ScrambleError, false_alarm_table, false_alarm_trial, inverted, scrambled
from exo_assets.lightcurves.injection import generator, inject
from exo_assets.lightcurves.search import SearchSettings
from exo_assets.lightcurves.validation_contracts import CORE_FALSE_ALARMS

QUICK = SearchSettings(signals_max=2, period_min_days=1.0)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.floats(0, 0.02))
def test_inverted_twice_is_the_original(seed: int, spots: float) -> None:
    before = quiet(seed=seed, spots=spots)
    for a, b in zip(before, inverted(inverted(before)), strict=True):
        assert b.flux == pytest.approx(a.flux, rel=1e-12, nan_ok=True)
        assert replace(b, flux=a.flux) == replace(a, flux=a.flux)


def test_dips_become_bumps_about_the_same_trend() -> None:
    segments = quiet(noise=5e-5)
    shallow = inject(segments, replace(PLANET, radius_ratio=0.012))  # below what is clipped as an outlier
    inside = in_transit(cleaned(shallow).time_bjd, [PLANET.ephemeris], 0.3)
    upright, turned = cleaned(shallow), cleaned(inverted(shallow))
    both = np.intersect1d(upright.time_bjd, turned.time_bjd, return_indices=True)
    a, b = upright.flux[both[1]], turned.flux[both[2]]
    assert a + b == pytest.approx(2, abs=2e-6)
    assert np.median(upright.flux[inside]) < 1 - 1e-4
    assert np.median(b[inside[both[1]]]) > 1 + 1e-4


def _numbered(quarters: int, season_of_first: int = 1) -> list[LightCurve]:
    """Kepler quarters of different lengths whose fluxes number their points."""
    out, begin = [], START_BJD
    for q in range(season_of_first, season_of_first + quarters):
        time = begin + np.arange(200 + 10 * q) * 0.1
        begin = time[-1] + 1.5 + 0.1 * q
        n, nan = time.size, np.full(time.size, np.nan)
        flux = 1000.0 + np.arange(n) * 1e-3
        zero = np.zeros(n, np.int64)
        out.append(LightCurve("KIC 1", "kepler", "SAP_FLUX", time, flux, nan, zero, np.full(n, q, np.int32), nan, nan))
    return out


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 17), st.integers(0, 2**31))
def test_blocks_change_places_and_nothing_else(quarters: int, seed: int) -> None:
    before = _numbered(quarters)
    after = scrambled(before, np.random.default_rng(seed))
    whole = stitched(before)
    times = np.concatenate([c.time_bjd for c in after])
    assert (np.diff(times) > 0).all()
    assert (times[0], times[-1]) == pytest.approx((whole.time_bjd[0], whole.time_bjd[-1]), abs=1e-6)
    assert np.sort(np.concatenate([c.flux for c in after])).tolist() == np.sort(whole.flux).tolist()
    flux = np.concatenate([c.flux for c in after])
    assert flux.tolist() != whole.flux.tolist()
    for block in after:
        assert np.unique(block.segment).size == 1
        assert np.diff(block.time_bjd) == pytest.approx(0.1, abs=1e-6)
        assert (np.diff(block.flux) > 0).all()
        assert block.flux_kind == "SAP_FLUX (scrambled)"
    if quarters >= 4:  # fewer are cut into pieces of three days
        gaps = [[b.time_bjd[0] - a.time_bjd[-1] for a, b in pairwise(curves)] for curves in (before, after)]
        assert gaps[1] == pytest.approx(gaps[0], abs=1e-6)


@given(st.integers(0, 2**31))
def test_quarters_keep_their_season(seed: int) -> None:
    before = _numbered(12)
    lengths = {len(c): int(c.segment[0]) for c in before}
    order = [lengths[len(c)] for c in scrambled(before, np.random.default_rng(seed))]
    assert order != list(range(1, 13))
    assert [q % 4 for q in order] == [q % 4 for q in range(1, 13)]


def test_a_sector_is_cut_into_blocks_of_three_days_without_gaps_inside() -> None:
    after = scrambled(quiet(), np.random.default_rng(0))
    assert len(after) == 19
    for block in after:
        assert 2 < np.ptp(block.time_bjd) < 4
        assert np.diff(block.time_bjd).max() < 0.5


def test_one_block_has_no_other_order() -> None:
    one = [c.where(c.time_bjd < START_BJD + 2) for c in quiet()[:1]]
    with pytest.raises(ScrambleError, match="1 block"):
        scrambled(one, np.random.default_rng(0))


def test_a_planet_is_gone_when_the_curve_is_upside_down_and_torn_apart_when_it_is_out_of_order() -> None:
    segments = inject(quiet(), replace(PLANET, radius_ratio=0.03, period_days=7.3))
    rows = [false_alarm_trial(segments, kind, 0, seed=1, settings=QUICK) for kind in ("inverted", "scrambled")]
    # Its dips are still there when the curve is out of order; at random times they are no signal to be ranked.
    assert [row["n_alarms"] for row in rows] == [0, 0]


def test_a_quiet_star_raises_no_alarm() -> None:
    assert [false_alarm_trial(quiet(), "scrambled", n, seed=1, settings=QUICK)["n_alarms"] for n in range(3)] == [0] * 3


def test_dips_that_are_bumps_before_are_alarms() -> None:
    segments = [replace(c, flux=2 * np.nanmedian(c.flux) - c.flux) for c in inject(quiet(), PLANET)]
    row = false_alarm_trial(segments, "inverted", 0, seed=1, settings=QUICK)
    assert row["n_alarms"] == 1
    assert row["period_days"] == pytest.approx(PLANET.period_days, rel=1e-3)
    CORE_FALSE_ALARMS.check(CORE_FALSE_ALARMS.conform(pl.from_dicts([row], schema=CORE_FALSE_ALARMS.schema)))


def test_scrambling_depends_on_seed_star_and_number_alone() -> None:
    segments = quiet(noise=2e-4)
    low = replace(QUICK, sde_min=0.0, snr_min=0.0, signals_max=1)
    rows = [false_alarm_trial(segments, "scrambled", n, seed=5, settings=low) for n in (0, 1, 0)]
    assert rows[0] == rows[2]
    first, other, again = (scrambled(segments, generator(5, "KIC 1", n)) for n in (0, 1, 0))
    assert all(np.array_equal(a.flux, b.flux, equal_nan=True) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a.flux, b.flux, equal_nan=True) for a, b in zip(first, other, strict=True))


def test_the_table_counts_trials_alarms_and_failures() -> None:
    def row(kind: str, number: int, alarms: int | None, sde: float | None = None) -> dict[str, object]:
        return {
            "target": "KIC 1",
            "mission": "kepler",
            "kind": kind,
            "number": number,
            "sde_min": 7.0,
            "snr_min": 7.1,
            "n_alarms": alarms,
            "sde_highest": sde,
        }

    rows = [row("scrambled", n, 0) for n in range(8)] + [row("scrambled", 8, 2, 9.0), row("scrambled", 9, 1, 8.0)]
    rows += [row("inverted", 0, None)]
    table = false_alarm_table(CORE_FALSE_ALARMS.check(pl.from_dicts(rows, schema=CORE_FALSE_ALARMS.schema)))
    none, some = table.rows(named=True)
    assert (none["n"], none["n_unsearched"], none["share"], none["low"], none["high"]) == (0, 1, None, None, None)
    assert (some["n"], some["with_alarm"], some["alarms"], some["share"]) == (10, 2, 3, 0.2)
    assert (some["low"], some["high"]) == pytest.approx((0.0567, 0.5098), abs=1e-4)
    assert (some["sde_median"], some["sde_highest"]) == (8.5, 9.0)


def test_kinds_are_those_that_exist_and_failures_are_rows() -> None:
    with pytest.raises(ValueError, match="not one of"):
        false_alarm_trial(quiet(), "mirrored", 0, seed=1)
    short = [c.where(c.time_bjd < START_BJD + 2) for c in quiet()[:1]]
    row = false_alarm_trial(short, "scrambled", 0, seed=1)
    assert row["reason"] == "no_curve"
    assert "ScrambleError" in str(row["failure"])
