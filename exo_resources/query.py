"""Questions to the live release: one SELECT, read-only, nothing else reachable.

Belongs here: what may be asked and how an error is said. Does not belong here: printing (the command line does that).
"""

from __future__ import annotations

import difflib
import itertools
from concurrent.futures import Future
from contextlib import closing
from datetime import date
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

from exo_resources.duckdb_build import duckdb_error

if TYPE_CHECKING:
    import polars as pl

    from exo_resources.releases import ReleaseStore


_INTEGERS = ("tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint")
_TIMES = ("date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp with time zone")
SHOWN_TYPES = frozenset(
    ("null", "boolean", *_INTEGERS, "float", "double", "decimal", "varchar", "enum", "uuid", *_TIMES)
)
"""Types that come through Arrow and polars as they are; the others are changed or refused on the way."""
NESTED_TYPES = frozenset(("list", "array", "struct", "map"))

MOST_ROWS, MOST_BYTES = 5_000_000, 1 << 30
"""Longest answer: a join without its condition must not fill the memory."""

_BATCH = 10_240


class QueryError(ValueError):
    """A question that the release cannot answer; the message says why and what would work."""


def run_query(sql: str, releases: ReleaseStore, limit: int | None = None) -> pl.DataFrame:
    """Answer one SELECT (also `FROM t`, `WITH`, `VALUES`, `DESCRIBE`, `SHOW TABLES`, `SUMMARIZE`) on the live release.

    At most `limit` rows are computed and returned. The connection is read-only and cannot reach files, the network,
    extensions or this process's variables; an interrupt (Ctrl-C) ends the question. QueryError when the statement is
    not one SELECT, DuckDB refuses it, or the answer is longer than `MOST_ROWS` and `MOST_BYTES` allow or has values
    that cannot be shown as they are; ReleaseError when there is no release.
    """
    with closing(releases.open_current()) as connection:
        answer = Future[Any]()
        # DuckDB does not look for signals while it computes; this thread, which waits, is told of them.
        thread = Thread(target=_ask, args=(answer, connection, sql, limit))
        try:
            thread.start()
            thread.join()
        finally:
            while thread.is_alive():  # a question that only begins does not hear the first call
                connection.interrupt()
                thread.join(0.1)
        return cast("pl.DataFrame", answer.result())


def _ask(answer: Future[Any], connection: Any, sql: str, limit: int | None) -> None:
    try:
        answer.set_result(_answer(connection, sql, limit))
    except BaseException as error:
        answer.set_exception(error)


def _answer(connection: Any, sql: str, limit: int | None) -> pl.DataFrame:
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
        odd = [
            f"{name} ({kind})" for name, kind in zip(answer.columns, answer.types, strict=True) if not _is_shown(kind)
        ]
        if odd:
            raise QueryError(
                f"these columns are of types that cannot be shown: {', '.join(odd)}; cast them: x::VARCHAR"
            )
        return _first_rows(answer.to_arrow_reader(_BATCH), limit)
    except (duckdb_error(), OSError) as broken:  # what fails while it is computed comes as an OSError, from Arrow
        raise QueryError(_explained(connection, broken)) from broken


def _is_shown(kind: Any) -> bool:
    """Whether values of a DuckDB type arrive unchanged."""
    if kind.id in NESTED_TYPES:
        return all(_is_shown(part) for name, part in kind.children if name != "size")
    return kind.id in SHOWN_TYPES


def _first_rows(batches: Any, limit: int | None) -> pl.DataFrame:
    """Rows of an Arrow reader until there are `limit` of them; the rest is never computed."""
    import polars as pl
    import pyarrow as pa

    taken, rows, size = list[Any](), 0, 0
    for batch in batches:
        taken.append(batch)
        rows += batch.num_rows
        if limit is not None and rows >= limit:
            break
        size += batch.nbytes
        if rows > MOST_ROWS or size > MOST_BYTES:
            raise QueryError(
                f"the answer has more than {MOST_ROWS:,} rows or {MOST_BYTES >> 30} GiB: add a LIMIT, or attach the "
                "release's file in DuckDB"
            )
    table = pa.Table.from_batches(taken, batches.schema)
    frame = cast(pl.DataFrame, pl.from_arrow(table.rename_columns(_distinct(table.column_names))))
    _refuse_far_dates(frame)
    return frame if limit is None else frame.head(limit)


def _refuse_far_dates(frame: pl.DataFrame) -> None:
    """QueryError for dates that Python has no values for, infinite ones among them."""
    import polars as pl

    for name, kind in frame.schema.items():
        if not isinstance(kind, pl.Date | pl.Datetime):
            continue
        low, high = pl.Series([date.min, date.max]).cast(kind).to_physical()
        if not frame[name].to_physical().is_between(low, high).all():
            raise QueryError(f"column {name} has dates outside the years 1 to 9999; cast it: {name}::VARCHAR")


def _distinct(names: list[str]) -> list[str]:
    """Names that come twice get a number, as DuckDB does it: a, a_1."""
    seen: dict[str, None] = {}
    for name in names:
        spellings = itertools.chain([name], (f"{name}_{n}" for n in itertools.count(1)))
        seen[next(s for s in spellings if s not in seen and (s == name or s not in names))] = None
    return list(seen)


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
