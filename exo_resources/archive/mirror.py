"""Mirrors of the archive: a folder, a bucket or a web server that holds tap/<table>.csv.gz (or .csv).

Belongs here: finding and reading a table there, or what stands in for it. Does not belong here: what the bytes must be
(`content.py`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from exo_assets.archive.contracts import RAW_CONTRACTS, RawContract
from exo_resources.archive.content import checked_rows, plain_bytes, stand_in_csv
from exo_resources.archive.copies import Copy, date_of
from exo_resources.archive.errors import (
    ArchiveMirrorError,
    ArchiveStatusError,
    ArchiveTableAbsentError,
    ArchiveUnreachableError,
    Asked,
)
from exo_resources.archive.transfer import Answer, Deadline, download, head, http_client, with_retries

T = TypeVar("T")

SUFFIXES = (".csv.gz", ".csv")
_CHUNK_BYTES = 1 << 20


class Mirror(Protocol):
    """A place that may hold tables."""

    def fetch(self, contract: RawContract) -> Copy:
        """The table, checked; a named ArchiveError otherwise."""

    def probe(self, contract: RawContract) -> str:
        """A value that changes when the stored file does."""


def open_mirror(url: str, scratch: Path, *, timeout_s: float, connect_timeout_s: float, attempts: int) -> Mirror:
    """The mirror at `url`: http(s)://, s3:// (or another address that pyarrow knows), or a folder."""
    limits = _Limits(scratch, timeout_s, connect_timeout_s, attempts)
    if url.startswith(("http://", "https://")):
        return HttpMirror(url.rstrip("/"), limits)
    return FileMirror(url, limits)


@dataclass(frozen=True)
class _Limits:
    scratch: Path
    timeout_s: float
    connect_timeout_s: float
    attempts: int


class HttpMirror:
    """A web server that serves the mirror's files."""

    def __init__(self, url: str, limits: _Limits) -> None:
        self.url, self._limits = url, limits

    def fetch(self, contract: RawContract) -> Copy:
        """The table, checked; transient failures are tried again."""
        table, limits = contract.archive_table, self._limits
        deadline = Deadline.after(table, limits.timeout_s)

        def once() -> Copy:
            limits.scratch.mkdir(parents=True, exist_ok=True)
            target = limits.scratch / f"{table}.{uuid.uuid4().hex}.part"
            try:
                path, answer = self._first(contract, deadline, lambda u, client: download(client, u, target, deadline))
                data = _csv(contract, path, target.read_bytes(), answer.url)
            finally:
                target.unlink(missing_ok=True)
            frame = checked_rows(contract, data, content_type=answer.content_type)
            return Copy(data, frame, answer.url, date_of(answer.last_modified))

        return with_retries(once, attempts=limits.attempts, deadline=deadline)

    def probe(self, contract: RawContract) -> str:
        """ETag, or size and date, of the file."""
        deadline = Deadline.after(contract.archive_table, self._limits.timeout_s)

        def once() -> str:
            _, answer = self._first(contract, deadline, lambda url, client: head(client, url, deadline))
            return answer.etag or f"{answer.length}:{answer.last_modified}"

        return with_retries(once, attempts=self._limits.attempts, deadline=deadline)

    def _first(
        self, contract: RawContract, deadline: Deadline, ask: Callable[[str, Any], Answer]
    ) -> tuple[str, Answer]:
        """The first path of the table that the server has, and what it answered."""
        with http_client(self._limits.timeout_s, self._limits.connect_timeout_s) as client:
            for path in _paths(contract):
                try:
                    return path, ask(f"{self.url}/{path}", client)
                except ArchiveStatusError as error:
                    if error.status not in (403, 404, 410):
                        raise
            present = _others(contract, lambda path: head(client, f"{self.url}/{path}", deadline), ArchiveStatusError)
        raise _absent(contract, self.url, present)


