"""Questions to the release: what is answered, what is refused, and what is said."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from exo_resources.query import QueryError, run_query
from exo_resources.releases import ReleaseError, ReleaseStore
from tests.warehouse.release_tables import tables


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ReleaseStore:
    made = ReleaseStore(tmp_path_factory.mktemp("releases"))
    made.publish(tables(1, rows=20))
    return made


def test_a_select_is_answered(store: ReleaseStore) -> None:
    frame = run_query("SELECT id, name, reasons FROM core_a ORDER BY id DESC LIMIT 2; -- the last", store)
    assert frame.select("id", "name").rows() == [(19, "K19"), (18, "K18")]
    assert frame["reasons"][0][0]["feature"] == "depth"


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("WITH a AS (SELECT 1 AS x) FROM a", 1),
        ("FROM core_a", 20),
        ("VALUES (1), (2)", 2),
        ("DESCRIBE core_a", 5),
        ("SHOW TABLES", 2),
        ("SUMMARIZE core_a", 5),
        ("SELECT 1 AS a, 2 AS a", 1),
        ("SELECT * FROM core_a WHERE false", 0),
    ],
)
def test_the_forms_of_a_question(store: ReleaseStore, sql: str, rows: int) -> None:
    assert run_query(sql, store).height == rows


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO core_a SELECT * FROM core_a",
        "DELETE FROM core_a",
        "UPDATE core_a SET value = 0",
        "DROP TABLE core_a",
        "CREATE TABLE x AS SELECT 1",
        "CREATE TEMP TABLE x AS SELECT 1",
        "COPY core_a TO '{folder}/out.csv'",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "EXPORT DATABASE '{folder}/out'",
        "ATTACH '{folder}/out.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "CALL pragma_version()",
        "EXPLAIN SELECT 1",
        "CHECKPOINT",
        "USE memory",
    ],
)
def test_only_select_is_allowed(store: ReleaseStore, tmp_path: Path, sql: str) -> None:
    with pytest.raises(QueryError, match="only SELECT is allowed"):
        run_query(sql.format(folder=tmp_path), store)
    assert list(tmp_path.iterdir()) == []
    assert run_query("SELECT count(*) AS n FROM core_a", store)["n"].item() == 20


@pytest.mark.parametrize("sql", ["SELECT 1; SELECT 2", "SELECT 1; DROP TABLE core_a", "", "-- nothing"])
def test_one_question_at_a_time(store: ReleaseStore, sql: str) -> None:
    with pytest.raises(QueryError, match="one question at a time"):
        run_query(sql, store)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM read_parquet('{file}')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM '{file}'",
        "SELECT (SELECT content FROM read_blob('{file}')) AS stolen FROM core_a",
    ],
)
def test_files_are_out_of_reach(store: ReleaseStore, tmp_path: Path, sql: str) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(QueryError):
        run_query(sql.format(file=file, folder=tmp_path), store)


def test_python_variables_are_out_of_reach(store: ReleaseStore) -> None:
    secret = pl.DataFrame({"a": [1]})
    with pytest.raises(QueryError, match="no table 'secret'"):
        run_query("SELECT * FROM secret", store)
    assert secret.height == 1


def test_an_unknown_table_is_answered_with_the_tables_there_are(store: ReleaseStore) -> None:
    with pytest.raises(
        QueryError, match=r"no table 'core_aa' in the release; did you mean core_a\? it has: core_a, mart_b"
    ):
        run_query("SELECT * FROM core_aa", store)


def test_an_unknown_column_is_answered_with_its_neighbours(store: ReleaseStore) -> None:
    with pytest.raises(QueryError, match=r'"valeu" not found.*\n.*"value"'):
        run_query("SELECT valeu FROM core_a", store)


@pytest.mark.parametrize(
    "sql", ["SELEC 1", "SELECT FROM WHERE", "SELECT id + name::DATE FROM core_a", "SELECT 'x'::INT"]
)
def test_what_cannot_be_understood_is_a_clear_error(store: ReleaseStore, sql: str) -> None:
    with pytest.raises(QueryError):
        run_query(sql, store)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT INTERVAL 1 DAY AS x",
        "SELECT [INTERVAL 1 DAY] AS x",
        "SELECT {'a': TIME '24:00'} AS x",
        "SELECT 'x'::BLOB AS x",
        "SELECT 1::VARINT AS x",
        "SELECT union_value(a := 1) AS x",
        "SELECT '2020-01-01'::TIMESTAMP_NS AS x",
        "SELECT DATE 'infinity' AS x",
        "SELECT DATE '0044-03-15 (BC)' AS x",
        "SELECT TIMESTAMP '12026-01-01' AS x",
    ],
)
def test_what_would_come_out_wrong_is_refused_with_the_remedy(store: ReleaseStore, sql: str) -> None:
    with pytest.raises(QueryError, match=r"cast .*x::VARCHAR"):
        run_query(sql, store)


def test_types_are_told_by_what_they_are_and_not_by_names(store: ReleaseStore) -> None:
    asked = """SELECT 'BIT'::ENUM('BIT') AS e, {'INTERVAL': [1, 2]} AS s, DATE '9999-12-31' AS d, NULL::DATE AS n,
        [1, 2]::INT[2] AS a, map {'k': 1.5} AS m, TIMESTAMPTZ '2026-01-01' AS t, NULL AS nothing"""
    row = run_query(asked, store).row(0, named=True)
    assert (row["e"], row["s"], str(row["d"]), row["n"]) == ("BIT", {"INTERVAL": [1, 2]}, "9999-12-31", None)


def test_what_fails_while_it_is_computed_is_told(store: ReleaseStore) -> None:
    with pytest.raises(QueryError, match="Could not convert string 'x' to INT32"):
        run_query("SELECT CAST(CASE WHEN range > 50000 THEN 'x' ELSE '1' END AS INT) FROM range(90000)", store)


def test_without_a_release_the_remedy_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="exo run"):
        run_query("SELECT 1", ReleaseStore(tmp_path))


def test_numbers_that_would_come_out_wrong_are_refused(store: ReleaseStore) -> None:
    with pytest.raises(QueryError, match="cast them"):
        run_query("SELECT 340282366920938463463374607431768211455::UHUGEINT AS n", store)
    assert run_query("SELECT sum(x) AS n FROM (VALUES (1), (2)) AS t(x)", store)["n"].to_list() == [3]


def test_names_that_come_twice_are_told_apart(store: ReleaseStore) -> None:
    assert run_query("SELECT 1 AS a, 2 AS a, 3 AS a, 4 AS a_1", store).columns == ["a", "a_2", "a_3", "a_1"]


def test_only_as_many_rows_are_computed_as_are_wanted(store: ReleaseStore) -> None:
    """A join without its condition, 10^15 rows: the first are had at once, all of them are refused."""
    endless = "SELECT a.range AS a FROM range(100000) a, range(100000) b, range(100000) c"
    assert run_query(endless, store, limit=7).height == 7
    with pytest.raises(QueryError, match="more than 5,000,000 rows or 1 GiB: add a LIMIT"):
        run_query(endless, store)


def test_an_interrupt_ends_a_long_question(store: ReleaseStore) -> None:
    code = (
        "from pathlib import Path; from exo_resources.query import run_query;"
        "from exo_resources.releases import ReleaseStore; print('asked', flush=True);"
        f"run_query('SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b',"
        f"ReleaseStore(Path({str(store.folder)!r})))"
    )
    asking = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert asking.stdout is not None and asking.stdout.readline() == "asked\n"
        time.sleep(2)  # it computes by now, or is told before it does
        asking.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in asking.communicate(timeout=60)[1]
    finally:
        asking.kill()
