"""A checked copy of an archive table, and its date.

Belongs here: what every source hands over. Does not belong here: getting it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

import polars as pl


@dataclass(frozen=True)
class Copy:
    """Verbatim bytes (not compressed), their rows, and when the source says that they were last modified."""

    data: bytes
    frame: pl.DataFrame
    url: str
    modified: date | None


def date_of(http_date: str | None) -> date | None:
    """UTC date of an HTTP date such as 'Wed, 19 Jul 2017 23:19:18 GMT'; None when absent or unreadable."""
    try:
        return parsedate_to_datetime(http_date).astimezone(UTC).date() if http_date else None
    except ValueError:
        return None


def now() -> str:
    """This moment, ISO, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
