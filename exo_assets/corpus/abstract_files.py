"""Files of abstracts: JSON lines or Parquet with an id, a title and an abstract in each row.

Belongs here: which files are such, and what their columns mean. Does not belong here: where they lie.

Columns that are read: `arxiv_id` or `id`; `title`; `abstract`; `categories` and `authors` (a list, or text with spaces
and semicolons between them); `published` or `created`; `updated` or `update_date`; and `source_file`, whose name tells
the day of the listing (2025-03-24.jsonl) where nothing else does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from exo_assets.corpus.arxiv import Listing, abstract_document
from exo_assets.corpus.document import Document, Rejected
from exo_assets.corpus.plain_text import one_line
from exo_assets.parquet_bytes import ParquetError, parquet_frame

SUFFIXES = (".jsonl", ".parquet")
IDS = ("arxiv_id", "id")
_NEEDED = ("title", "abstract")
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})\.\w+$")
_READ = (*IDS, *_NEEDED, "categories", "authors", "published", "created", "updated", "update_date", "source_file")


class AbstractFileError(ValueError):
    """A file that cannot be read at all; the message says why."""


def parse_abstracts(name: str, data: bytes, wanted: Collection[str]) -> Listing | None:
    """The abstracts in a file of that `name` that are in a `wanted` category or in none; None: it holds none at all.

    AbstractFileError for what is not what its ending says. A line that is broken is a Rejected, like a row without id,
    title or abstract.
    """
    rows, broken = _parquet(name, data) if name.endswith(".parquet") else _lines(name, data)
    if not any(_is_abstract(row) for _, row in rows):
        return None
    asked = frozenset(wanted)
    found = [*broken, *(_document(name, number, row) for number, row in rows if _in(row, asked))]
    good = tuple(one for one in found if isinstance(one, Document))
    return newer_first([Listing(good, tuple(one for one in found if isinstance(one, Rejected)))])


def newer_first(listings: Iterable[Listing]) -> Listing:
    """One listing of several files': of an abstract that is in several, the version that was updated last."""
    last, wrong = dict[str, Document](), list[Rejected]()
    for listing in listings:
        wrong += listing.rejected
        for one in listing.documents:
            if not _older(one, last.get(one.document_id)):
                last[one.document_id] = one
    return Listing(tuple(last.values()), tuple(one for one in wrong if one.name not in last))


def _older(one: Document, other: Document | None) -> bool:
    """Whether `other` is the later version; of two that do not say, the first counts."""
    return other is not None and str(one.updated or "") <= str(other.updated or "")


def _lines(name: str, data: bytes) -> tuple[list[tuple[int, Mapping[str, Any]]], list[Rejected]]:
    rows, broken = list[tuple[int, Mapping[str, Any]]](), list[Rejected]()
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append((number, row))
        else:
            place = f"{name}, line {number}"
            broken.append(Rejected(place, "arxiv", "broken", f"{place}: is no JSON object; copy the file again"))
    return rows, broken


def _parquet(name: str, data: bytes) -> tuple[list[tuple[int, Mapping[str, Any]]], list[Rejected]]:
    try:
        frame = parquet_frame(data)
    except ParquetError as error:
        raise AbstractFileError(f"{name} is no Parquet file that can be read ({error})") from None
    frame = frame.select([c for c in _READ if c in frame.columns])
    return list(enumerate(frame.iter_rows(named=True), start=1)), []


def _is_abstract(row: Mapping[str, Any]) -> bool:
    return any(c in row for c in IDS) and all(c in row for c in _NEEDED)


def _in(row: Mapping[str, Any], wanted: frozenset[str]) -> bool:
    categories = _several(row.get("categories"), None)
    return not categories or not wanted.isdisjoint(categories)


def _document(name: str, number: int, row: Mapping[str, Any]) -> Document | Rejected:
    listed = _DAY.search(_text(row, "source_file"))
    first = _text(row, "published") or _text(row, "created")
    last = _text(row, "updated") or _text(row, "update_date") or (listed[1] if listed else "") or first
    return abstract_document(
        _text(row, "arxiv_id") or _text(row, "id"),
        f"{name}, row {number}",
        title=_text(row, "title"),
        abstract=_text(row, "abstract", 1_000_000),
        authors=[one_line(a) for a in _several(row.get("authors"), ";")],
        dates=(first, last),
        categories=_several(row.get("categories"), None),
    )


def _text(row: Mapping[str, Any], column: str, longest: int = 1000) -> str:
    value = row.get(column)
    return one_line(str(value), longest) if value is not None else ""


def _several(value: Any, between: str | None) -> list[str]:
    if isinstance(value, str):
        return [part for part in map(str.strip, value.split(between)) if part]
    return [str(part) for part in value if part] if isinstance(value, list | tuple) else []
