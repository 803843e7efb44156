"""One published release on disk: what its manifest says, whether its files are still those that were published, and
reading it whoever else holds it.

Belongs here: one folder. Does not belong here: which release is current, publishing and pruning (`releases.py`), or
what may be asked (`query.py`).

Published files are read-only by mode, but root may write all the same: DuckDB opens them read-write for a process of
root, locks out every other one, and puts what is committed into a log beside the file or into the file. So the digest
in the manifest decides whether a release may be read. It is computed at the first look of a process and whenever size,
times or inode are other than then.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exo_resources.duckdb_build import DatabaseCheckError, check_tables, duckdb_error, open_read_only

DATABASE = "exo.duckdb"
MANIFEST = "manifest.json"
FORMAT = 1
_HELD = ("IOException", "ConnectionException")
"""DuckDB's errors for a file that another process, or another connection of this one, has open in another way."""


class ReleaseError(RuntimeError):
    """A release could not be published, found or trusted; the message says what stays in place and what to do."""


@dataclass(frozen=True)
class Manifest:
    """What a release holds. `content` identifies the data and its documentation; `sha256` is the database file's.

    `tables` maps each table to its rows, data version (`digest`) and columns; `info` is what the publisher adds:
    archive sources and dates, champion, code version.
    """

    release: str
    created_at: str
    content: str
    sha256: str
    bytes: int
    tables: Mapping[str, Mapping[str, Any]]
    info: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def rows(self) -> dict[str, int]:
        """Rows per table."""
        return {name: int(table["rows"]) for name, table in self.tables.items()}


@dataclass(frozen=True)
class Release:
    """One release on disk."""

    id: str
    folder: Path
    manifest: Manifest

    @property
    def database(self) -> Path:
        """The DuckDB file."""
        return self.folder / DATABASE


def load_release(folder: Path) -> Release:
    """The release in `folder`, which is named as it; ReleaseError without a manifest that can be read."""
    try:
        manifest = Manifest(**json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as broken:
        raise ReleaseError(
            f"release {folder.name!r} in {folder.parent} has no readable manifest ({broken}); publish again (`exo run`)"
        ) from broken
    if manifest.format != FORMAT:
        raise ReleaseError(f"release {folder.name!r} has manifest format {manifest.format}, this Exo reads {FORMAT}")
    if manifest.release != folder.name:
        raise ReleaseError(f"release {folder.name!r} has the manifest of release {manifest.release!r}")
    return Release(folder.name, folder, manifest)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


_seen: dict[tuple[str, int, int, int, int], str] = {}
"""Digests by path, inode, size, and times of the last change of content and of anything."""


def problems_of(release: Release, *, fully: bool = False) -> list[str]:
    """Every way the files of `release` differ from its manifest; an empty list when they do not.

    `fully` reads the file again even when nothing seems to have changed since the last look.
    """
    path, manifest = release.database, release.manifest
    logs = sorted(p.name for p in release.folder.glob(f"{DATABASE}*wal*"))
    if logs:
        return [f"{', '.join(logs)} lies beside {path}: a process has opened it for writing and committed a change"]
    try:
        about = path.stat()
        if about.st_size != manifest.bytes:
            return [f"{path} has {about.st_size} bytes, the manifest says {manifest.bytes}"]
        key = (str(path), about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
        if fully or key not in _seen:
            _seen[key] = sha256_of(path)
    except OSError as missing:
        return [f"{path} cannot be read: {missing}"]
    digest = _seen[key]
    return [] if digest == manifest.sha256 else [f"{path} has sha256 {digest}, not {manifest.sha256}"]


def open_release(release: Release) -> Any:
    """A read-only DuckDB connection to a release whose files are whole; ReleaseError, with what is wrong, when not.

    Where another process holds the file open for writing, or this one in another way, a copy is read that nobody else
    has a name of.
    """
    problems = problems_of(release)
    if problems:
        raise ReleaseError(
            f"release {release.id} is damaged: {'; '.join(problems)}; `exo run` sets it aside and publishes again"
        )
    try:
        return open_read_only(release.database.resolve())
    except duckdb_error() as broken:
        if type(broken).__name__ not in _HELD:
            raise ReleaseError(f"release {release.id} cannot be opened: {broken}") from broken
    return _open_copy(release)


def _open_copy(release: Release) -> Any:
    folder = Path(tempfile.mkdtemp(prefix="exo-release-"))
    try:
        copy = folder / DATABASE
        shutil.copyfile(release.database, copy)
        if sha256_of(copy) != release.manifest.sha256:
            raise ReleaseError(f"release {release.id} is damaged: {release.database} was changed while it was read")
        return open_read_only(copy)
    except (OSError, duckdb_error()) as broken:
        raise ReleaseError(f"release {release.id} cannot be opened: {broken}") from broken
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # the connection keeps the file; nobody else can find it


def verified(release: Release) -> Release:
    """The release, held against its manifest byte for byte and row for row; ReleaseError when it differs."""
    problems = problems_of(release, fully=True)
    if not problems:
        connection = open_release(release)
        try:
            check_tables(connection, release.database, release.manifest.rows)
        except DatabaseCheckError as broken:
            problems = [str(broken)]
        finally:
            connection.close()
    if problems:
        raise ReleaseError(
            f"release {release.id} is damaged: {'; '.join(problems)}; publish again (`exo run`) to replace it"
        )
    return release
