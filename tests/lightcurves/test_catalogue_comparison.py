"""A searched star beside the catalogue: what was recovered and how well, and why the rest was not."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from quiet_star import HOST, START_BJD, quiet
from test_injection import PLANET

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.lightcurves.catalogue_comparison import compare_with_catalogue
from exo_assets.lightcurves.chain import search_star
from exo_assets.lightcurves.injection import Injection, inject
from exo_assets.lightcurves.search import SearchSettings
from exo_assets.lightcurves.validation_contracts import CORE_SEARCH_VALIDATION

QUICK = SearchSettings(signals_max=2, period_min_days=1.0)
SMALL = replace(PLANET, radius_ratio=0.03)


def _catalogue(**planets: Injection) -> pl.DataFrame:
    """Rows of core_signals, a thousand orbits ago."""
    rows = [
        {
            "signal_id": name,
            "mission": HOST.mission,
            "mission_star_id": HOST.target,
            "disposition": "CONFIRMED",
            "period_days": p.period_days,
            "period_err_days": 1e-6,
            "t0_bjd": p.t0_bjd - 1000 * p.period_days,
            "t0_err_days": 1e-3,
            "duration_hours": p.duration_hours,
            "duration_err_hours": 0.1,
            "depth_ppm": p.radius_ratio**2 * 1e6 / 0.8,
            "depth_err_ppm": None,
        }
        for name, p in planets.items()
    ]
    return pl.from_dicts(rows, schema={c: CORE_SIGNALS.schema[c] for c in rows[0]})


def test_a_recovered_planet_and_why_others_are_not() -> None:
    catalogue = _catalogue(
        b=SMALL,
        c=replace(SMALL, period_days=100.0),
        d=replace(SMALL, period_days=0.8),
        e=replace(SMALL, period_days=3.7, radius_ratio=0.002),
        f=replace(SMALL, period_days=4.1, t0_bjd=START_BJD + 0.9),
        g=replace(SMALL, period_days=10.0),
    ).with_columns(t0_bjd=pl.when(pl.col("signal_id") != "c").then("t0_bjd").otherwise(START_BJD - 80))
    unknown = catalogue.head(1).with_columns(signal_id=pl.lit("h"), period_days=None)
    frame = compare_with_catalogue(search_star(inject(quiet(), SMALL), QUICK), pl.concat([catalogue, unknown]), QUICK)
    CORE_SEARCH_VALIDATION.check(frame)
    assert dict(frame.select("signal_id", "reason").rows()) == {
        "b": None,
        "c": "too_few_transits",
        "d": "period_not_searched",
        "e": "weak",
        "f": "missed",
        "g": "missed",  # the found signal is b, not half of g's period
        "h": "no_ephemeris",
    }
    assert frame["is_recovered"].to_list() == [True] + 6 * [False]
    best = frame.row(0, named=True)
    assert best["match_kind"] == "same"
    assert abs(best["period_relative_difference"]) < 1e-3
    assert abs(best["t0_difference_hours"]) < 0.5
    assert abs(best["t0_difference_sigma"]) < 4
    assert abs(best["period_difference_sigma"]) < 4
    assert best["depth_difference_ppm"] == pytest.approx(-50, abs=100)
    assert best["depth_difference_sigma"] is None
    assert best["n_transits_data"] == 11


def test_a_signal_at_half_the_catalogued_period_is_a_harmonic() -> None:
    catalogue = _catalogue(b=replace(SMALL, period_days=10.0))
    row = compare_with_catalogue(search_star(inject(quiet(), SMALL), QUICK), catalogue, QUICK).row(0, named=True)
    assert (row["is_recovered"], row["match_kind"], row["reason"]) == (False, "harmonic 1/2", "harmonic")
    assert row["found_period_days"] == pytest.approx(5.0, rel=1e-3)
    assert row["period_relative_difference"] is None


def test_a_masked_signal_says_so() -> None:
    star = search_star(inject(quiet(), SMALL), QUICK, known=[SMALL.ephemeris])
    row = compare_with_catalogue(star, _catalogue(b=SMALL), QUICK, known=[SMALL.ephemeris]).row(0, named=True)
    assert (row["is_recovered"], row["reason"]) == (False, "masked")


def test_a_star_without_catalogued_signals_has_no_rows() -> None:
    star = search_star(quiet(), QUICK)
    frame = compare_with_catalogue(star, _catalogue(b=SMALL).clear(), QUICK)
    assert frame.schema == CORE_SEARCH_VALIDATION.schema
    assert frame.is_empty()
