"""Data tests: each is a SELECT of the rows that break a rule; a table passes when none comes back.

Belongs here: the five rules that front matter can name, turned into SQL.
Does not belong here: running them (assets and checks do).
A rule says nothing about null, as in SQL's own CHECK; `not_null` is the rule that does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot.errors import SqlglotError

from exo_assets.warehouse.front_matter import Located, ModelError
from exo_assets.warehouse.sql import DIALECT

KINDS = ("not_null", "unique", "accepted_values", "relationships", "expression")


@dataclass(frozen=True)
class DataTest:
    """One test of `table`: `sql` returns the rows that fail. `depends_on` are the other tables it reads."""

    name: str
    table: str
    sql: str
    description: str
    path: str
    line: int
    depends_on: tuple[str, ...] = ()


class TestReader:
    """Turns the tests in the front matter of one table into `DataTest`s."""

    __test__ = False  # not a test class of pytest's

    def __init__(self, path: str, table: str, columns: Sequence[str]) -> None:
        self.path = path
        self.table = table
        self.columns = list(columns)

    def key(self, columns: Sequence[str], line: int) -> list[DataTest]:
        """The tests that a key implies: unique together, none of them null."""
        self._known(columns, line)
        return [self._unique(columns, line), *(self._not_null(c, line) for c in columns)]

    def of_column(self, column: str, listed: Any, owner: Located) -> list[DataTest]:
        """Tests listed under a column: `not_null`, `unique`, `accepted_values: [..]`, `relationships: {to, field}`."""
        made = []
        for item in self._items(listed, owner):
            if isinstance(item, str):
                if item not in ("not_null", "unique"):
                    raise owner.error(
                        f"unknown test {item!r} of column {column!r}; known are: {', '.join(KINDS)}", "tests"
                    )
                line = owner.lines["tests"]
                made.append(self._not_null(column, line) if item == "not_null" else self._unique([column], line))
                continue
            kind, line = self._kind(item)
            if kind == "accepted_values":
                made.append(self._accepted_values(column, item[kind], line))
            elif kind == "relationships":
                made.append(self._relationships(column, item.mapping(kind), line))
            elif kind == "expression":
                made.append(self._expression(item, line))
            else:
                raise ModelError(self.path, line, f"write {kind!r} without a value under a column")
        return made

    def of_table(self, listed: Any, owner: Located) -> list[DataTest]:
        """Tests of the whole table: `unique: [a, b]`, `not_null: [a, b]`, `expression: ...` with `name: ...`."""
        made = []
        for item in self._items(listed, owner):
            if not isinstance(item, Located):
                raise owner.error(f"a test of the table is a mapping such as 'unique: [a, b]', not {item!r}", "tests")
            kind, line = self._kind(item)
            if kind == "expression":
                made.append(self._expression(item, line))
            elif kind in ("unique", "not_null"):
                columns = item.names(kind)
                self._known(columns, line)
                made += (
                    [self._unique(columns, line)] if kind == "unique" else [self._not_null(c, line) for c in columns]
                )
            else:
                raise ModelError(self.path, line, f"write {kind!r} under its column")
        return made

    def _items(self, listed: Any, owner: Located) -> list[Any]:
        if not isinstance(listed, list):
            raise owner.error("'tests' must be a list", "tests")
        return listed

    def _kind(self, item: Located) -> tuple[str, int]:
        kinds = [k for k in item if k in KINDS]
        if len(kinds) != 1:
            raise item.error(f"one test per item, one of {', '.join(KINDS)}; found {', '.join(item) or 'none'}")
        item.allow((kinds[0], "name") if kinds[0] == "expression" else (kinds[0],))
        return kinds[0], item.lines[kinds[0]]

    def _known(self, columns: Sequence[str], line: int) -> None:
        for column in columns:
            if column not in self.columns:
                raise ModelError(self.path, line, f"test of {column!r}, which is not a column of {self.table}")

    def _make(self, name: str, line: int, sql: str, description: str, depends_on: tuple[str, ...] = ()) -> DataTest:
        return DataTest(name, self.table, sql, description, self.path, line, depends_on)

    def _not_null(self, column: str, line: int) -> DataTest:
        sql = f'SELECT * FROM {self.table} WHERE "{column}" IS NULL'
        return self._make(f"not_null_{column}", line, sql, f"{column} is never null")

    def _unique(self, columns: Sequence[str], line: int) -> DataTest:
        listed = ", ".join(f'"{c}"' for c in columns)
        filled = " AND ".join(f'"{c}" IS NOT NULL' for c in columns)
        sql = (
            f"SELECT {listed}, count(*) AS occurrences FROM {self.table} WHERE {filled} "
            f"GROUP BY {listed} HAVING count(*) > 1"
        )
        return self._make(f"unique_{'_'.join(columns)}", line, sql, f"{', '.join(columns)} is never repeated")

    def _accepted_values(self, column: str, values: Any, line: int) -> DataTest:
        if not isinstance(values, list) or not values or not all(isinstance(v, str | int | float) for v in values):
            raise ModelError(self.path, line, "'accepted_values' must be a list of texts or numbers")
        listed = ", ".join(_literal(v) for v in values)
        sql = f'SELECT * FROM {self.table} WHERE "{column}" NOT IN ({listed})'
        return self._make(f"accepted_values_{column}", line, sql, f"{column} is one of {listed}")

    def _relationships(self, column: str, target: Located, line: int) -> DataTest:
        target.allow(("to", "field"))
        to, field = target.text("to"), target.text("field", column)
        sql = (
            f'SELECT * FROM {self.table} AS child WHERE "{column}" IS NOT NULL '
            f'AND NOT EXISTS (SELECT 1 FROM {to} AS parent WHERE parent."{field}" = child."{column}")'
        )
        return self._make(
            f"relationships_{column}_{to}",
            line,
            sql,
            f"every {column} is a {field} of {to}",
            (to,) * (to != self.table),
        )

    def _expression(self, item: Located, line: int) -> DataTest:
        expression = item.text("expression")
        try:
            sqlglot.parse_one(expression, dialect=DIALECT)
        except SqlglotError as broken:
            raise ModelError(self.path, line, f"expression {expression!r} is not SQL: {broken}") from broken
        name = item.text("name")
        if not name.isidentifier():
            raise ModelError(self.path, line, f"test name {name!r} must be an identifier")
        return self._make(name, line, f"SELECT * FROM {self.table} WHERE NOT ({expression})", expression)


def _literal(value: str | float) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
