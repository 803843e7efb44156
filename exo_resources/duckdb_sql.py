"""Running plain SELECTs over frames in DuckDB's memory: no file, no lock.

Belongs here: frames in, one SELECT, a frame out. Does not belong here: which SELECTs there are (`dbt_like_sql/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from exo_resources.duckdb_build import duckdb_error, quoted


class SqlError(ValueError):
    """DuckDB refused a statement; the message is DuckDB's."""


class Workbench:
    """A private in-memory database that sees the given frames as tables, and nothing else. Use with `with`."""

    def __init__(self, tables: Mapping[str, pl.DataFrame]) -> None:
        import duckdb

        self._connection: Any = duckdb.connect(":memory:", config={"enable_external_access": "false"})
        self._connection.execute("SET python_enable_replacements = false")
        for name, frame in tables.items():
            self.add(name, frame)

    def __enter__(self) -> Workbench:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def add(self, name: str, frame: pl.DataFrame) -> None:
        """Make `frame` readable as the table `name`."""
        self._connection.register(name, frame.to_arrow(compat_level=pl.CompatLevel.oldest()))

    def select(self, sql: str) -> pl.DataFrame:
        """The rows of one SELECT; SqlError with DuckDB's message when it is refused."""
        return select(self._connection, sql)

    def types(self, sql: str) -> dict[str, str]:
        """DuckDB's type of every column that `sql` returns, in order."""
        return column_types(self._connection, sql)


def select(connection: Any, sql: str) -> pl.DataFrame:
    """The rows of one SELECT on an open connection; SqlError when DuckDB refuses it."""
    try:
        frame: pl.DataFrame = connection.sql(sql).pl()
    except duckdb_error() as broken:
        raise SqlError(str(broken).strip()) from broken
    return frame


def column_types(connection: Any, sql: str) -> dict[str, str]:
    """DuckDB's type of every column that `sql` returns; SqlError when a name comes twice or it is refused."""
    try:
        relation = connection.sql(sql)
    except duckdb_error() as broken:
        raise SqlError(str(broken).strip()) from broken
    names = list(relation.columns)
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise SqlError(f"columns named more than once: {twice}")
    return {name: str(kind) for name, kind in zip(names, relation.types, strict=True)}


def table_types(frame: pl.DataFrame) -> dict[str, str]:
    """DuckDB's type of every column of `frame`."""
    with Workbench({"t": frame.clear()}) as bench:
        return bench.types(f"SELECT * FROM {quoted('t')}")
