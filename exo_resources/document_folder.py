"""The watched folder of documents: a folder, or a place in an S3-compatible bucket.

Belongs here: listing, reading and changing it, and a fingerprint of all of it. Does not belong here: what the files
hold (`exo_assets.corpus`).

Not listed: hidden files, files that a program is still writing (.part, .tmp and the like), what lies
behind links to folders, and what was changed a moment ago; it is there the next time. What is named like a document and
is none, links that lead out of the folder, and folders in it that cannot be read are listed as left out.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from exo_assets.corpus.folder_files import FoundFile, LeftOut
from exo_resources.folder_walk import Entry, NotAFileError, entries, is_passed_over, leads_out, open_file

T = TypeVar("T")

QUIET_S = 3.0
"""Seconds for which a file must not have changed: longer than the second to which buckets tell times."""
FUTURE_S = 60.0
"""A file dated further ahead than this comes from a wrong clock, and is not waited for."""
_WAIT_FOR_S = 10.0


class FolderError(RuntimeError):
    """The folder or bucket cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Listed:
    """What a listing found, each by path: `files` that can be read now, those that changed a moment ago (`unsettled`),
    and what no document can be read from (`left_out`)."""

    files: tuple[FoundFile, ...]
    unsettled: tuple[FoundFile, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Changes whenever a file that can be read came, went or changed, or something is left out or no more."""
        said = "\n".join(f"{f.path!r} {f.fingerprint}" for f in (*self.files, *(one.file for one in self.left_out)))
        return hashlib.sha256(said.encode()).hexdigest()[:32]


class DocumentFolder:
    """The folder at `url`: a path, or s3://bucket/prefix. Nothing is opened before it is used."""

    def __init__(self, url: str, *, quiet_s: float = QUIET_S) -> None:
        self.url = url
        self.quiet_s = quiet_s
        self.on_disk = "://" not in url

    @property
    def shown(self) -> str:
        """The URL without its query."""
        return self.url.partition("?")[0].rstrip("/")

    @property
    def root(self) -> Path:
        """The folder on this machine's disks; FolderError for a bucket."""
        if not self.on_disk:
            raise FolderError(f"{self.shown} is no folder of this machine")
        return Path(self.url).expanduser().absolute()

    def exists(self) -> bool:
        """Whether the folder is there; a bucket's prefix always is. FolderError when that cannot be told."""
        if not self.on_disk:
            return True
        try:
            return self.root.is_dir()
        except OSError as error:
            raise FolderError(f"{self.shown} cannot be looked at ({error.strerror})") from error

    def listed(self) -> Listed:
        """The documents in it, ordered by path; none where there is no folder. FolderError when it cannot be read."""
        now, files, unsettled, left_out = time.time(), list[FoundFile](), list[FoundFile](), list[LeftOut]()
        for entry in sorted(self._disk() if self.on_disk else self._bucket(), key=lambda e: e.path):
            if entry.refused:
                left_out.append(LeftOut(FoundFile(entry.path, entry.size_bytes, entry.refused.reason), entry.refused))
                continue
            age = now - entry.changed_ns / 1e9
            changing = -FUTURE_S < age < self.quiet_s
            file = FoundFile(entry.path, entry.size_bytes, f"{entry.size_bytes}:{entry.changed_ns}")
            (unsettled if changing else files).append(file)
        return Listed(tuple(files), tuple(unsettled), tuple(left_out))

    def read(self, file: FoundFile) -> bytes | None:
        """The bytes of a listed file; None when it went, or is not any more what was listed. FolderError otherwise."""
        if self.on_disk:
            place = self.root / file.path
            return None if leads_out(place, self.root) else _read_on_disk(place, file)
        fs, base = self._store()
        try:
            with fs.open_input_stream(f"{base}/{file.path}", compression=None) as source:
                data: bytes = source.read()
        except FileNotFoundError:
            return None
        except (pa.ArrowException, OSError) as error:
            raise self._unusable(error) from error
        return data if len(data) == file.size_bytes else None

    def put(self, name: str, data: bytes) -> None:
        """Write a file at the top of the folder, whole or not at all. FolderError when it cannot be."""
        try:
            if not self.on_disk:
                fs, base = self._store()
                with fs.open_output_stream(f"{base}/{name}") as out:
                    out.write(data)
                return
            self.root.mkdir(parents=True, exist_ok=True)
            temporary = self.root / f".{uuid.uuid4().hex}.part"
            try:
                with temporary.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self.root / name)
            finally:
                temporary.unlink(missing_ok=True)
        except (pa.ArrowException, OSError) as error:
            raise self._unusable(error) from error

    def delete(self, path: str) -> None:
        """Delete a file; nothing happens when it is not there. FolderError when it cannot be."""
        try:
            if self.on_disk:
                (self.root / path).unlink(missing_ok=True)
                return
            fs, base = self._store()
            if fs.get_file_info(f"{base}/{path}").type == pafs.FileType.File:
                fs.delete_file(f"{base}/{path}")
        except (pa.ArrowException, OSError) as error:
            raise self._unusable(error) from error

    def settle(self, names: Iterable[str], *, longest_s: float = _WAIT_FOR_S) -> None:
        """Wait until files of these names, just written, would be listed."""
        written, ends = set(names), time.monotonic() + longest_s
        while any(file.name in written for file in self.listed().unsettled) and time.monotonic() < ends:
            time.sleep(0.2)

    # -- the two kinds of place ------------------------------------------------------------------------------------

    def _disk(self) -> Iterator[Entry]:
        if not self.exists():
            return
        try:
            yield from entries(self.root)
        except FileNotFoundError:  # it went in the meantime
            return
        except OSError as error:
            raise self._unusable(error) from error

    def _bucket(self) -> Iterator[Entry]:
        fs, base = self._store()
        try:
            selector = pafs.FileSelector(base, recursive=True, allow_not_found=True)
            found = [info for info in fs.get_file_info(selector) if info.type == pafs.FileType.File]
        except (pa.ArrowException, OSError) as error:
            raise self._unusable(error) from error
        for info in found:
            path = _text(lambda info=info: info.path)  # type: ignore[misc]
            if path is not None and not is_passed_over(path := path[len(base) + 1 :]):
                yield Entry(path, int(info.size), int(info.mtime_ns or 0))

    def _store(self) -> tuple[Any, str]:
        try:
            fs, base = pafs.FileSystem.from_uri(self.url)
        except (pa.ArrowException, ValueError, OSError) as error:
            raise self._unusable(error) from error
        return fs, base.rstrip("/")

    def _unusable(self, error: BaseException) -> FolderError:
        said = " ".join(str(error).split())[:300]
        return FolderError(
            f"the documents at {self.shown} cannot be reached ({type(error).__name__}: {said}); check EXO_DOCUMENTS "
            "and the rights on it"
        )


def _read_on_disk(place: Path, file: FoundFile) -> bytes | None:
    try:
        with open_file(place) as source:
            data = source.read(file.size_bytes + 1)
            after = os.fstat(source.fileno())
    except (FileNotFoundError, NotAFileError):
        return None
    except OSError as error:
        raise FolderError(f"{place} cannot be read ({error.strerror}); check the rights on it") from error
    same = f"{after.st_size}:{after.st_mtime_ns}" == file.fingerprint and len(data) == file.size_bytes
    return data if same else None


def _text(get: Callable[[], T]) -> T | None:
    """What `get` gives; None when it is a name that is no text."""
    try:
        return get()
    except UnicodeDecodeError:
        return None
