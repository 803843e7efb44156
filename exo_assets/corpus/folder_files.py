"""Files of the watched folder as rows of `raw_documents__files`: what has to be read again, and what became of each.

Belongs here: which files are taken, which of two of the same name, and rows. Does not belong here: listing and reading
a folder (`exo_resources.document_folder`), the formats (`read_document.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from exo_assets.corpus.document import Document, Rejected
from exo_assets.corpus.plain_text import shown
from exo_assets.corpus.source_contracts import RAW_DOCUMENTS__FILES

Row = dict[str, Any]

TRY_AGAIN = ("timed_out", "crashed")
"""Reasons that lie with the machine as much as with the file: a file that was touched since is read again."""


@dataclass(frozen=True)
class FoundFile:
    """A file as a listing has it; `path` is below the folder, with slashes."""

    path: str
    size_bytes: int
    fingerprint: str

    @property
    def name(self) -> str:
        """The name without folders: the document's id."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Reader:
    """What reads files: the version of its code, and what recognises scanned pages (None: nothing)."""

    version: str
    recognition: str | None


@dataclass(frozen=True)
class Plan:
    """`kept`: rows that stand as they are; `read`: files whose bytes have to be looked at."""

    kept: tuple[Row, ...]
    read: tuple[FoundFile, ...]


def plan(files: Sequence[FoundFile], before: pl.DataFrame, reader: Reader) -> Plan:
    """Which of `files` to read, given the rows of before.

    Of several files of one name the one that counted before stays, else the one that lies highest; the others are rows
    with the reason `duplicate_name`.
    """
    known = {row["path"]: row for row in before.iter_rows(named=True)}
    kept, read, first = list[Row](), list[FoundFile](), dict[str, str]()

    def counted(file: FoundFile) -> bool:
        row = known.get(file.path)
        return row is not None and row["status"] == "kept"

    for file in sorted(files, key=lambda f: (not counted(f), f.path.count("/"), f.path)):
        other = first.setdefault(file.name, file.path)
        row = known.get(file.path)
        if other != file.path:
            kept.append(_duplicate(file, other, reader))
        elif row is not None and row["fingerprint"] == file.fingerprint and _stands(row, reader):
            kept.append(row)
        else:
            read.append(file)
    return Plan(tuple(kept), tuple(sorted(read, key=lambda f: f.path)))


def same_bytes(before: pl.DataFrame, reader: Reader) -> Mapping[tuple[str, str], Row]:
    """Rows of before by name and SHA-256: a file that was moved or touched has the text that it had."""
    return {
        (row["document_id"], row["sha256"]): row
        for row in before.filter(pl.col("sha256").is_not_null()).iter_rows(named=True)
        if _stands(row, reader) and row["reason"] not in TRY_AGAIN
    }


def again(row: Row, file: FoundFile) -> Row:
    """The row of before for a file with the same bytes."""
    return {**row, "path": file.path, "size_bytes": file.size_bytes, "fingerprint": file.fingerprint}


def outcome(file: FoundFile, sha256: str | None, result: Document | Rejected, reader: Reader) -> Row:
    """The row of a file that was read; `sha256` is None where its bytes were not looked at."""
    row: Row = {
        "path": file.path,
        "document_id": file.name,
        "size_bytes": file.size_bytes,
        "fingerprint": file.fingerprint,
        "sha256": sha256,
        "reader": reader.version,
        "recognition": reader.recognition,
        "authors": [],
        "page_starts": [],
    }
    if isinstance(result, Rejected):
        return {**row, "status": "quarantined", "reason": result.reason, "message": result.message}
    return {
        **row,
        "status": "kept",
        "media": result.media,
        "title": result.title,
        "text": result.text,
        "authors": list(result.authors),
        "page_starts": list(result.page_starts),
        "pages_without_text": result.pages_without_text,
    }


def table(rows: Iterable[Row]) -> pl.DataFrame:
    """Rows of `raw_documents__files`, checked and ordered by path; names that cannot be shown are escaped."""
    by_path = {
        (path := _plain(row["path"])): {**row, "path": path, "document_id": _plain(row["document_id"])} for row in rows
    }
    ordered = [by_path[path] for path in sorted(by_path)]
    return RAW_DOCUMENTS__FILES.check(pl.DataFrame(ordered, schema=RAW_DOCUMENTS__FILES.schema, orient="row"))


def documents(rows: pl.DataFrame) -> Iterator[Document]:
    """The files that count, as documents."""
    for row in rows.filter(pl.col("status") == "kept").iter_rows(named=True):
        yield Document(
            document_id=row["document_id"],
            source="file",
            media=row["media"],
            title=row["title"],
            text=row["text"],
            page_starts=tuple(row["page_starts"]),
            pages_without_text=row["pages_without_text"],
            authors=tuple(row["authors"]),
        )


def rejected(rows: pl.DataFrame) -> Iterator[Rejected]:
    """The files that do not count, by their path."""
    wrong = rows.filter(pl.col("status") == "quarantined").select("path", "reason", "message")
    for path, reason, message in wrong.iter_rows():
        yield Rejected(path, "file", reason, message)


def _stands(row: Row, reader: Reader) -> bool:
    """Whether `reader` would make the same of the same bytes."""
    if row["reason"] == "duplicate_name" or row["reader"] != reader.version:
        return False
    if row["sha256"] is None and row["reason"] == "broken":  # it could not be opened, which is no property of its bytes
        return False
    scanned = (row["pages_without_text"] or 0) > 0 or row["reason"] == "no_text"
    return not scanned or row["recognition"] == reader.recognition


def _duplicate(file: FoundFile, other: str, reader: Reader) -> Row:
    said = f"{shown(file.path)}: {shown(other)} has the same name, which is the document's id; rename one of them"
    return outcome(file, None, Rejected(shown(file.name), "file", "duplicate_name", said), reader)


def _plain(name: str) -> str:
    return name if name.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
