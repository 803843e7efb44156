"""The models that Exo ships: they run on the contracts of the stages, and everything in them is documented."""

from __future__ import annotations

import pytest

from exo_assets.warehouse import contracts as own
from exo_assets.warehouse.catalogue import column_lineage, documentation, project, upstream
from exo_assets.warehouse.models import Model
from exo_resources.duckdb_sql import Workbench

PROJECT = project()


@pytest.fixture(scope="module")
def empty_lake() -> Workbench:
    contracts = {**upstream(), **{c.name: c for c in own.CONTRACTS}}
    bench = Workbench({name: contract.empty() for name, contract in contracts.items()})
    for model in PROJECT.models:
        bench.add(model.name, bench.select(model.sql))
    return bench


@pytest.mark.parametrize("model", PROJECT.models, ids=lambda m: m.name)
def test_a_model_gives_the_columns_that_it_declares(model: Model, empty_lake: Workbench) -> None:
    assert model.misfits(empty_lake.types(model.sql)) == []


@pytest.mark.parametrize("test", PROJECT.all_tests, ids=lambda t: f"{t.table}.{t.name}")
def test_a_test_runs(test: object, empty_lake: Workbench) -> None:
    assert empty_lake.select(test.sql).height == 0  # type: ignore[attr-defined]


def test_marts_that_people_rely_on_are_there() -> None:
    tables = {*PROJECT.names, *(c.name for c in own.CONTRACTS)}
    assert tables >= {
        "mart_candidates",
        "mart_known_planets",
        "mart_found_signals",
        "mart_disposition_changes",
        "mart_model_performance",
        "mart_data_quality",
        "mart_data_dictionary",
        "mart_table_lineage",
        "mart_column_lineage",
    }


def test_every_table_and_column_is_described() -> None:
    for table in documentation(PROJECT).values():
        assert table.description.endswith("."), table.name
        assert [c for c in table.columns if not table.columns[c][1]] == [], table.name


def test_units_in_names_are_units_in_front_matter() -> None:
    units = {"_days": "d", "_hours": "h", "_ppm": "ppm", "_earth": "_Earth", "_sun": "_Sun", "_pc": "pc", "_deg": "deg"}
    for model in PROJECT.models:
        for column in model.columns:
            for ending, unit in units.items():
                if column.name.endswith(ending):
                    assert column.unit.endswith(unit), f"{model.name}.{column.name}"


def test_lineage_ends_at_columns_that_exist() -> None:
    for table, column in column_lineage(PROJECT).select("upstream_table", "upstream_column").unique().rows():
        assert column in PROJECT.schemas[table]
