"""The files of the watched folder, read: those that changed, on Ray when they are many.

Belongs here: the order of things, and what an unreachable folder leads to. Does not belong here: which files have to be
read (`exo_assets.corpus.folder_files`), the folder (`document_folder.py`), reading (`reading_process.py`).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import polars as pl

from exo_assets.corpus import folder_files
from exo_assets.corpus.document import Document, Rejected
from exo_assets.corpus.folder_files import FoundFile, Reader, Row
from exo_assets.corpus.plain_text import shown
from exo_assets.corpus.read_document import refused_unread
from exo_assets.corpus.reading import Limits
from exo_assets.corpus.source_contracts import RAW_DOCUMENTS__FILES
from exo_resources.document_folder import DocumentFolder, FolderError, Listed
from exo_resources.ocr import PROGRAM, find_tesseract
from exo_resources.ray_runtime import WorkerLost
from exo_resources.reading_process import Bounds, ReadingProcess

log = logging.getLogger("exo.documents")

MANY = 32
"""Files from which on they are read on Ray: starting it takes as long as reading some dozens."""

NAME = RAW_DOCUMENTS__FILES.name


class Tables(Protocol):
    """The part of the lake that has the table of last time."""

    def version(self, table: str) -> Any:
        """Its version; None when it was never written."""

    def read(self, table: str) -> pl.DataFrame:
        """Its rows."""


class Runtime(Protocol):
    """The part of Ray that reading uses."""

    def stream(self, function: Any, shared: Any, tasks: Any, *, at_once: int | None = None) -> Iterator[Any]:
        """`function(shared, task)` of each task, in order."""


@dataclass(frozen=True)
class Task:
    """One file to read."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Files:
    """The files as they are now: rows of `raw_documents__files`, notes that travel with them, and what was done."""

    frame: pl.DataFrame
    notes: dict[str, Any]
    did: dict[str, Any] = field(default_factory=dict)


def refreshed(
    folder: DocumentFolder, tables: Tables, runtime: Runtime, version: str, bounds: Bounds | None = None
) -> Files:
    """The table of the folder's files, only what changed read again; `version` is that of the code that reads.

    A folder that cannot be reached, or is not there any more, leaves the files of last time.
    """
    before, known = _before(tables)
    reader = Reader(version, PROGRAM if find_tesseract() else None)
    try:
        there = folder.exists()
        if there or not before.height:
            return _read(folder, before, runtime, reader, bounds or Bounds())
        problem = f"{folder.shown} is not there any more; make it anew (empty, to drop its documents)"
    except FolderError as error:
        problem = str(error)
    log.warning("documents: %s; the %d files of last time stay", problem, before.height)
    return Files(before, {**known, "source": "last_good", "reason": problem})


def taken_in(tables: Tables) -> str:
    """Fingerprint of the folder that the table of its files was made from; empty when there is none."""
    version = tables.version(NAME)
    return str(version.notes.get("fingerprint", "")) if version else ""


def _before(tables: Tables) -> tuple[pl.DataFrame, dict[str, Any]]:
    version = tables.version(NAME)
    if version is None:
        return RAW_DOCUMENTS__FILES.empty(), {}
    frame = tables.read(NAME)
    return (frame if frame.schema == RAW_DOCUMENTS__FILES.schema else RAW_DOCUMENTS__FILES.empty()), version.notes


def _read(folder: DocumentFolder, before: pl.DataFrame, runtime: Runtime, reader: Reader, bounds: Bounds) -> Files:
    listed = folder.listed()
    known = {row["path"]: row for row in before.iter_rows(named=True)}
    staying = _staying(listed, known)
    plan = folder_files.plan(listed.files, before, reader, staying)
    left_out = (folder_files.outcome(one.file, None, one.why, reader) for one in listed.left_out)
    rows = [*left_out, *staying, *plan.kept]
    settled, waiting, moved = _looked_at(folder, plan.read, before, reader, known)
    rows += settled
    rows += [known[file.key] for file in moved if file.key in known]
    read, lost = 0, 0
    for file, digest, result in _results(folder, waiting, runtime, bounds):
        if result is None:
            rows += [known[file.key]] if file.key in known else []
            continue
        read += 1
        lost += isinstance(result, Rejected)
        rows.append(folder_files.outcome(file, digest, result, reader))
    frame = folder_files.table(rows)
    quarantined = int((frame["status"] == "quarantined").sum())
    return Files(
        frame,
        {
            "source": "folder",
            "folder": folder.shown,
            "fingerprint": listed.fingerprint,
            "kept": frame.height - quarantined,
            "quarantined": quarantined,
        },
        {"read": read, "read_in_vain": lost, "not_settled": len(listed.unsettled) + len(moved)},
    )


