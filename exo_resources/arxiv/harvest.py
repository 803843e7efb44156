"""A harvest: arXiv's changes since the last one, span by span, kept as they come.

Belongs here: which spans of days are asked for, and the progress of a harvest in the lake. Does not belong here: the
service (`oai.py`), and what the changes make of the table (`exo_assets.corpus.abstracts`).

Spans have fixed borders, so that a harvest that was interrupted finds the ones that it has. The last span, which is
still open, is always asked for. What is in the table is not asked for again but for the last day that arXiv listed, on
which it may have listed more since.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from exo_assets.corpus.abstracts import NEWS_SCHEMA, news
from exo_resources.arxiv.oai import OaiService
from exo_resources.lake import Lake

log = logging.getLogger("exo.arxiv")

PARTS = "raw/arxiv/parts"
SPAN_DAYS = 7
OVERLAP = timedelta(days=1)
EARLIEST = date(2005, 9, 16)
"""arXiv's earliest datestamp: that of every record that has not changed since."""


@dataclass(frozen=True)
class Span:
    """Days `first` to `last`; an open span (`last` None) goes on until now."""

    first: date
    last: date | None

    @property
    def name(self) -> str:
        """As a part of a key."""
        return f"{self.first}_{self.last or 'now'}"


@dataclass(frozen=True)
class Changes:
    """What changed in a span; `asked` unless it was kept from an interrupted harvest."""

    span: Span
    news: pl.DataFrame
    asked: bool


def spans(start: date, today: date, since: date | None = None, listed: date | None = None) -> list[Span]:
    """The spans to ask for, in order: what is new, then (the latest first) what lies before `since`.

    The table has arXiv's changes from `since` to `listed`; None: it has none. `start`: how far back it is to go.
    """
    begin = _border(max(start, EARLIEST))
    if since is None or listed is None:
        return _blocks(begin, today)
    fresh = _blocks(min(max(listed - OVERLAP, EARLIEST), today), today)
    older = _blocks(begin, since - timedelta(days=1), is_open=False) if begin < since else []
    return [*fresh, *reversed(older)]


class Harvest:
    """Spans of changes in `categories`, kept in the `lake` as soon as they are whole."""

    def __init__(self, lake: Lake, service: OaiService, url: str, categories: Sequence[str]) -> None:
        self._lake, self._service, self._categories = lake, service, tuple(categories)
        said = json.dumps([url, sorted(categories)]).encode()
        self._folder = f"{PARTS}/{hashlib.sha256(said).hexdigest()[:12]}"

    def changes(self, asked: Sequence[Span]) -> Iterator[Changes]:
        """Each of `asked` as it is done. What is kept of other spans goes: it is in the table, or of other settings.

        A named ArchiveError ends it; what came before it stays.
        """
        keys = {self._key(span) for span in asked if span.last is not None}
        for key in self._lake.keys(PARTS):
            if key not in keys:
                self._lake.delete(key)
        for span in asked:
            kept = self._kept(span)
            if kept is not None:
                yield Changes(span, kept, asked=False)
                continue
            listings = [
                listing for name in self._categories for listing in self._service.records(name, span.first, span.last)
            ]
            found = news(listings, self._categories)
            if span.last is not None:
                out = io.BytesIO()
                found.write_parquet(out, compression="zstd")
                self._lake.put(self._key(span), out.getvalue())
            log.info("arXiv, %s: %d records", span.name, found.height)
            yield Changes(span, found, asked=True)

    def _key(self, span: Span) -> str:
        return f"{self._folder}/{span.name}.parquet"

    def _kept(self, span: Span) -> pl.DataFrame | None:
        """What an interrupted harvest kept of the span; None when that is nothing, or damaged."""
        if span.last is None or not self._lake.has(self._key(span)):
            return None
        try:
            kept = pl.read_parquet(io.BytesIO(self._lake.get(self._key(span))))
        except (pl.exceptions.PolarsError, OSError):
            return None
        return kept if kept.schema == NEWS_SCHEMA else None


def _border(day: date) -> date:
    """The first day of the block that `day` is in."""
    return date.fromordinal(day.toordinal() - day.toordinal() % SPAN_DAYS)


def _blocks(first: date, last: date, *, is_open: bool = True) -> list[Span]:
    """Spans from `first` to `last`, cut at the borders; the last one open when `is_open`."""
    out = list[Span]()
    while first <= last:
        end = _border(first) + timedelta(days=SPAN_DAYS - 1)
        out.append(Span(first, None if is_open and end >= last else min(end, last)))
        first = end + timedelta(days=1)
    return out
