"""Trials of injection and recovery: easy planets are found, impossible ones are not, and why is said."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from quiet_star import START_BJD, quiet
from test_injection import PLANET

from exo_assets.lightcurves.chain import search_star
from exo_assets.lightcurves.injection import inject
from exo_assets.lightcurves.recovery import recovered, trial
from exo_assets.lightcurves.search import SearchSettings
from exo_assets.lightcurves.validation_contracts import CORE_INJECTIONS

QUICK = SearchSettings(signals_max=2, period_min_days=1.0)


def _rows(*rows: dict[str, Any]) -> pl.DataFrame:
    frame = CORE_INJECTIONS.conform(pl.from_dicts(list(rows), schema=CORE_INJECTIONS.schema))
    return CORE_INJECTIONS.check(frame)


def test_an_easy_planet_is_recovered() -> None:
    row = _rows(trial(quiet(), PLANET, QUICK)).row(0, named=True)
    assert (row["is_recovered"], row["is_recovered_closely"], row["reason"], row["rank"]) == (True, True, None, 1)
    assert row["is_injected"]
    assert row["n_transits_data"] == 11
    assert row["found_depth_ppm"] / row["depth_ppm"] == pytest.approx(0.95, abs=0.05)
    assert row["found_duration_hours"] / row["duration_hours"] == pytest.approx(1, abs=0.12)
    assert abs(row["epoch_offset_durations"]) < 0.02
    assert row["cadence_minutes"] == pytest.approx(30, abs=0.1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"radius_ratio": 0.003}, "weak"),
        ({"period_days": 55.0, "t0_bjd": START_BJD + 12.0}, "too_few_transits"),
        ({"period_days": 0.9}, "period_not_searched"),
    ],
)
def test_an_impossible_planet_is_not_and_why(change: dict[str, float], reason: str) -> None:
    settings = replace(QUICK, period_max_days=29.0)
    row = _rows(trial(quiet(), replace(PLANET, **change), settings)).row(0, named=True)
    assert (row["is_recovered"], row["reason"], row["failure"]) == (False, reason, None)


def test_the_signal_to_noise_is_about_what_was_expected() -> None:
    ratios = []
    for seed in range(4):
        row = trial(quiet(seed=seed), replace(PLANET, radius_ratio=0.03), QUICK)
        ratios.append(float(str(row["found_snr"])) / float(str(row["snr_expected"])))
    assert sum(ratios) / 4 == pytest.approx(0.9, abs=0.15)


def test_a_planet_that_is_not_there_is_not_found() -> None:
    row = trial(quiet(), replace(PLANET, radius_ratio=0.003), QUICK)
    assert (row["rank"], row["found_period_days"], row["n_signals"]) == (None, None, 0)


def test_twice_the_period_is_a_harmonic_and_does_not_count() -> None:
    star = search_star(inject(quiet(), PLANET), QUICK)
    double = replace(PLANET, period_days=10.0)
    found = recovered(star, double)
    assert (found.is_recovered, found.harmonic, found.reason) == (False, "1/2", "harmonic")
    half = recovered(star, replace(PLANET, period_days=2.5))
    assert (half.is_recovered, half.harmonic) == (False, "2")


def test_the_right_period_at_the_wrong_time_is_not_the_planet() -> None:
    star = search_star(inject(quiet(), PLANET), QUICK)
    assert recovered(star, PLANET).is_recovered
    beside = replace(PLANET, t0_bjd=PLANET.t0_bjd + 0.55 * PLANET.duration_hours / 24)
    assert not recovered(star, beside).is_recovered


def test_a_period_off_by_less_than_a_percent_counts_but_not_closely() -> None:
    star = search_star(inject(quiet(), PLANET), QUICK)
    # Both have a transit where the found epoch is: in the middle of the data.
    place = star.signals[0].transit.ephemeris
    off = replace(PLANET, period_days=PLANET.period_days * 1.004, t0_bjd=place.t0)
    found = recovered(star, off)
    assert (found.is_recovered, found.is_recovered_closely) == (True, False)


def test_a_trial_is_the_same_whenever_it_is_made() -> None:
    first = trial(quiet(), PLANET, QUICK)
    trial(quiet(seed=3), replace(PLANET, number=1), QUICK)
    assert json.dumps(trial(quiet(), PLANET, QUICK)) == json.dumps(first)


@pytest.mark.parametrize(
    ("segments", "reason", "says"),
    [
        ([s.where(s.time_bjd < START_BJD + 1) for s in quiet()[:1]], "no_curve", "CleanError"),
        ([replace(s, target="KIC 9") for s in quiet()], "failed", "InjectionError"),
    ],
)
def test_a_trial_that_fails_is_a_row(segments: list[Any], reason: str, says: str) -> None:
    row = _rows(trial(segments, PLANET, QUICK)).row(0, named=True)
    assert (row["is_recovered"], row["reason"]) == (False, reason)
    assert says in row["failure"]
