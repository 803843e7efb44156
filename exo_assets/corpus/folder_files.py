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
from exo_assets.corpus.plain_text import escaped, shown
from exo_assets.corpus.source_contracts import RAW_DOCUMENTS__FILES

Row = dict[str, Any]

TRY_AGAIN = ("timed_out", "crashed")
"""Reasons that lie with the machine as much as with the file: a file that was touched since is read again."""


@dataclass(frozen=True)
class FoundFile:
    """A file as a listing has it; `path` is below the folder, with slashes, and may hold what cannot be printed."""

    path: str
    size_bytes: int
    fingerprint: str

    @property
    def name(self) -> str:
        """The name without folders."""
        return self.path.rpartition("/")[2]

    @property
    def key(self) -> str:
        """The path as rows have it."""
        return escaped(self.path)

    @property
    def document_id(self) -> str:
        """The name as rows have it: the document's id."""
        return escaped(self.name)


@dataclass(frozen=True)
class LeftOut:
    """What a listing has and no document can be read from; `why` says what to do."""

    file: FoundFile
    why: Rejected


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


def plan(files: Sequence[FoundFile], before: pl.DataFrame, reader: Reader, staying: Sequence[Row] = ()) -> Plan:
    """Which of `files` to read, given the rows of before, of which `staying` are of files that cannot be looked at now.

    Of several files of one name the one that stays counts, then the one that counted before, else the one that lies
    highest; the others are rows with the reason `duplicate_name`.
    """
    known = {row["path"]: row for row in before.iter_rows(named=True)}
    kept, read = list[Row](), list[FoundFile]()
    first = {row["document_id"]: row["path"] for row in staying if row["status"] == "kept"}

    def counted(file: FoundFile) -> bool:
        row = known.get(file.key)
        return row is not None and row["status"] == "kept"

    for file in sorted(files, key=lambda f: (not counted(f), f.path.count("/"), f.path)):
        other = first.setdefault(file.document_id, file.key)
        row = known.get(file.key)
        if other != file.key:
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
    return {**row, "path": file.key, "size_bytes": file.size_bytes, "fingerprint": file.fingerprint}


def outcome(file: FoundFile, sha256: str | None, result: Document | Rejected, reader: Reader) -> Row:
    """The row of a file that was read; `sha256` is None where its bytes were not looked at."""
    row: Row = {
        "path": file.key,
        "document_id": file.document_id,
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
    """Rows of `raw_documents__files`, checked and ordered by path."""
    by_path = {row["path"]: row for row in rows}
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
    if row["reason"] in ("duplicate_name", "unreadable") or row["reader"] != reader.version:
        return False  # neither is a property of its bytes
    scanned = (row["pages_without_text"] or 0) > 0 or row["reason"] == "no_text"
    return not scanned or row["recognition"] == reader.recognition


def _duplicate(file: FoundFile, other: str, reader: Reader) -> Row:
    said = f"{shown(file.path)}: {other} has the same name, which is the document's id; rename one of them"
    return outcome(file, None, Rejected(shown(file.name), "file", "duplicate_name", said), reader)