class FileMirror:
    """A folder, or a bucket behind pyarrow's file systems."""

    def __init__(self, url: str, limits: _Limits) -> None:
        self.url, self._limits = url, limits

    def fetch(self, contract: RawContract) -> Copy:
        """The table, checked."""
        table, limits = contract.archive_table, self._limits
        deadline = Deadline.after(table, limits.timeout_s)

        def once() -> Copy:
            fs, info, path = self._find(contract)
            address = f"{self._shown}/{path}"
            data = _csv(contract, path, read_whole(fs, info.path, address, deadline), address)
            modified = info.mtime.astimezone(UTC).date() if info.mtime else None
            return Copy(data, checked_rows(contract, data), address, modified)

        return with_retries(once, attempts=limits.attempts, deadline=deadline)

    def probe(self, contract: RawContract) -> str:
        """Size and modification time of the file."""
        _, info, _ = self._find(contract)
        return f"{info.size}:{info.mtime_ns}"

    def _find(self, contract: RawContract) -> tuple[Any, Any, str]:
        """The file system, and the first file of the table that is there with its path in the mirror."""
        table = contract.archive_table
        fs, base = file_system(self.url, Asked.of(table))
        own = _paths(contract)
        paths = [*own, *(path for other in _other_tables(contract) for path in _paths(other))]
        try:
            infos = fs.get_file_info([f"{base}/{path}" for path in paths])
        except (pa.ArrowException, OSError) as error:
            raise ArchiveUnreachableError(table, f"the mirror {self._shown} cannot be read ({error})") from error
        there = [info.type == pafs.FileType.File for info in infos]
        for path, info, exists in zip(own, infos, there, strict=False):
            if exists:
                return fs, info, path
        raise _absent(contract, self.url, any(there))

    @property
    def _shown(self) -> str:
        return shown(self.url)


def shown(url: str) -> str:
    """A URL without its query: that of s3:// may hold an endpoint, and it is not needed to name the place."""
    return url.partition("?")[0].rstrip("/")


def file_system(url: str, asked: Asked) -> tuple[Any, str]:
    """pyarrow's file system for a folder or a bucket, and the path inside it; ArchiveMirrorError when there is none."""
    try:
        if "://" in url:
            fs, base = pafs.FileSystem.from_uri(url)
            return fs, base.rstrip("/")
        return pafs.LocalFileSystem(), str(Path(url).expanduser().resolve())
    except (pa.ArrowException, ValueError, OSError, RuntimeError) as error:
        raise ArchiveMirrorError(asked, f"the mirror {shown(url)} cannot be opened ({error})") from error


def read_whole(fs: Any, path: str, address: str, deadline: Deadline) -> bytes:
    """The bytes of a mirror's file, within the deadline; `address` is what errors call it."""
    out = bytearray()
    try:
        with fs.open_input_stream(path, compression=None) as source:
            while chunk := source.read(_CHUNK_BYTES):
                out += chunk
                deadline.check()
    except (pa.ArrowException, OSError) as error:
        raise ArchiveUnreachableError(deadline.asked, f"{address} cannot be read ({error})") from error
    return bytes(out)


def _paths(contract: RawContract) -> list[str]:
    """Where a mirror may hold the table, the archive's own format first."""
    tap = [f"tap/{contract.archive_table}{suffix}" for suffix in SUFFIXES]
    return [*tap, contract.stand_in.path] if contract.stand_in else tap


def _csv(contract: RawContract, path: str, data: bytes, address: str) -> bytes:
    """The table as CSV, from the file at `path` of the mirror."""
    if contract.stand_in and path == contract.stand_in.path:
        return stand_in_csv(contract.archive_table, contract.stand_in, data, address)
    return plain_bytes(contract.archive_table, data, address)


def _other_tables(contract: RawContract) -> list[RawContract]:
    return [other for other in RAW_CONTRACTS.values() if other.archive_table != contract.archive_table]


def _others(contract: RawContract, ask: Callable[[str], object], absent: type[Exception]) -> bool:
    for other in _other_tables(contract):
        for path in _paths(other):
            try:
                ask(path)
            except absent:
                continue
            return True
    return False


def _absent(contract: RawContract, url: str, others: bool) -> ArchiveTableAbsentError | ArchiveMirrorError:
    table, shown = contract.archive_table, url.partition("?")[0]
    if others:
        paths = _paths(contract)
        return ArchiveTableAbsentError(
            table,
            f"the mirror {shown} does not hold it: there is no {', '.join(paths[:-1])} or {paths[-1]}",
            remedy=f"add {' or '.join(path for path in paths if path != f'tap/{table}{SUFFIXES[1]}')} to the mirror",
        )
    return ArchiveMirrorError(table, f"{shown} holds none of the tables tap/{{{','.join(_known())}}}.csv.gz")


def _known() -> Iterable[str]:
    return RAW_CONTRACTS
