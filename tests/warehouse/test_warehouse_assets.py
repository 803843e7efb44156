"""The warehouse from a small lake to a release: what the marts say, what is kept, what stops a night."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from exo_assets.warehouse import assets
from exo_assets.warehouse.catalogue import project
from exo_resources.lake import Lake
from exo_resources.query import run_query
from exo_resources.releases import ReleaseStore
from tests.warehouse.small_lake import (
    REFUSED,
    fill,
    materialise,
    metadata,
    recomputed,
    snapshot,
    write,
    write_scores,
    write_signals,
)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, ReleaseStore, dg.ExecuteInProcessResult]:
    """One night, for tests that only look."""
    folder = tmp_path_factory.mktemp("night")
    lake = Lake(str(folder / "lake"))
    fill(lake)
    result = materialise(lake, folder / "releases")
    return lake, ReleaseStore(folder / "releases", keep=3), result


Night = tuple[Lake, ReleaseStore, dg.ExecuteInProcessResult]


def test_the_night_ends_in_a_release_of_every_table(night: Night) -> None:
    lake, releases, result = night
    assert result.success
    release = releases.verify()
    assert set(release.manifest.tables) == set(lake.tables())
    info = release.manifest.info
    assert info["archive"]["toi"] == {
        "source": "mirror",
        "as_of": "2025-09-29",
        "sha256": "raw_nea__toi",
        "url": "file://raw_nea__toi",
        "reason": "",
    }
    assert (info["archive"]["k2pandc"]["source"], info["archive"]["k2pandc"]["reason"]) == ("last_good", REFUSED)
    assert (info["archive"]["pscomppars"]["source"], info["archive"]["pscomppars"]["reason"]) == ("absent", "gone")
    assert info["champion"]["digest"] == "d2"
    assert info["baseline"] == ""
    assert info["absent"] == []
    checks = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert checks["release_readable"]
    assert {t.name for t in project().tests} <= set(checks)


def test_candidates_are_ranked_and_explained_and_not_known(night: Night) -> None:
    rows = run_query("SELECT rank, signal_id, probability_planet, reasons FROM mart_candidates ORDER BY rank", night[1])
    assert rows.select("rank", "signal_id", "probability_planet").rows() == [(1, "TOI-1.01", 0.9), (2, "K1.02", 0.4)]
    assert rows["reasons"][0] == "depth = 812.2 (+1.50); impact = unknown (-0.25)"


def test_known_planets_include_those_under_another_name(night: Night) -> None:
    rows = run_query("SELECT planet_name, signal_id, confirmed_by, is_disputed FROM mart_known_planets", night[1])
    assert rows.rows() == [
        ("Kepler-1 b", "K1.01", "own catalogue", False),
        ("Kepler-1 b", "TOI-2.01", "other name", False),
    ]


def test_before_a_release_changes_are_counted_from_the_first_snapshot(night: Night) -> None:
    rows = run_query(
        "SELECT signal_id, change, archive_before, archive_after, last_changed_on::VARCHAR, compared_with "
        "FROM mart_disposition_changes ORDER BY signal_id",
        night[1],
    )
    assert rows.rows() == [
        ("K1.01", "changed", "CANDIDATE", "CONFIRMED", "2025-09-29", None),
        ("K1.02", "new", None, "CANDIDATE", "2025-09-29", None),
        ("K9.01", "withdrawn", "CANDIDATE", None, "2017-07-19", None),
    ]


def test_performance_stands_beside_that_of_the_model_before(night: Night) -> None:
    rows = run_query(
        "SELECT candidate_version, value, value_before, round(change, 6), is_champion FROM mart_model_performance",
        night[1],
    )
    assert rows.rows() == [("2", 0.95, 0.90, 0.05, True), ("1", 0.90, None, None, False)]


def test_data_quality_counts_what_was_kept_out_and_where_it_is_from(night: Night) -> None:
    rows = run_query("SELECT kind, item, value, share, as_of::VARCHAR AS as_of FROM mart_data_quality", night[1])
    quarantined = rows.filter(kind="quarantined").sort("item").select("item", "value", "share").rows()
    assert quarantined == [
        ("kepler: depth_ppm_above_1e+06", 1.0, 0.1), ("kepler: period_days_missing", 1.0, 0.1),
        ("toi: copy_of_another_row", 2.0, 2 / 3), ("toi: key_of_another_row", 1.0, 1 / 3),
    ]  # fmt: skip
    sources = rows.filter(kind="archive_source")
    assert sources.height == 6
    dated = {("mirror", "2025-09-29"), ("last_good", "2025-09-29"), ("absent", None)}
    assert set(sources.select("item", "as_of").rows()) == dated
    assert rows.filter(kind="archive_problem")["item"].sort().to_list() == ["gone", REFUSED]
    assert rows.filter(kind="archive_refused").select("item", "as_of").rows() == [
        (f"{REFUSED} (555555555555)", "2025-10-01")
    ]
    assert rows.filter(kind="null_rate", item="planet_name")["value"].max() == 1.0
    assert rows.filter(pl.col("kind") == "rows")["value"].sum() > 0


def test_the_dictionary_has_every_column_of_the_release(night: Night) -> None:
    known = run_query(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal ORDER BY ALL", night[1]
    ).rows()
    said = run_query("SELECT table_name, column_name, type, description, unit FROM mart_data_dictionary", night[1])
    assert sorted(said.select("table_name", "column_name").rows()) == known
    assert said["description"].null_count() == 0
    period = said.filter(table_name="mart_candidates", column_name="period_days").row(0, named=True)
    assert (period["type"], period["unit"], period["description"]) == ("DOUBLE", "d", "Orbital period")


def test_types_in_the_dictionary_are_those_of_the_release(night: Night) -> None:
    different = run_query(
        "SELECT said.table_name, said.column_name, said.type, found.data_type FROM mart_data_dictionary AS said "
        "JOIN duckdb_columns() AS found USING (table_name, column_name) WHERE said.type <> found.data_type",
        night[1],
    )
    assert different.rows() == []


def test_every_column_has_a_comment(night: Night) -> None:
    bare = run_query(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND comment IS NULL", night[1]
    )
    assert bare.rows() == []


def test_lineage_is_metadata_and_tables(night: Night) -> None:
    _, releases, result = night
    lineage = metadata(result, "mart_candidates")["dagster/column_lineage"]
    deps = {(d.asset_key.to_user_string(), d.column_name) for d in lineage.deps_by_column["reasons"]}
    assert deps == {("stg_scores", "reasons_text")}
    rows = run_query(
        "SELECT upstream_table, upstream_column FROM mart_column_lineage "
        "WHERE table_name = 'stg_scores' AND column_name = 'reasons_text'",
        releases,
    )
    assert rows.rows() == [("out_scores", "reasons")]
    upstream = run_query("SELECT upstream_table FROM mart_table_lineage WHERE table_name = 'mart_candidates'", releases)
    assert sorted(upstream["upstream_table"]) == ["stg_planet_identity", "stg_scores", "stg_signals"]


def test_models_run_as_they_are_on_a_release(night: Night) -> None:
    lake, releases, _ = night
    for model in project().models:
        assert run_query(model.sql, releases).height == lake.read(model.name).height


@pytest.fixture
def small(night: Night, tmp_path: Path) -> tuple[Lake, Path]:
    """A copy of the state after one night, to break."""
    shutil.copytree(Path(night[0].root).parent, tmp_path / "home", symlinks=True)
    return Lake(str(tmp_path / "home" / "lake")), tmp_path / "home" / "releases"


def test_a_second_night_with_nothing_new_recomputes_nothing(small: tuple[Lake, Path]) -> None:
    lake, folder = small
    before = {table: lake.version(table) for table in lake.tables()}
    again = materialise(lake, folder)
    assert recomputed(again) == []
    assert {table: lake.version(table) for table in lake.tables()} == before
    assert len(ReleaseStore(folder).list()) == 1


def test_changes_are_counted_from_the_last_release_with_other_snapshots(small: tuple[Lake, Path]) -> None:
    lake, folder = small
    first = ReleaseStore(folder).verify().id
    write(lake, "raw_nea__toi", [], snapshot("2025-10-04", "new bytes"))
    write_signals(lake, {"TOI-1.01": "CP"}, without="K2.01")
    write(lake, "out_scores_attrition", [])
    write_scores(lake)
    lake.write("out_scores", lake.read("out_scores").filter(pl.col("signal_id") != "K2.01"))
    materialise(lake, folder)
    changes = [
        ("K2.01", "withdrawn", "FALSE POSITIVE", None, first),
        ("TOI-1.01", "changed", "PC", "CP", first),
    ]
    ask = "SELECT signal_id, change, archive_before, archive_after, compared_with FROM mart_disposition_changes"
    assert run_query(ask, ReleaseStore(folder)).rows() == changes
    assert recomputed(materialise(lake, folder)) == [], "the release just published must not become its own baseline"
    # A new model on the same snapshots makes a release, but the changes stay those since the first one.
    write_scores(lake, {"K1.02": 0.5}, version="2")
    lake.write("out_scores", lake.read("out_scores").filter(pl.col("signal_id") != "K2.01"))
    materialise(lake, folder)
    assert len(ReleaseStore(folder).list()) == 3
    assert run_query(ask, ReleaseStore(folder)).rows() == changes


def test_a_failing_test_stops_the_night_with_its_rows_and_yesterday_stays(small: tuple[Lake, Path]) -> None:
    lake, folder = small
    yesterday, kept = ReleaseStore(folder).verify().id, lake.version("stg_scores")
    broken = lake.read("out_scores").with_columns(
        disposition_confirmed=pl.when(pl.col("signal_id") == "K1.02").then(0.9).otherwise("disposition_confirmed")
    )
    lake.write("out_scores", broken)
    for _ in range(2):  # a second night must not let it pass either
        result = materialise(
            lake, folder, raise_on_error=False, selection=["stg_scores", "mart_candidates", "out_warehouse"]
        )
        assert not result.success
        failed = [e for e in result.get_asset_check_evaluations() if not e.passed]
        assert [(e.asset_key.to_user_string(), e.check_name) for e in failed] == [
            ("stg_scores", "dispositions_sum_to_1")
        ]
        assert failed[0].metadata["failing_rows"].value == 1
        assert "K1.02" in str(failed[0].metadata["sample"].value)
        assert "dbt_like_sql/staging/stg_scores.sql:" in str(failed[0].metadata["where"].value)
        assert lake.version("stg_scores") == kept
        assert ReleaseStore(folder).verify().id == yesterday


def test_a_failing_file_test_blocks_the_release(small: tuple[Lake, Path]) -> None:
    lake, folder = small
    yesterday = ReleaseStore(folder).verify().id
    mixed = lake.read("out_scores").with_columns(
        model_version=pl.when(pl.col("signal_id") == "K1.02").then(pl.lit("7")).otherwise("model_version")
    )
    lake.write("out_scores", mixed)
    result = materialise(lake, folder, raise_on_error=False)
    assert not result.success
    failed = [e.check_name for e in result.get_asset_check_evaluations() if not e.passed]
    assert failed == ["one_model_scored_the_release"]
    assert ReleaseStore(folder).verify().id == yesterday


def test_even_without_checks_a_failing_test_keeps_a_release_from_being_switched_to(small: tuple[Lake, Path]) -> None:
    lake, folder = small
    yesterday = ReleaseStore(folder).verify().id
    mixed = lake.read("out_scores").with_columns(
        model_version=pl.when(pl.col("signal_id") == "K1.02").then(pl.lit("7")).otherwise("model_version")
    )
    lake.write("out_scores", mixed)
    result = materialise(lake, folder, raise_on_error=False, checks=[])
    assert not result.success
    assert "one_model_scored_the_release (2 rows)" in _why(result, "out_warehouse")
    assert ReleaseStore(folder).verify().id == yesterday


def test_a_warehouse_of_two_nights_is_not_published(small: tuple[Lake, Path]) -> None:
    lake, folder = small
    write_scores(lake, {"K1.02": 0.5})
    result = materialise(lake, folder, raise_on_error=False, selection=["out_warehouse"])
    assert not result.success
    assert "stg_scores was made from an older out_scores" in _why(result, "out_warehouse")


def test_a_missing_table_is_named(lake: Lake, tmp_path: Path) -> None:
    fill(lake)
    result = materialise(lake, tmp_path / "releases", raise_on_error=False, selection=["out_warehouse"])
    assert not result.success
    assert "not in the lake: stg_lake_tables" in _why(result, "out_warehouse")


def test_a_damaged_release_fails_its_check(small: tuple[Lake, Path]) -> None:
    lake, folder = small
    database = ReleaseStore(folder).verify().database
    database.chmod(0o644)
    with database.open("ab") as handle:
        handle.write(b"x")
    check = next(c for c in assets.CHECKS if next(iter(c.check_specs)).name == "release_readable")
    result = dg.materialize(
        [*assets.ASSETS, check],
        resources={"lake": lake, "releases": ReleaseStore(folder)},
        selection=dg.AssetSelection.checks(check),
        raise_on_error=False,
    )
    evaluation = result.get_asset_check_evaluations()[0]
    assert not evaluation.passed
    assert "is damaged" in str(evaluation.description)


@pytest.mark.parametrize("victim", ["manifest.json", "exo.duckdb"])
def test_a_damaged_release_is_replaced_by_the_next_night(small: tuple[Lake, Path], victim: str) -> None:
    lake, folder = small
    file = folder / "current" / victim
    file.chmod(0o644)
    file.write_bytes(b"not what it was")
    write(lake, "raw_nea__toi", [], snapshot("2025-10-04", "new bytes"))
    assert materialise(lake, folder).success
    assert ReleaseStore(folder).verify().manifest.info["archive"]["toi"]["as_of"] == "2025-10-04"


def test_every_released_table_is_an_asset() -> None:
    from deployments.definitions import defs

    graph = defs.resolve_asset_graph()
    release = graph.get(dg.AssetKey("out_warehouse"))
    assert [k.to_user_string() for k in release.parent_keys if not graph.get(k).is_materializable] == []


def _why(result: Any, step: str) -> str:
    failures = [e for e in result.all_events if e.is_step_failure and e.step_key == step]
    return str(failures[0].event_specific_data.error)