def _staying(listed: Listed, known: Mapping[str, Row]) -> list[Row]:
    """Rows that stay until their files can be looked at again: those that changed a moment ago, and those that cannot
    be reached, which may be a folder's."""
    changing = {file.key for file in listed.unsettled}
    closed = [one.file.key for one in listed.left_out if one.why.reason == "unreadable"]

    def stays(path: str) -> bool:
        return path in changing or any(path == place or path.startswith(f"{place}/") for place in closed)

    return [row for path, row in known.items() if stays(path)]


def _looked_at(
    folder: DocumentFolder, files: tuple[FoundFile, ...], before: pl.DataFrame, reader: Reader, known: Mapping[str, Row]
) -> tuple[list[Row], list[tuple[FoundFile, str]], list[FoundFile]]:
    """Rows of `files` that need no reading; the others with their SHA-256; and those that keep their row, if they have
    one, until the next time: they changed in the meantime, or cannot be opened."""
    same = folder_files.same_bytes(before, reader) if files else {}
    rows, waiting, moved = list[Row](), list[tuple[FoundFile, str]](), list[FoundFile]()
    for file in files:
        refused = refused_unread(file.name, file.size_bytes)
        if refused is not None:
            rows.append(folder_files.outcome(file, None, refused, reader))
            continue
        try:
            data = folder.read(file)
        except FolderError as error:
            if file.key in known:
                moved.append(file)
            else:
                rows.append(folder_files.outcome(file, None, _unreadable(file, error), reader))
            continue
        if data is None:
            moved.append(file)
            continue
        digest = hashlib.sha256(data).hexdigest()
        twin = same.get((file.document_id, digest))
        if twin is not None:
            rows.append(folder_files.again(twin, file))
        else:
            waiting.append((file, digest))
    return rows, waiting, moved


def _results(
    folder: DocumentFolder, waiting: list[tuple[FoundFile, str]], runtime: Runtime, bounds: Bounds
) -> Iterator[tuple[FoundFile, str, Document | Rejected | None]]:
    """What became of each file; None of one that is not any more what it was."""
    gone = list[tuple[FoundFile, str]]()
    sent = list[tuple[FoundFile, str]]()

    def tasks() -> Iterator[Task]:
        for file, digest in waiting:
            try:
                data = folder.read(file)
            except FolderError as error:
                log.warning("documents: %s", error)
                data = None
            if data is None:
                gone.append((file, digest))
            else:
                sent.append((file, digest))
                yield Task(file.name, data)

    settings = (bounds, Limits())
    many = len(waiting) >= MANY
    results = runtime.stream(read_task, settings, tasks()) if many else _here(settings, tasks())
    for number, result in enumerate(results):
        file, digest = sent[number]
        if isinstance(result, WorkerLost):
            said = f"{shown(file.name)}: the workers that read it ended ({result.message}); touch it to try again"
            result = Rejected(shown(file.name), "file", "crashed", said)  # noqa: PLW2901
        yield file, digest, result
    yield from ((file, digest, None) for file, digest in gone)


def _here(settings: tuple[Bounds, Limits], tasks: Iterator[Task]) -> Iterator[Document | Rejected]:
    with ReadingProcess(*settings) as process:
        for task in tasks:
            yield process.read(task.name, task.data)


def read_task(settings: tuple[Bounds, Limits], task: Task) -> Document | Rejected:
    """One file, read in the reading process of this Ray worker; it ends with the worker."""
    return _process(*settings).read(task.name, task.data)


@cache
def _process(bounds: Bounds, limits: Limits) -> ReadingProcess:
    return ReadingProcess(bounds, limits)


def _unreadable(file: FoundFile, error: FolderError) -> Rejected:
    return Rejected(shown(file.name), "file", "unreadable", f"{shown(file.name)}: {error}")
