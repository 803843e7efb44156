"""Is this the table? What every copy goes through before it may be kept, whatever its source.

Belongs here: telling a table from an error page, decompression, and the checks against the raw contract.
Does not belong here: transfers, and where a copy is kept.
"""

from __future__ import annotations

import gzip
import html
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from exo_assets.archive.contracts import RawContract, StandIn
from exo_assets.archive.parse import CsvEncodingError, CsvError, parse_csv, to_csv
from exo_assets.archive.rows import separated
from exo_assets.parquet_bytes import ParquetError, parquet_frame
from exo_resources.archive.errors import (
    ArchiveEmptyError,
    ArchiveEncodingError,
    ArchiveError,
    ArchiveGzipError,
    ArchiveHeaderError,
    ArchiveHtmlError,
    ArchiveMalformedError,
    ArchiveQueryError,
    ArchiveRowCountError,
    ArchiveRowsError,
)

_GZIP_MAGIC = b"\x1f\x8b"
_TAG = re.compile(r"<[^>]*>")
_HEAD_BYTES = 4096


@contextmanager
def kept_for_inspection(data: bytes) -> Iterator[None]:
    """Gives an ArchiveError that refuses `data` these bytes, so that a person can look at them."""
    try:
        yield
    except ArchiveError as error:
        error.sent = data if error.sent is None else error.sent
        raise


def plain_bytes(table: str, data: bytes, origin: str) -> bytes:
    """`data` decompressed when it is gzip; ArchiveGzipError when it is damaged."""
    if not data.startswith(_GZIP_MAGIC):
        return data
    with kept_for_inspection(data):
        try:
            return gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ArchiveGzipError(table, f"{origin} is damaged gzip ({error})") from error


def stand_in_csv(table: str, stand_in: StandIn, data: bytes, origin: str) -> bytes:
    """The rows of a Parquet file as CSV under the archive's names; ArchiveMalformedError when it is no such file.

    Numbers are written so that they read back as the same; what stands for nothing in them stays as it is.
    """
    with kept_for_inspection(data):
        try:
            renamed = parquet_frame(data).rename(dict(stand_in.renamed))
        except (pl.exceptions.PolarsError, ParquetError) as error:
            raise ArchiveMalformedError(table, f"{origin} is not the Parquet file it should be ({error})") from error
    return to_csv(renamed.cast(pl.String))


def checked_rows(
    contract: RawContract, data: bytes, *, content_type: str = "", counted: int | None = None
) -> pl.DataFrame:
    """The rows of `data` as they came, or the named error of the first thing that is wrong with them.

    `counted` is the number of rows that the service says it has. Repeated rows are no fault (`rows.separated`).
    """
    with kept_for_inspection(data):
        refuse_page(contract.archive_table, data, content_type)
        frame = _parsed(contract.archive_table, data)
        _refuse_broken(contract, frame)
        if counted is not None and counted != frame.height:
            problem = f"{frame.height:,} rows arrived, the service counts {counted:,}"
            raise ArchiveRowCountError(contract.archive_table, problem)
    return frame


def _parsed(table: str, data: bytes) -> pl.DataFrame:
    try:
        return parse_csv(data)
    except CsvEncodingError as error:
        raise ArchiveEncodingError(table, str(error)) from error
    except CsvError as error:
        raise ArchiveMalformedError(table, str(error)) from error


def _refuse_broken(contract: RawContract, frame: pl.DataFrame) -> None:
    """The named error of the first way in which the rows break the contract."""
    table = contract.archive_table
    if missing := contract.missing(frame.columns):
        raise ArchiveHeaderError(table, f"missing columns {missing} (the header begins {frame.columns[:6]})")
    if not frame.height:
        raise ArchiveEmptyError(table, "it has a header but no rows")
    if problems := contract.problems(separated(contract, frame).rows):
        raise ArchiveRowsError(table, "; ".join(problems))


def refuse_page(table: str, data: bytes, content_type: str = "") -> None:
    """ArchiveQueryError or ArchiveHtmlError when `data` is a document for people or an error document."""
    head = data[:_HEAD_BYTES]
    refuse_votable(table, head)
    if content_type in ("text/html", "application/xhtml+xml") or head.lstrip().startswith(b"<"):
        raise ArchiveHtmlError(table, f"a web page came instead of a table: {_words(head)}")


def refuse_votable(table: str, head: bytes) -> None:
    """ArchiveQueryError with the service's own words when `head` begins a VOTable (CSV was asked for)."""
    start = head.lstrip()[:500].lower()
    if b"<html" not in start and (start.startswith(b"<?xml") or b"<votable" in start):
        raise ArchiveQueryError(table, f"the service answered: {_words(head)}")


def _words(document: bytes) -> str:
    text = document.decode("utf-8", errors="replace")
    text = re.sub(r"(?is)<(style|script)\b.*?</\1>", " ", text)
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())[:200] or "an empty page"
