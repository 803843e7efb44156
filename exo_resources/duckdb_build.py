"""Building one DuckDB database file from tables, with comments, and holding the finished file against what went in.

Belongs here: rows and comments into a file, and the read-only check of a finished file.
Does not belong here: where releases live, which one is current (`releases.py`), or what may be asked (`query.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class ReleaseTable:
    """One table on its way into a release.

    `load` gives the rows only when the release is really built: an unchanged release reads nothing. `digest` is the
    data version, `description` and `columns` become DuckDB comments.
    """

    name: str
    digest: str
    rows: int
    load: Callable[[], pa.Table]
    description: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_parquet(
        cls,
        name: str,
        digest: str,
        rows: int,
        read: Callable[[], bytes],
        *,
        description: str = "",
        columns: Mapping[str, str] | None = None,
    ) -> ReleaseTable:
        """A table whose rows are the Parquet bytes that `read` returns."""

        def load() -> pa.Table:
            import pyarrow as pa
            import pyarrow.parquet as pq

            return pq.read_table(pa.BufferReader(read()))

        return cls(name, digest, rows, load, description, dict(columns or {}))


class DatabaseCheckError(RuntimeError):
    """A finished database file does not hold what went into it."""


def build_database(path: Path, tables: Iterable[ReleaseTable]) -> dict[str, int]:
    """Write a new database file at `path` and return the rows per table. The file is on disk when this returns."""
    import duckdb

    rows: dict[str, int] = {}
    connection = duckdb.connect(str(path), config={"enable_external_access": "false"})
    try:
        for table in tables:
            rows[table.name] = _add(connection, table)
        connection.execute("CHECKPOINT")
    finally:
        connection.close()
    wal = path.with_name(f"{path.name}.wal")
    if wal.exists():
        raise DatabaseCheckError(f"{path} was closed with a write-ahead log beside it; it is not complete")
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
    return rows


def check_database(path: Path, rows: Mapping[str, int]) -> None:
    """Open `path` read-only, read every table through, and hold it against `rows`; DatabaseCheckError otherwise."""
    try:
        connection = open_read_only(path)
    except duckdb_error() as broken:
        raise DatabaseCheckError(f"{path} cannot be opened: {broken}") from broken
    try:
        check_tables(connection, path, rows)
    finally:
        connection.close()


def check_tables(connection: Any, path: Path, rows: Mapping[str, int]) -> None:
    """Read every table of an open database through, and hold it against `rows`; DatabaseCheckError, which names `path`,
    otherwise."""
    try:
        present = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        if present != set(rows):
            raise DatabaseCheckError(
                f"{path}: tables missing {sorted(set(rows) - present)}, unexpected {sorted(present - set(rows))}"
            )
        for name, expected in rows.items():
            # Hashing every value reads every block, so a damaged one shows itself here.
            counted = connection.execute(f"SELECT count(*), count(hash(COLUMNS(*))) FROM {quoted(name)}").fetchone()
            found = counted[0] if counted else None
            if found != expected:
                raise DatabaseCheckError(f"{path}: table {name!r} has {found} rows, not {expected}")
    except duckdb_error() as broken:
        raise DatabaseCheckError(f"{path} cannot be read through: {broken}") from broken


_CONFINED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "lock_configuration": "true",
}


def open_read_only(path: Path) -> Any:
    """A read-only connection that can reach nothing but the database file itself.

    Files, the network, extensions and Python variables are out of reach, and no statement can undo that. The settings
    are given on opening, all of them: connections of one process to one file share them, and a later SET would fail.
    """
    import duckdb

    return duckdb.connect(str(path), read_only=True, config=_CONFINED)


def duckdb_error() -> type[Exception]:
    """DuckDB's own base error, imported when needed."""
    import duckdb

    error: type[Exception] = duckdb.Error
    return error


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _add(connection: Any, table: ReleaseTable) -> int:
    arrow = table.load()
    connection.register("_incoming", arrow)
    try:
        connection.execute(f"CREATE TABLE {quoted(table.name)} AS SELECT * FROM _incoming")
    finally:
        connection.unregister("_incoming")
    if table.description:
        connection.execute(f"COMMENT ON TABLE {quoted(table.name)} IS {_literal(table.description)}")
    present = set(arrow.column_names)
    for column, comment in table.columns.items():
        if column in present and comment:
            connection.execute(f"COMMENT ON COLUMN {quoted(table.name)}.{quoted(column)} IS {_literal(comment)}")
    return int(arrow.num_rows)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
