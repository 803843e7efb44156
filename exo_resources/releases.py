"""Releases: dated, immutable DuckDB files, one of them `current`.

Belongs here: publishing a release so that `current` names the old one or the new one and never anything else, pruning,
and verifying. A release is a folder `<id>/` with `exo.duckdb` and `manifest.json`; `current` is a symbolic link to it.
Does not belong here: what the tables mean (stages) or what may be asked of them (`query.py`).

The order of a publication is what makes a kill at any point harmless: build under a temporary name, check, flush,
rename the folder to its release id, then rename a new link over `current`. What a killed publisher left behind is
swept by the next one, under the same lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from exo_resources.duckdb_build import (
    DatabaseCheckError,
    ReleaseTable,
    build_database,
    check_database,
    duckdb_error,
    open_read_only,
)

DATABASE = "exo.duckdb"
MANIFEST = "manifest.json"
CURRENT = "current"
_LOCK = ".lock"
_BUILDING, _TRASH, _LINK = ".building-", ".trash-", ".current-"
_FORMAT = 1
_ID_TIME = "%Y%m%dT%H%M%SZ"
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")

__all__ = ["Manifest", "Publication", "Release", "ReleaseError", "ReleaseStore", "ReleaseTable"]


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
    format: int = _FORMAT

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


@dataclass(frozen=True)
class Publication:
    """What `publish` did: `is_new` is False when the current release already holds exactly this."""

    release: Release
    is_new: bool
    pruned: tuple[str, ...] = ()
    swept: tuple[str, ...] = ()


# `ReleaseStore.list` hides the built-in inside the class.
Names: TypeAlias = list[str]
Releases: TypeAlias = list[Release]

Validate = Callable[[Any], Sequence[str]]
"""Takes a read-only connection to the release being built; returns the reasons not to publish it."""


class ReleaseStore:
    """The releases below one folder; the last `keep` stay, the current one always."""

    def __init__(self, folder: Path | str, keep: int = 5, *, lock_timeout_s: float = 600.0) -> None:
        if keep < 1:
            raise ValueError(f"keep must be at least 1 release, not {keep}")
        self.folder = Path(folder)
        self.keep = keep
        self.lock_timeout_s = lock_timeout_s

    # -- publishing --------------------------------------------------------------------------------------------

    def publish(
        self,
        tables: Iterable[ReleaseTable],
        info: Mapping[str, Any] | None = None,
        *,
        validate: Validate | None = None,
    ) -> Publication:
        """Publish `tables` as a new release and switch `current` to it.

        Nothing is built when the current release is intact and holds the same data versions and comments. `validate`
        sees the finished database before the switch; any reason it gives stops the publication. ReleaseError when
        anything fails: `current` is then what it was.
        """
        wanted = list(tables)
        twice = sorted({t.name for t in wanted if [o.name for o in wanted].count(t.name) > 1})
        if not wanted or twice:
            raise ReleaseError(f"a release needs tables, each once; given {len(wanted)}, repeated: {twice}")
        with self._errors_named("publish a release in"):
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._lock():
                return self._publish(wanted, dict(info or {}), validate)

    def _publish(self, tables: list[ReleaseTable], info: dict[str, Any], validate: Validate | None) -> Publication:
        content = _content(tables)
        live = self._current_or_none()
        swept = self._sweep()
        if live and live.manifest.content == content and not self.problems(live):
            swept += self._drop_unannounced(live)
            return Publication(live, is_new=False, swept=tuple(swept))
        adopted = self._unannounced(live, content)
        swept += self._drop_unannounced(live, but=adopted)
        release = adopted or self._build(tables, content, info, validate)
        self._switch(release)
        pruned = self._prune(release)
        return Publication(release, is_new=True, pruned=tuple(pruned), swept=tuple(swept))

    def _build(
        self, tables: list[ReleaseTable], content: str, info: dict[str, Any], validate: Validate | None
    ) -> Release:
        release_id = self._next_id(content)
        building = self.folder / f"{_BUILDING}{uuid.uuid4().hex}"
        building.mkdir()
        try:
            database = building / DATABASE
            rows = build_database(database, tables)
            differing = {t.name: (t.rows, rows[t.name]) for t in tables if t.rows != rows[t.name]}
            if differing:
                raise ReleaseError(f"rows announced and rows read differ: {differing}; the inputs changed meanwhile")
            check_database(database, rows)
            columns = self._examine(database, validate)
            manifest = Manifest(
                release=release_id,
                created_at=datetime.now(UTC).isoformat(timespec="seconds"),
                content=content,
                sha256=_sha256(database),
                bytes=database.stat().st_size,
                tables={t.name: {"rows": rows[t.name], "digest": t.digest, "columns": columns[t.name]} for t in tables},
                info=info,
            )
            _write(building / MANIFEST, json.dumps(asdict(manifest), indent=2, sort_keys=True, default=str))
            database.chmod(0o444)
            _sync(building)
            folder = self.folder / release_id
            building.rename(folder)
            _sync(self.folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return Release(release_id, folder, manifest)

    @staticmethod
    def _examine(database: Path, validate: Validate | None) -> dict[str, int]:
        connection = open_read_only(database)
        try:
            reasons = list(validate(connection)) if validate else []
            if reasons:
                raise ReleaseError("the new release did not pass its tests: " + "; ".join(reasons))
            counted = connection.execute("SELECT table_name, column_count FROM duckdb_tables()").fetchall()
            return {str(name): int(columns) for name, columns in counted}
        finally:
            connection.close()

    def _switch(self, release: Release) -> None:
        link = self.folder / f"{_LINK}{uuid.uuid4().hex}"
        link.symlink_to(release.id)
        try:
            os.replace(link, self.folder / CURRENT)
        finally:
            link.unlink(missing_ok=True)
        _sync(self.folder)

    def _next_id(self, content: str) -> str:
        """UTC time and a digest; later than every release present even when the clock went back."""
        now = datetime.now(UTC).replace(microsecond=0)
        newest = max((i.split("-")[0] for i in self._ids()), default="")
        if newest and now.strftime(_ID_TIME) <= newest:
            now = datetime.strptime(newest, _ID_TIME).replace(tzinfo=UTC) + timedelta(seconds=1)
        return f"{now.strftime(_ID_TIME)}-{content[:8]}"

    # -- tidying -----------------------------------------------------------------------------------------------

    def _sweep(self) -> Names:
        """Remove what a killed publisher left under temporary names."""
        left = sorted(p for p in self.folder.iterdir() if p.name.startswith((_BUILDING, _TRASH, _LINK)))
        for path in left:
            if path.is_symlink() or not path.is_dir():
                path.unlink(missing_ok=True)
            else:
                shutil.rmtree(path)
        return [p.name for p in left]

    def _newer(self, live: Release | None) -> Names:
        return [i for i in self._ids() if live is None or i > live.id]

    def _unannounced(self, live: Release | None, content: str) -> Release | None:
        """A complete release that its publisher did not live to switch to, if it is the one wanted now."""
        for release_id in reversed(self._newer(live)):
            with suppress(ReleaseError):
                found = self._load(release_id)
                if found.manifest.content == content and not self.problems(found):
                    return found
        return None

    def _drop_unannounced(self, live: Release | None, but: Release | None = None) -> Names:
        """Releases newer than the current one were never current: nobody can be relying on them.

        Without a current release (its link was lost) nothing is dropped; the next switch supersedes and prunes.
        """
        if live is None:
            return []
        dropped = [i for i in self._newer(live) if but is None or i != but.id]
        for release_id in dropped:
            self._remove(release_id)
        return dropped

    def _prune(self, live: Release) -> Names:
        """Remove all but the last `keep`. Whoever holds an old file open keeps reading it."""
        pruned = [i for i in self._ids()[: -self.keep] if i != live.id]
        for release_id in pruned:
            self._remove(release_id)
        return pruned

    def _remove(self, release_id: str) -> None:
        # Renamed first: a half-removed folder must not look like a release.
        trash = self.folder / f"{_TRASH}{uuid.uuid4().hex}"
        (self.folder / release_id).rename(trash)
        shutil.rmtree(trash)

    # -- reading -----------------------------------------------------------------------------------------------

    def current(self) -> Release | None:
        """The live release, or None when nothing was ever published."""
        link = self.folder / CURRENT
        if not link.is_symlink():
            return None
        return self._load(link.readlink().name)

    def open_current(self) -> Any:
        """A read-only DuckDB connection to the live release; ReleaseError with the remedy when there is none.

        The link is resolved first: a process that holds one release and asks again gets the newer one, not DuckDB's
        cached handle of the old.
        """
        for _ in range(3):
            release = self.current()
            if release is None:
                break
            try:
                return self.open(release)
            except ReleaseError:
                if release.database.exists():  # else it was pruned since: ask for the current one again
                    raise
        raise ReleaseError(f"there is no release in {self.folder} yet; run `exo run` to build and publish one")

    def find(self, release_id: str) -> Release | None:
        """The release with that id, or None when it is not there (any more)."""
        return self._load(release_id) if release_id in self._ids() else None

    @staticmethod
    def open(release: Release) -> Any:
        """A read-only DuckDB connection to one release; ReleaseError when it cannot be opened or was cut."""
        try:
            size = release.database.stat().st_size
        except OSError as missing:
            raise ReleaseError(f"release {release.id} cannot be opened: {missing}") from missing
        if size != release.manifest.bytes:
            raise ReleaseError(
                f"release {release.id} is damaged: {release.database} has {size} bytes, its manifest says "
                f"{release.manifest.bytes}; restore it, or remove the folder and run `exo run` to publish again"
            )
        try:
            return open_read_only(release.database.resolve())
        except duckdb_error() as broken:
            raise ReleaseError(f"release {release.id} cannot be opened: {broken}") from broken

    def problems(self, release: Release) -> Names:
        """Every way the files of `release` differ from its manifest; an empty list when they do not."""
        path, manifest = release.database, release.manifest
        try:
            size = path.stat().st_size
            if size != manifest.bytes:
                return [f"{path} has {size} bytes, the manifest says {manifest.bytes}"]
            digest = _sha256(path)
        except OSError as missing:
            return [f"{path} cannot be read: {missing}"]
        return [] if digest == manifest.sha256 else [f"{path} has sha256 {digest}, not {manifest.sha256}"]

    def verify(self, release: Release | str | None = None) -> Release:
        """Hold a release (default: the current one) against its manifest; ReleaseError when it differs."""
        if release is None:
            release = self.current()
            if release is None:
                raise ReleaseError(f"there is no release in {self.folder} yet; run `exo run`")
        elif isinstance(release, str):
            release = self._load(release)
        problems = self.problems(release)
        if not problems:
            try:
                check_database(release.database.resolve(), release.manifest.rows)
            except (DatabaseCheckError, duckdb_error()) as broken:
                problems = [str(broken)]
        if problems:
            raise ReleaseError(
                f"release {release.id} is damaged: {'; '.join(problems)}; publish again (`exo run`) to replace it"
            )
        return release

    def _current_or_none(self) -> Release | None:
        """The live release; None also when its files are damaged beyond reading: publishing then replaces it."""
        try:
            return self.current()
        except ReleaseError:
            return None

    def _ids(self) -> Names:
        if not self.folder.is_dir():
            return []
        return sorted(p.name for p in self.folder.iterdir() if _is_release(p))

    def _load(self, release_id: str) -> Release:
        folder = self.folder / release_id
        try:
            stored = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            manifest = Manifest(**stored)
        except (OSError, ValueError, TypeError) as broken:
            raise ReleaseError(
                f"release {release_id!r} in {self.folder} has no readable manifest ({broken}); "
                "publish again (`exo run`)"
            ) from broken
        if manifest.format != _FORMAT:
            raise ReleaseError(
                f"release {release_id!r} has manifest format {manifest.format}, this Exo reads {_FORMAT}"
            )
        return Release(release_id, folder, manifest)

    def list(self) -> Releases:
        """All readable releases up to the current one, oldest first."""
        live = self._current_or_none()
        found = []
        for release_id in self._ids():
            if live is None or release_id <= live.id:
                with suppress(ReleaseError):  # damaged, or pruned between the listing and the reading
                    found.append(self._load(release_id))
        return found

    # -- one publisher at a time -------------------------------------------------------------------------------

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Held by one publisher, across processes; the kernel frees it when the holder dies."""
        descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            deadline = time.monotonic() + self.lock_timeout_s
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
                        raise ReleaseError(
                            f"process {holder} has been publishing in {self.folder} for more than "
                            f"{self.lock_timeout_s:g} s; wait for it or stop it, then publish again"
                        ) from None
                    time.sleep(0.05)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _errors_named(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (OSError, DatabaseCheckError, duckdb_error()) as broken:
            live = self._current_or_none()
            stays = f"release {live.id} stays current" if live else "there is still no release"
            raise ReleaseError(
                f"could not {doing} {self.folder}: {broken}. Nothing was switched, {stays}. "
                "Check free space and permissions there, then publish again"
            ) from broken


def _is_release(path: Path) -> bool:
    """By name, not by content: a release that lost its manifest still takes its id, and is pruned in its turn."""
    return bool(_ID.fullmatch(path.name)) and path.is_dir() and not path.is_symlink()


def _content(tables: Sequence[ReleaseTable]) -> str:
    described = sorted([t.name, t.digest, t.description, sorted(t.columns.items())] for t in tables)
    return hashlib.sha256(json.dumps([_FORMAT, described]).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())


def _sync(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
