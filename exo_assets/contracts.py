"""Table contracts: columns, types, units, ranges and keys, written once per table.

Belongs here: what a contract is and how a table is held against one.
Does not belong here: the contracts of the stages; each stage keeps its own in `<stage>/contracts.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl


class ContractError(ValueError):
    """A table broke its contract; `problems` lists every way it did."""

    def __init__(self, table: str, problems: Sequence[str]) -> None:
        super().__init__(f"table {table!r} breaks its contract: " + "; ".join(problems))
        self.table = table
        self.problems = list(problems)


@dataclass(frozen=True)
class Column:
    """One column: type, unit and the range that physics or the archive's vocabulary gives it.

    `low`/`high` are inclusive unless `low_open` is set; null passes every range unless `nullable` is False.
    """

    name: str
    dtype: pl.DataType | type[pl.DataType]
    description: str
    unit: str = ""
    nullable: bool = True
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    allowed: tuple[str, ...] = ()

    def broken(self) -> list[tuple[str, pl.Expr]]:
        """(reason, boolean expression of the rows that break it), one entry per rule."""
        value, rules = pl.col(self.name), list[tuple[str, pl.Expr]]()
        if not self.nullable:
            rules.append((f"{self.name}_missing", value.is_null()))
        if self.dtype in (pl.Float64, pl.Float32):
            rules.append((f"{self.name}_not_finite", value.is_not_null() & ~value.is_finite()))
        if self.low is not None:
            below = value <= self.low if self.low_open else value < self.low
            rules.append(
                (f"{self.name}_{'not_above' if self.low_open else 'below'}_{self.low:g}", below.fill_null(False))
            )
        if self.high is not None:
            rules.append((f"{self.name}_above_{self.high:g}", (value > self.high).fill_null(False)))
        if self.allowed:
            rules.append((f"{self.name}_unknown_value", value.is_not_null() & ~value.is_in(self.allowed)))
        return rules


@dataclass(frozen=True)
class TableContract:
    """The contract of one table; from it come checks, DuckDB comments, the data dictionary and Dagster's schema."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    @property
    def schema(self) -> pl.Schema:
        """Column names and polars types, in order."""
        return pl.Schema({c.name: c.dtype for c in self.columns})

    def empty(self) -> pl.DataFrame:
        """The table with no rows."""
        return pl.DataFrame(schema=self.schema)

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` with exactly the contract's columns, in order and cast; absent columns become null."""
        return frame.select(
            (pl.col(c.name) if c.name in frame.columns else pl.lit(None)).cast(c.dtype).alias(c.name)
            for c in self.columns
        )

    def reasons(self) -> pl.Expr:
        """Expression: the reasons for which a row breaks the ranges, joined by ';', null when it does not."""
        hits = [pl.when(expr).then(pl.lit(reason)) for column in self.columns for reason, expr in column.broken()]
        joined = pl.concat_str(hits, separator=";", ignore_nulls=True) if hits else pl.lit("")
        return pl.when(joined != "").then(joined)

    def problems(self, frame: pl.DataFrame) -> list[str]:
        """Every way `frame` breaks the contract, in words; an empty list when it does not."""
        expected, found = self.schema, frame.schema
        missing = [n for n in expected if n not in found]
        extra = [n for n in found if n not in expected]
        wrong = [f"{n} is {found[n]}, not {t}" for n, t in expected.items() if n in found and found[n] != t]
        out = [f"missing columns {missing}"] * bool(missing) + [f"unknown columns {extra}"] * bool(extra) + wrong
        if out:
            return out
        rules = [rule for column in self.columns for rule in column.broken()]
        if rules and frame.height:
            counts = frame.select(expr.sum().alias(reason) for reason, expr in rules).row(0, named=True)
            out += [f"{reason}: {n} rows" for reason, n in counts.items() if n]
        if self.key:
            twice = frame.height - frame.n_unique(subset=list(self.key)) if frame.height else 0
            if twice:
                out.append(f"key {self.key} is not unique: {twice} extra rows")
        return out

    def check(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` unchanged when it keeps the contract; ContractError otherwise."""
        problems = self.problems(frame)
        if problems:
            raise ContractError(self.name, problems)
        return frame
