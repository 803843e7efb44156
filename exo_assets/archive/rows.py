"""The rows of an archive table, whatever order they came in: sorted by key, each key once, repeated rows set aside.

Belongs here: what makes two copies of a table the same, and which of several rows with one key is used.
Does not belong here: reading bytes (`parse.py`), keeping copies (`snapshots.py`), what columns mean.

Which of several rows with one key stays: the one that was updated last (where the table dates its rows), then the one
with the most filled columns, then the first in the order of its text. Exact copies of a row count once. What is set
aside is a row of `core_archive_quarantine`; nothing is lost and nothing stops.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import polars as pl

from exo_assets.archive.contracts import RawContract
from exo_assets.archive.parse import to_csv

COPY = "copy_of_another_row"
REPEATED = "key_of_another_row"


@dataclass(frozen=True)
class Separated:
    """`rows`: each key once, sorted. `aside`: the columns of `rows` and, last, `_reason` (COPY or REPEATED)."""

    rows: pl.DataFrame
    aside: pl.DataFrame


def separated(contract: RawContract, frame: pl.DataFrame) -> Separated:
    """The rows of a copy by the rule above; equal for every order of the rows. `frame` has the contract's key."""
    whole = sorted(frame.columns)
    key = list(contract.key) or whole
    ordered = frame.sort(key, nulls_last=True)
    repeated = pl.struct(key).is_duplicated()
    none = frame.clear().with_columns(_reason=pl.lit(None, dtype=pl.String))
    if ordered.n_unique(subset=key) == ordered.height:
        return Separated(ordered, none)
    updated = contract.updated_column
    newest = pl.col(updated) if updated in frame.columns else pl.lit(None, dtype=pl.String)
    filled = pl.sum_horizontal(pl.col(name).is_not_null() for name in frame.columns)
    ranked = (
        ordered.filter(repeated)
        .with_columns(_newest=newest.fill_null(""), _filled=filled)
        .sort(*key, "_newest", "_filled", *whole, descending=[False] * len(key) + [True, True] + [False] * len(whole))
    )
    first = pl.int_range(pl.len()).over(key) == 0
    copy = pl.int_range(pl.len()).over(whole) > 0
    judged = ranked.with_columns(_first=first, _reason=pl.when(copy).then(pl.lit(COPY)).otherwise(pl.lit(REPEATED)))
    stay = judged.filter("_first").select(frame.columns)
    rows = pl.concat([ordered.filter(~repeated), stay]).sort(key, nulls_last=True)
    return Separated(rows, judged.filter(~pl.col("_first")).select(*frame.columns, "_reason"))


def content_digest(frame: pl.DataFrame) -> str:
    """SHA-256 of what a table says: of its rows in any order, under its column names in any order."""
    names = sorted(frame.columns)
    return hashlib.sha256(to_csv(frame.select(names).sort(names, nulls_last=True))).hexdigest()
