"""What lies below a folder of this machine: files, and what only has the name of a document.

Belongs here: walking, opening, and what is refused for what it is: no file, a link that leads out, no rights. Does not
belong here: names and bytes of documents (`exo_assets.corpus.read_document`), the watched folder
(`document_folder.py`).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from exo_assets.corpus.document import Rejected
from exo_assets.corpus.plain_text import shown
from exo_assets.corpus.read_document import SUFFIXES

UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".swp", "~")
"""Ends of names of files that are still being written."""

_GONE = (errno.ENOENT, errno.ENOTDIR)


class NotAFileError(OSError):
    """What was opened is a folder, a pipe, a socket or a device."""


@dataclass(frozen=True)
class Entry:
    """Something below a folder, with slashes in its `path`: a file, unless `refused` says why none can be read."""

    path: str
    size_bytes: int = 0
    changed_ns: int = 0
    refused: Rejected | None = None


def entries(root: Path) -> Iterator[Entry]:
    """Every file below `root`, and whatever else is named like a document or cannot be looked at.

    Links to folders are not followed. OSError when `root` itself cannot be listed; a folder below it that cannot be is
    an entry.
    """
    failed = list[OSError]()
    for folder, folders, names in os.walk(root, onerror=failed.append):
        for name in (*folders, *names):
            path = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
            if not is_passed_over(path) and (entry := _entry(root, path)):
                yield entry
        folders[:] = sorted(name for name in folders if not name.startswith("."))
    for error in failed:
        if error.filename in (None, str(root)):
            raise error
        if error.errno not in _GONE:
            path = os.path.relpath(error.filename, root).replace(os.sep, "/")
            yield Entry(path, refused=_unreadable(path, error))


def is_passed_over(path: str) -> bool:
    """Whether a file of that path is never listed: hidden, or still being written by its name."""
    return any(part.startswith(".") for part in path.split("/")) or path.lower().endswith(UNFINISHED)


def leads_out(place: Path, root: Path) -> bool:
    """Whether `place`, all links followed, lies outside of `root`."""
    return not Path(os.path.realpath(place)).is_relative_to(os.path.realpath(root))


def open_file(place: Path) -> BinaryIO:
    """A regular file to read from; NotAFileError for anything else, whose writer is not waited for."""
    descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotAFileError(errno.EINVAL, "it is no regular file", str(place))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def no_file(path: str, what: str = "a pipe, a socket or a device") -> Rejected:
    """Why nothing is read from `path`, which is `what`."""
    return _rejected(path, "not_a_file", f"is {what}, not a file; put the document itself there")


def _entry(root: Path, path: str) -> Entry | None:
    """The entry at `path`; None for what is neither a file nor named like a document, or went."""
    place, refused, is_link = root / path, None, False
    named = path.lower().endswith(tuple(SUFFIXES))
    try:
        is_link = place.is_symlink()
        found = place.stat()
    except OSError as error:
        if error.errno == errno.ELOOP or (error.errno in _GONE and is_link):
            refused = no_file(path, "a link that leads nowhere") if named else None
        elif error.errno not in _GONE:
            refused = _unreadable(path, error)
        return Entry(path, refused=refused) if refused else None
    if stat.S_ISREG(found.st_mode):
        if is_link and leads_out(place, root):
            refused = _rejected(path, "leads_out", "is a link that leads out of the folder; copy the file itself there")
        return Entry(path, found.st_size, found.st_mtime_ns, refused)
    if not named:
        return None
    return Entry(path, refused=no_file(path, "a folder") if stat.S_ISDIR(found.st_mode) else no_file(path))


def _unreadable(path: str, error: OSError) -> Rejected:
    return _rejected(path, "unreadable", f"cannot be looked at ({error.strerror or error}); check the rights on it")


def _rejected(path: str, reason: str, problem: str) -> Rejected:
    return Rejected(shown(path), "file", reason, f"{shown(path)}: {problem}")
