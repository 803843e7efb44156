"""The policy of table assets: nothing recomputed that did not change, nothing written that breaks its contract."""

from __future__ import annotations

import sqlite3

import dagster as dg
import httpx
import polars as pl
import pytest

from exo_assets import table_asset as policy
from exo_assets.contracts import Column, TableContract
from exo_assets.table_asset import Table, TableConfig, table_asset
from exo_resources.archive.errors import ArchiveQueryError, ArchiveTimeoutError, ArchiveUnreachableError
from exo_resources.lake import Lake
from exo_resources.ray_runtime import RayStartError

SOURCE = TableContract("source", "Source.", (Column("x", pl.Int64, "X", low=0),), key=("x",))
DOUBLED = TableContract("doubled", "Doubled.", (Column("y", pl.Int64, "Y"),))


class _Numbers:
    def __init__(self, values: list[int]) -> None:
        self.values, self.calls = values, 0


@table_asset(SOURCE, group="test", always=True)
def source(numbers: _Numbers) -> pl.DataFrame:
    return pl.DataFrame({"x": numbers.values}, schema=SOURCE.schema)


@table_asset(DOUBLED, group="test")
def doubled(source: pl.DataFrame, numbers: _Numbers) -> Table:
    numbers.calls += 1
    notes = {"unit": "none", "attempts": 2, "tables": ["source"], "reason": None}
    return Table(source.select(y=pl.col("x") * 2), notes=notes)


def _run(lake: Lake, numbers: _Numbers, **config: object) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [source, doubled],
        resources={"lake": lake, "numbers": numbers},
        run_config={"ops": {"doubled": {"config": config}}} if config else None,
        raise_on_error=False,
    )


def _recomputed(result: dg.ExecuteInProcessResult, name: str) -> bool:
    return bool(result.asset_materializations_for_node(name)[0].metadata["recomputed"].value)


def test_a_function_may_ask_whether_it_was_forced(lake: Lake) -> None:
    @table_asset(SOURCE, group="test", always=True)
    def asked(config: TableConfig) -> pl.DataFrame:
        return pl.DataFrame({"x": [int(config.force)]}, schema=SOURCE.schema)

    for force in (True, False):
        dg.materialize([asked], resources={"lake": lake}, run_config={"ops": {"source": {"config": {"force": force}}}})
        assert lake.read("source")["x"].to_list() == [int(force)]


def test_unchanged_input_recomputes_nothing(lake: Lake) -> None:
    numbers = _Numbers([1, 2])
    assert _run(lake, numbers).success
    again = _run(lake, numbers)
    assert again.success and numbers.calls == 1
    assert not _recomputed(again, "doubled")
    assert lake.read("doubled")["y"].to_list() == [2, 4]


def test_changed_input_or_force_recomputes(lake: Lake) -> None:
    numbers = _Numbers([1])
    _run(lake, numbers)
    numbers.values = [5]
    assert _recomputed(_run(lake, numbers), "doubled") and numbers.calls == 2
    assert _recomputed(_run(lake, numbers, force=True), "doubled") and numbers.calls == 3
    assert lake.read("doubled")["y"].to_list() == [10]


@pytest.mark.parametrize(("failures", "succeeds"), [(2, True), (3, False)])
def test_a_machine_too_busy_for_ray_is_tried_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, failures: int, succeeds: bool
) -> None:
    monkeypatch.setattr(policy, "RETRY_WAIT_S", 0)
    calls: list[int] = []

    @table_asset(SOURCE, group="test", always=True)
    def source() -> pl.DataFrame:
        calls.append(1)
        if len(calls) <= failures:
            raise RayStartError("Ray did not start")
        return pl.DataFrame({"x": [1]}, schema=SOURCE.schema)

    assert dg.materialize([source], resources={"lake": lake}, raise_on_error=False).success is succeeds
    assert len(calls) == 3


class World:
    """What an asset asks, and what it does the first times that it is asked."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.asked = list(failures), 0

    def ask(self) -> pl.DataFrame:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return pl.DataFrame({"x": [1]}, schema=SOURCE.schema)


def _locked() -> Exception:
    error = RuntimeError("the store cannot be used")
    error.__cause__ = sqlite3.OperationalError("database is locked")
    return error


@pytest.mark.parametrize(
    ("failures", "asked", "succeeds"),
    [
        ([ArchiveTimeoutError("toi", "no answer"), ConnectionResetError("reset by peer")], 3, True),
        ([httpx.ReadTimeout("slow"), _locked()], 3, True),
        ([ArchiveUnreachableError("toi", "no route")] * 3, 3, False),
        ([KeyError("koi_period")], 1, False),
        ([ArchiveQueryError("toi", "no such column")], 1, False),
        ([FileNotFoundError("the mirror")], 1, False),
        ([sqlite3.OperationalError("no such table: runs")], 1, False),
        ([dg.Failure("refused", allow_retries=False)], 1, False),
    ],
)
def test_what_the_world_does_is_tried_again_and_what_would_fail_again_is_not(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, failures: list[Exception], asked: int, succeeds: bool
) -> None:
    monkeypatch.setattr(policy, "RETRY_WAIT_S", 0)

    @table_asset(SOURCE, group="test", always=True)
    def source(archive: World) -> pl.DataFrame:
        return archive.ask()

    world = World(*failures)
    result = dg.materialize([source], resources={"lake": lake, "archive": world}, raise_on_error=False)
    assert (result.success, world.asked) == (succeeds, asked)


def test_a_broken_contract_keeps_the_last_good_table(lake: Lake) -> None:
    numbers = _Numbers([1])
    _run(lake, numbers)
    numbers.values = [-1]
    result = _run(lake, numbers)
    assert not result.success and numbers.calls == 1
    failure = result.failure_data_for_node("source")
    assert failure is not None and "x_below_0: 1 rows" in str(failure.user_failure_data)
    assert lake.read("source")["x"].to_list() == [1]


@pytest.mark.parametrize("name", ["source", "doubled"])
def test_materialisations_carry_version_rows_and_schema(lake: Lake, name: str) -> None:
    result = _run(lake, _Numbers([1, 2, 3]))
    event = result.asset_materializations_for_node(name)[0]
    assert event.metadata["dagster/row_count"].value == 3
    version = lake.version(name)
    assert version is not None
    assert event.tags is not None and event.tags["dagster/data_version"] == version.digest
