"""Reading a catalogue file as text, exactly as it is written.

Belongs here: CSV bytes to a frame of strings, and clear errors for what is not one. Does not belong here: what the
columns mean.

The archive writes plain CSV; downloads made by hand begin with `#` comment lines. A file is either read whole or
refused with its name, the line, and what to do about it.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections import Counter
from pathlib import Path
from typing import TextIO

import polars as pl
import pyarrow as pa

from exo_assets.text_csv import misquoted, text_rows

MOST_COLUMNS = 5000
LARGEST_BYTES = 1 << 30
"""Longest file that is read, as it lies and uncompressed."""

_GZIP = b"\x1f\x8b"
_BINARY = {
    b"PK\x03\x04": "a zip archive or an Excel workbook: export the sheet as CSV",
    b"PAR1": "a Parquet file: write it as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: export the sheet as CSV",
    b"SIMPLE  =": "a FITS file: export its table as CSV",
    b"%PDF": "a PDF",
    b"\xff\xfe": "UTF-16 text: save it as UTF-8",
    b"\xfe\xff": "UTF-16 text: save it as UTF-8",
}
_DELIMITERS = {";": "semicolons", "\t": "tabs"}
PIPE = "|"
"""Separates the columns in place of commas where the header has no comma: ExoFOP's other form."""


class CatalogueFileError(ValueError):
    """A file is not a readable catalogue; the message names file, line and remedy."""


def read_catalogue_file(path: Path | str) -> pl.DataFrame:
    """All rows of a CSV (or .csv.gz) file as text columns; an empty field is null. CatalogueFileError otherwise."""
    return read_catalogue_bytes(file_bytes(Path(path)), str(path))


def file_bytes(path: Path) -> bytes:
    """The bytes of a file, unpacked when they are gzipped; CatalogueFileError when it is unreadable or too large."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > LARGEST_BYTES:
                raise _too_large(str(path), LARGEST_BYTES)
            data = file.read(LARGEST_BYTES + 1)  # a pipe or a device has no size
    except FileNotFoundError:
        raise CatalogueFileError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise CatalogueFileError(f"{path}: is a folder, not a CSV file") from None
    except OSError as error:
        raise CatalogueFileError(f"{path}: cannot be read ({error.strerror or error})") from None
    return _plain(data, str(path), LARGEST_BYTES)


def read_catalogue_bytes(data: bytes, name: str, *, largest: int = LARGEST_BYTES) -> pl.DataFrame:
    """The rows of CSV bytes, gzipped or not, as text columns; `name` is what errors call it."""
    data = _plain(data, name, largest)
    _refuse_other_formats(data, name)
    data = data.removeprefix(b"\xef\xbb\xbf")
    _check_text(data, name)
    comments = _leading_comments(data)
    first = _lines(data, comments).readline()
    delimiter = PIPE if PIPE in first and "," not in first else ","
    header, lines = _header(data, comments, name, delimiter)
    return _parse(data, comments + lines, header, name, delimiter)


def _plain(data: bytes, name: str, largest: int) -> bytes:
    if data.startswith(_GZIP):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
                data = packed.read(largest + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise CatalogueFileError(
                f"{name}: the gzip data are damaged or cut short ({error}); copy it again"
            ) from None
    if len(data) > largest:
        raise _too_large(name, largest)
    return data


def _too_large(name: str, largest: int) -> CatalogueFileError:
    return CatalogueFileError(f"{name}: is larger than {largest / 1e6:,.0f} MB; split it into several files")


def _refuse_other_formats(data: bytes, name: str) -> None:
    for magic, what in _BINARY.items():
        if data.startswith(magic):
            raise CatalogueFileError(f"{name}: is {what}")
    head = data.lstrip()[:200].lower()
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise CatalogueFileError(f"{name}: is a web page or XML, not CSV (an error page saved instead of the table?)")
    if not head:
        raise CatalogueFileError(f"{name}: is empty; a header line and rows are expected")


def _check_text(data: bytes, name: str) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CatalogueFileError(
            f"{name}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8 text; save the file as UTF-8 "
            "(it may be Latin-1 or Windows-1252)"
        ) from None
    if b"\x00" in data:
        line = data.count(b"\n", 0, data.index(b"\x00")) + 1
        raise CatalogueFileError(
            f"{name}, line {line}: holds NUL bytes; this is not a text file, or it was cut by a crash"
        )


def _leading_comments(data: bytes) -> int:
    """Number of lines before the header: comments, and blank lines among them."""
    count = 0
    for line in _lines(data, 0):
        if line.strip() and not line.lstrip().startswith("#"):
            break
        count += 1
    return count


def _header(data: bytes, comments: int, name: str, delimiter: str) -> tuple[list[str], int]:
    """Column names, and the number of lines that they take."""
    reader = csv.reader(_lines(data, comments), delimiter=delimiter)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise CatalogueFileError(f"{name}, line {comments + 1}: the header cannot be read ({error})") from None
    if not header:
        raise CatalogueFileError(f"{name}: holds nothing but comments; a header line and rows are expected")
    if len(header) == 1:
        for sign, what in _DELIMITERS.items():
            if sign in header[0]:
                raise CatalogueFileError(
                    f"{name}, line {comments + 1}: the columns are separated by {what}; save the file with commas"
                )
    if len(header) > MOST_COLUMNS:
        raise CatalogueFileError(
            f"{name}, line {comments + 1}: the header has {len(header):,} columns, more than {MOST_COLUMNS:,}; keep "
            "those of the catalogue and your own"
        )
    twice = sorted(column for column, count in Counter(header).items() if count > 1)
    if twice:
        raise CatalogueFileError(
            f"{name}, line {comments + 1}: the header names {', '.join(map(repr, twice))} more than once; rename one"
        )
    return header, reader.line_num


def _parse(data: bytes, skip: int, header: list[str], name: str, delimiter: str) -> pl.DataFrame:
    if b'"' in data and (found := misquoted(_lines(data, skip), delimiter)):
        raise CatalogueFileError(
            f"{name}, line {skip + found[0] + 1}: double quotes are out of place in the row that begins there "
            f"({found[1]}); remove a stray one, or write it twice inside a quoted value"
        )
    try:
        frame = text_rows(data, header, skip_lines=skip, delimiter=delimiter)
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error) or "Could not skip" in str(error):  # a header and no rows
            return pl.DataFrame(schema=dict.fromkeys(header, pl.String))
        raise CatalogueFileError(
            _bad_row(data, skip, len(header), name, delimiter) or f"{name}: is not CSV ({error})"
        ) from None
    frame.columns = header  # an empty name, as data-frame libraries write for their index, stays empty
    return frame


def _lines(data: bytes, skip: int) -> TextIO:
    """The text of `data` from line `skip` + 1 on."""
    lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    for _ in range(skip):
        lines.readline()
    return lines


def _bad_row(data: bytes, skip: int, columns: int, name: str, delimiter: str) -> str | None:
    """Where the first row of the wrong length is, in words."""
    reader = csv.reader(_lines(data, skip), delimiter=delimiter)
    start = skip + 1
    try:
        for row in reader:
            if row and len(row) != columns:
                return (
                    f"{name}, line {start}: has {len(row)} fields where the header has {columns}; was it cut short, or "
                    "does a value with a comma in it lack its double quotes?"
                )
            start = skip + reader.line_num + 1
    except csv.Error as error:
        return f"{name}, line {start}: {error}"
    return None
