"""Data tests: each finds the rows that break its rule and no others."""

from __future__ import annotations

import polars as pl
import pytest

from exo_assets.warehouse.checks import examine
from exo_assets.warehouse.data_tests import DataTest, TestReader
from exo_assets.warehouse.front_matter import read_front_matter
from exo_resources.duckdb_sql import Workbench

CHILD = pl.DataFrame(
    {"id": ["a", "b", "b", None], "kind": ["x", "y", "z", None], "value": [1.0, -1.0, 2.0, None]},
)
PARENT = pl.DataFrame({"id": ["a", "c", None]})


def _test(column_tests: str = "[]", table_tests: str = "[]") -> DataTest:
    matter = read_front_matter(
        "f.sql", f"/* ---\ncolumns:\n  it:\n    tests: {column_tests}\ntests: {table_tests}\n--- */"
    )
    reader = TestReader("f.sql", "child", CHILD.columns)
    column = "kind" if "accepted" in column_tests else "id"
    declared = matter.mapping("columns").mapping("it")
    (made,) = [*reader.of_column(column, declared["tests"], declared), *reader.of_table(matter["tests"], matter)]
    return made


@pytest.mark.parametrize(
    ("given", "failing"),
    [
        ({"column_tests": "[not_null]"}, [(None, None, None)]),
        ({"column_tests": "[unique]"}, [("b", 2)]),
        ({"column_tests": "[{accepted_values: [x, y]}]"}, [("b", "z", 2.0)]),
        ({"column_tests": "[{relationships: {to: parent, field: id}}]"}, [("b", "y", -1.0), ("b", "z", 2.0)]),
        ({"table_tests": "[{expression: value > 0, name: positive}]"}, [("b", "y", -1.0)]),
        ({"table_tests": "[{unique: [id, kind]}]"}, []),
        ({"table_tests": "[{not_null: [value]}]"}, [(None, None, None)]),
    ],
)
def test_failing_rows_are_found_and_shown(given: dict[str, str], failing: list[tuple[object, ...]]) -> None:
    test = _test(**given)
    with Workbench({"child": CHILD, "parent": PARENT}) as bench:
        assert sorted(bench.select(test.sql).rows(), key=str) == failing
        result = examine(bench.select, test)
    assert result.passed == (not failing)
    assert result.metadata["failing_rows"].value == len(failing)
    if failing:
        shown = str(result.metadata["sample"].value).splitlines()
        assert len(shown) == 2 + len(failing)
        assert "NULL" in shown[2] or "b" in shown[2]


def test_a_sample_is_short_and_stays_one_table() -> None:
    test = DataTest("t", "child", "SELECT * FROM child", "Nothing is wrong", "f.sql", 1)
    rows = pl.DataFrame({"text": ["a|b\nc" + "d" * 500] * 100})
    with Workbench({"child": rows}) as bench:
        result = examine(bench.select, test)
    shown = str(result.metadata["sample"].value)
    assert len(shown.splitlines()) == 12
    assert max(map(len, shown.splitlines())) < 80
    assert result.metadata["failing_rows"].value == 100


def test_relationships_name_the_table_that_must_be_there_first() -> None:
    assert _test("[{relationships: {to: parent, field: id}}]").depends_on == ("parent",)
    assert _test("[{relationships: {to: child, field: id}}]").depends_on == ()
