"""Reading numbers out of the archive's text.

Belongs here: identifiers, unreadable text, and the arithmetic of a quantity (scale, offset, limit flags, sentinels,
uncertainties). Does not belong here: what a number is (`text_csv.py`), and which column is which (`layouts.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import polars as pl

from exo_assets.text_csv import number, text


@dataclass(frozen=True)
class Quantity:
    """How one harmonised column is made of the archive's columns.

    value = number(source) * scale + offset. `errors` are the columns of the upper and lower uncertainty, from which
    `error_column` is made: the mean of their absolute values, or the one that is there. A value whose `limit` flag is
    not 0 is a limit and not a measurement: value and uncertainty become null. `sentinel` is a number that the archive
    writes for "not available".
    """

    column: str
    source: str
    error_column: str | None = None
    errors: tuple[str, ...] = ()
    limit: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    sentinel: float | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Every archive column that the quantity reads."""
        return (self.source, *self.errors, *((self.limit,) if self.limit else ()))


_OWN = {"kepid": "KIC", "tid": "TIC"}
"""Columns of identifiers, and the catalogue whose numbers they hold."""


def integer(name: str, columns: Collection[str]) -> pl.Expr:
    """Expression: column `name` as a positive Int64 identifier, null otherwise: '10797460' and '10797460.0' alike, and
    'KIC 10797460' in a column of KIC numbers."""
    value = number(name, columns)
    if name in _OWN:
        bare = text(name, columns).str.extract(rf"^(?i:{_OWN[name]})[\s_-]*(\d{{1,15}})$", 1)
        value = pl.coalesce(value, bare.cast(pl.Float64, strict=False))
    return pl.when((value > 0) & (value < 2**53) & (value == value.floor())).then(value).cast(pl.Int64)


def unreadable(numeric: Iterable[str], identifiers: Iterable[str], columns: Collection[str]) -> pl.Expr:
    """Expression: names of the fields that hold text where a number belongs, joined by ','; null when none do."""
    hits = [
        pl.when(text(name, columns).is_not_null() & parsed(name, columns).is_null()).then(pl.lit(name))
        for names, parsed in ((numeric, number), (identifiers, integer))
        for name in dict.fromkeys(names)
        if name in columns
    ]
    if not hits:
        return pl.lit(None, dtype=pl.String)
    joined = pl.concat_str(hits, separator=",", ignore_nulls=True)
    return pl.when(joined != "").then(joined)


def measured(quantity: Quantity, columns: Collection[str]) -> list[pl.Expr]:
    """Expressions of the quantity's value and, when it has one, its uncertainty, named as the harmonised columns."""
    value = number(quantity.source, columns)
    if quantity.sentinel is not None:
        value = pl.when(value != quantity.sentinel).then(value)
    if quantity.limit is not None:
        value = pl.when(number(quantity.limit, columns).fill_null(0.0) == 0).then(value)
    out = [(value * quantity.scale + quantity.offset).alias(quantity.column)]
    if quantity.error_column is not None:
        sides = [number(name, columns).abs() for name in quantity.errors]
        error = pl.mean_horizontal(*sides) * abs(quantity.scale)
        out.append(pl.when(value.is_not_null()).then(error).alias(quantity.error_column))
    return out
