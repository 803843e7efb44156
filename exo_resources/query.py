"""Questions to the live release: one SELECT, read-only, nothing else reachable.

Belongs here: what may be asked and how an error is said. Does not belong here: printing (the command line does that).
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from exo_resources.duckdb_build import duckdb_error

if TYPE_CHECKING:
    import polars as pl

    from exo_resources.releases import ReleaseStore


NOT_SHOWN = ("INTERVAL", "UHUGEINT", "BIT", "UNION", "VARIANT")
"""Types that the way to Arrow and polars would change or refuse."""


class QueryError(ValueError):
    """A question that the release cannot answer; the message says why and what would work."""


def run_query(sql: str, releases: ReleaseStore) -> pl.DataFrame:
    """Answer one SELECT (also `FROM t`, `WITH`, `VALUES`, `DESCRIBE`, `SHOW TABLES`, `SUMMARIZE`) on the live release.

    The connection is read-only and cannot reach files, the network, extensions or this process's variables.
    QueryError when the statement is not one SELECT or DuckDB refuses it; ReleaseError when there is no release.
    """
    connection = releases.open_current()
    try:
        return _answer(connection, sql)
    finally:
        connection.close()


def _answer(connection: Any, sql: str) -> pl.DataFrame:
    try:
        statements = connection.extract_statements(sql)
    except duckdb_error() as broken:
        raise QueryError(_said(broken)) from broken
    if len(statements) != 1:
        raise QueryError(f"ask one question at a time: this has {len(statements)} statements")
    kind = statements[0].type.name
    if kind != "SELECT":
        raise QueryError(f"only SELECT is allowed on a release, not {kind.replace('_', ' ')}: releases are read-only")
    try:
        answer = connection.sql(statements[0])
        kinds = {name: str(kind) for name, kind in zip(answer.columns, answer.types, strict=True)}
        odd = {name: kind for name, kind in kinds.items() if any(word in kind for word in NOT_SHOWN)}
        if odd:
            raise QueryError(f"columns {odd} are of types that cannot be shown; cast them: x::VARCHAR")
        frame: pl.DataFrame = answer.pl()
    except duckdb_error() as broken:
        raise QueryError(_explained(connection, broken)) from broken
    return frame


def _said(error: Exception) -> str:
    return str(error).strip()


def _explained(connection: Any, error: Exception) -> str:
    """DuckDB's message; for an unknown table, the release's own tables instead of DuckDB's guess at a system table."""
    said = _said(error)
    _, found, after = said.partition("Table with name ")
    if type(error).__name__ == "CatalogException" and found and " does not exist" in after:
        asked = after.split(" does not exist")[0]
        tables = sorted(n for (n,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall())
        close = difflib.get_close_matches(asked, tables, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(close)}? " if close else ""
        return f"there is no table {asked!r} in the release; {hint}it has: {', '.join(tables)}"
    if type(error).__name__ == "PermissionException":
        return f"{said.splitlines()[0]} (a question can read the release's tables and nothing else)"
    return said
