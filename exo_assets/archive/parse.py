"""Reading the archive's CSV, strictly and without interpreting a single value.

Belongs here: bytes to a frame of text and back, and how a copy is dated by its own rows. Does not belong here: where
bytes come from, and what columns mean.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from datetime import date

import polars as pl
import pyarrow as pa

from exo_assets.text_csv import misquoted, text_rows

_BOM = b"\xef\xbb\xbf"
_COMMENTS = re.compile(rb"(?:(?:#[^\r\n]*|[ \t]*)(?:\r\n|\r|\n|\Z))+")


class CsvError(ValueError):
    """The bytes are not a table in CSV."""


class CsvEncodingError(CsvError):
    """The bytes are not UTF-8."""


def parse_csv(data: bytes) -> pl.DataFrame:
    """The table in `data`, every value as the text that was written, null for an empty field.

    Comment lines (`#`) before the header are skipped, whatever is in them; a `#` anywhere else is data. Quoted fields
    may hold commas, quotes and line breaks. Raises CsvEncodingError for bytes that are not UTF-8 and CsvError for
    ragged rows, misplaced or unterminated quotes, or a header that is empty or names a column twice.
    """
    body = strip_comments(data)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, len(data) - len(body) + error.start) + 1
        raise CsvEncodingError(f"line {line} is not UTF-8 (byte {error.object[error.start]:#04x})") from error
    if "\0" in text:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise CsvError(f"line {line} holds NUL bytes: this is not a text file, or it was cut by a crash")
    names = _header(text)
    if b'"' in body and (found := misquoted(io.StringIO(text, newline=""))):
        raise CsvError(f"the record after line {found[0]} of the table cannot be read: {found[1]}")
    if not body.endswith(b"\n"):
        body += b"\n"  # pyarrow cannot read a header that no line break ends
    try:
        return text_rows(body, names, skip_rows=1)
    except pa.ArrowInvalid as error:
        raise CsvError(str(error)) from error


def strip_comments(data: bytes) -> bytes:
    """`data` from its header on: without byte-order mark and without the `#` and blank lines before the header."""
    body = data.removeprefix(_BOM)
    before = _COMMENTS.match(body)
    return body[before.end() :] if before else body


def to_csv(frame: pl.DataFrame) -> bytes:
    """`frame` of text as CSV: what `parse_csv` reads back to an equal frame (its empty strings become null)."""
    return frame.write_csv(line_terminator="\n", quote_style="necessary").encode("utf-8")


def as_of(frame: pl.DataFrame, column: str | None) -> date | None:
    """Date of the newest value of `column` (ISO dates, with or without a time); None when there is none."""
    if column is None or column not in frame.columns:
        return None
    newest = frame.select(pl.col(column).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).max()).item()
    return newest if isinstance(newest, date) else None


def _header(text: str) -> list[str]:
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), strict=True), [])
    except csv.Error as error:
        raise CsvError(f"the header cannot be read: {error}") from error
    if not names:
        raise CsvError("there is no header: the file is empty")
    if not all(names):
        raise CsvError(f"column {names.index('') + 1} of the header has no name")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise CsvError(f"the header names columns twice: {twice}")
    return names
