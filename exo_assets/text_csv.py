"""CSV as text, and numbers out of text: what the archive's tables and users' files have in common.

Belongs here: bytes to columns of strings, misplaced double quotes, and what counts as an empty field and as a number.
Does not belong here: how a refusal is said (`archive/parse.py`, `scoring/read_file.py`), and what columns mean.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Sequence
from typing import TextIO, cast

import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv

EMPTY_WORDS = ("", "nan", "null", "none", "na", "n/a")
"""Text that spreadsheets and data-frame libraries write for an empty field, compared in lower case."""

_QUOTE_WORDS = {
    "unexpected end of data": "a double quote is opened and never closed",
    f"field larger than field limit ({csv.field_size_limit()})": (
        f"a value is longer than {csv.field_size_limit():,} characters; is its double quote ever closed?"
    ),
}


def text_rows(
    body: bytes, names: Sequence[str], *, skip_lines: int = 0, skip_rows: int = 0, delimiter: str = ","
) -> pl.DataFrame:
    """The records of `body` as columns of text, null for an empty field; a quoted field may hold line breaks.

    `skip_lines` lines and, after them, `skip_rows` records are left out. Raises pyarrow.ArrowInvalid.
    """
    table = pacsv.read_csv(
        pa.BufferReader(body),
        # One block: a record that spans blocks would be an error of ours, not of the file.
        pacsv.ReadOptions(
            use_threads=False,
            block_size=max(len(body) + 1, 1 << 16),
            column_names=list(names),
            skip_rows=skip_lines,
            skip_rows_after_names=skip_rows,
        ),
        pacsv.ParseOptions(newlines_in_values=True, delimiter=delimiter),
        pacsv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            null_values=[""],
        ),
    )
    return cast(pl.DataFrame, pl.from_arrow(table))


def misquoted(lines: TextIO, delimiter: str = ",") -> tuple[int, str] | None:
    """The first record whose double quotes are out of place or never closed: lines before it, and what is wrong.

    None when there is none. The reader of `text_rows` would take the rows up to the next quote for one value.
    """
    reader, before, columns = csv.reader(lines, strict=True, delimiter=delimiter), 0, 0
    try:
        for row in reader:
            columns = columns or len(row)
            if reader.line_num > before + 1 and any(
                _holds_rows(value, i, columns, delimiter) for i, value in enumerate(row)
            ):
                return before, "a value holds whole rows of the table"
            before = reader.line_num
    except csv.Error as error:
        return before, _QUOTE_WORDS.get(str(error), str(error))
    return None


def _holds_rows(value: str, column: int, columns: int, delimiter: str) -> bool:
    """Whether the line breaks of a quoted value fall where rows of `columns` fields end: two stray quotes do that.

    It then begins with the rest of one row, ends with the begin of another and has nothing but rows between them.
    Tables of fewer than four columns are not judged: prose has as few commas.
    """
    if columns < 4:
        return False
    commas = [line.count(delimiter) for line in re.split(r"\r\n|\r|\n", value)]
    return commas == [columns - 1 - column, *[columns - 1] * (len(commas) - 2), column]


def text(name: str, columns: Collection[str]) -> pl.Expr:
    """Expression: column `name` as stripped text, null when empty or absent."""
    if name not in columns:
        return pl.lit(None, dtype=pl.String)
    stripped = pl.col(name).cast(pl.String).str.strip_chars()
    return pl.when(~stripped.str.to_lowercase().is_in(EMPTY_WORDS)).then(stripped)


def number(name: str, columns: Collection[str]) -> pl.Expr:
    """Expression: column `name` as a finite Float64; null when it is empty, absent or not a number."""
    value = text(name, columns).cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)
