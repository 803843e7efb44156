"""`mart_found_signals`: what the search found, beside its catalogued self, and the tests that guard it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from exo_assets.warehouse.catalogue import project
from exo_resources.duckdb_sql import Workbench
from exo_resources.lake import Lake
from tests.warehouse.small_lake import fill, write

PROJECT = project()
MART = PROJECT.model("mart_found_signals")
FOUND: list[dict[str, Any]] = [
    {"tce_id": "KIC 1-01", "match": "same", "signal_id": "K1.02", "period_ratio": 1.0, "rank": 2, "p": 0.7},
    {"tce_id": "KIC 1-02", "match": "none", "rank": 1, "p": 0.9},
    {"tce_id": "KIC 1-03", "match": "harmonic", "signal_id": "K1.01", "period_ratio": 2.0, "rank": 3, "p": 0.1},
    {"tce_id": "KIC 1-04", "match": "none", "below_threshold": True, "p": 0.95, "flags": ["weak"]},
    {"tce_id": "KIC 1-05", "match": "none", "reason": "no measured quantity", "stage": "input"},
]


def write_found(lake: Lake, rows: list[dict[str, Any]]) -> None:
    """What the search found and the champion said of it."""
    plain = {
        **{"star_id": "KIC 1", "host_id": "KIC 1", "mission": "kepler", "number": 1, "period_days": 7.0},
        **{
            "t0_bjd": 2_455_000.0,
            "duration_hours": 2.5,
            "depth_ppm": 120.0,
            "sde": 12.0,
            "snr": 11.0,
            "n_transits": 30,
        },
        **{
            "n_transits": 30,
            "density_sun": 1.0,
            "below_threshold": False,
            "is_variable": False,
            "period_alternatives_days": [14.0],
        },
        **{
            "signal_id": None,
            "period_ratio": None,
            "rank": None,
            "p": None,
            "reason": None,
            "stage": None,
            "flags": [],
        },
        **{"has_diagnostics": True, "has_views": True, "model_version": "1", "data_version": "0" * 16},
        **{"first_found_at": "2026-01-01T00:00:00+00:00", "verdict": "candidate", "prediction_set": "unsure"},
        "reasons": [{"feature": "depth", "value": 812.25, "contribution": 1.5}],
    }
    whole = [plain | row | {"probability_planet": row.get("p")} for row in rows]
    kept = [{key: value for key, value in row.items() if key not in ("p",)} for row in whole]
    found = ("tce_id", "star_id", "mission", "number", "match", "signal_id", "period_ratio", "period_days", "t0_bjd")
    found += ("duration_hours", "depth_ppm", "sde", "snr", "n_transits", "density_sun", "below_threshold")
    found += ("is_variable", "period_alternatives_days")
    scored = {"tce_id", "star_id", "host_id", "mission", "match", "signal_id", "rank", "below_threshold", "flags"}
    scored |= {"has_diagnostics", "has_views", "model_version", "data_version", "first_found_at", "verdict", "reason"}
    scored |= {"prediction_set", "reasons", "probability_planet", "stage", "period_days"}
    write(lake, "core_found_signals", [{name: row[name] for name in found} for row in kept])
    write(lake, "out_found_scores", [{name: row[name] for name in sorted(scored)} for row in kept])
    write(lake, "core_searched_stars", [{"star_id": "KIC 1", "bucket": "kepler-01", "flux_kind": "PDCSAP_FLUX"}])


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return made(tmp_path, FOUND)


def made(folder: Path, rows: list[dict[str, Any]]) -> Workbench:
    """The mart, and all that its tests read."""
    lake = Lake(str(folder / "lake"))
    fill(lake)
    write_found(lake, rows)
    names = ("core_found_signals", "out_found_scores", "core_searched_stars", "core_signals", "out_scores")
    bench = Workbench({name: lake.read(name) for name in names})
    bench.add("stg_scores", bench.select(PROJECT.model("stg_scores").sql))
    bench.add(MART.name, bench.select(MART.sql))
    return bench


def failing(bench: Workbench) -> set[str]:
    tests = [test for test in PROJECT.all_tests if test.table == MART.name]
    assert len(tests) > 10
    return {test.name for test in tests if bench.select(test.sql).height}


def test_both_judgements_stand_side_by_side(bench: Workbench) -> None:
    rows = bench.select(f"FROM {MART.name}").rows_by_key("tce_id", named=True, unique=True)
    assert list(rows) == ["KIC 1-02", "KIC 1-01", "KIC 1-03", "KIC 1-04", "KIC 1-05"], "by rank, the rest behind"
    known = rows["KIC 1-01"]
    assert known["is_in_catalogue"] and known["signal_id"] == "K1.02"
    assert (known["probability_planet"], known["catalogue_probability_planet"]) == (0.7, 0.4)
    assert (known["catalogue_verdict"], known["catalogue_disposition"]) == ("candidate", "CANDIDATE")
    assert (known["period_days"], known["catalogue_period_days"]) == (7.0, 3.5)
    assert known["reasons"] == "depth = 812.2 (+1.50)" and known["period_alternatives_days"] == [14.0]
    assert known["page"] == "core_pages/kepler-01.parquet" and known["flux_kind"] == "PDCSAP_FLUX"
    new = rows["KIC 1-02"]
    assert not new["is_in_catalogue"] and new["catalogue_probability_planet"] is None and new["rank"] == 1
    assert rows["KIC 1-03"]["is_in_catalogue"] and rows["KIC 1-03"]["match"] == "harmonic"
    weak, lost = rows["KIC 1-04"], rows["KIC 1-05"]
    assert weak["rank"] is None and weak["probability_planet"] == 0.95 and weak["flags"] == "weak"
    assert lost["rank"] is None and lost["not_judged"] == "no measured quantity"
    assert failing(bench) == set()


@pytest.mark.parametrize(
    ("change", "noticed"),
    [
        ({1: {"rank": 4}}, "found_ranks_have_no_gap"),
        ({3: {"rank": 4}}, "found_ranks_have_no_gap"),
        ({0: {"p": 0.99}}, "found_ranks_have_no_gap"),
        ({4: {"reason": None}}, "every_found_signal_is_judged_or_says_why"),
        ({1: {"model_version": "2"}}, "found_signals_are_of_the_releases_model"),
        ({1: {"p": 1.5}}, "probability_between_0_and_1"),
    ],
)
def test_what_is_wrong_is_noticed(tmp_path: Path, change: dict[int, dict[str, Any]], noticed: str) -> None:
    rows = [row | change.get(number, {}) for number, row in enumerate(FOUND)]
    assert noticed in failing(made(tmp_path, rows))


def test_nothing_found_is_an_empty_mart(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    fill(lake)
    names = ("core_found_signals", "out_found_scores", "core_searched_stars", "core_signals", "out_scores")
    with Workbench({name: lake.read(name) for name in names}) as bench:
        bench.add("stg_scores", bench.select(PROJECT.model("stg_scores").sql))
        bench.add(MART.name, bench.select(MART.sql))
        found: pl.DataFrame = bench.select(f"FROM {MART.name}")
        assert found.is_empty() and failing(bench) == set()
