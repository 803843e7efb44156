"""Releases: dated, immutable DuckDB files, one of them `current`.

Belongs here: publishing a release so that `current` names the old one or the new one and never anything else, setting
aside what was changed since, and pruning. A release is a folder `<id>/` with `exo.duckdb` and `manifest.json`;
`current` is a symbolic link to it.
Does not belong here: one release's files (`release_files.py`), what the tables mean (stages) or what may be asked of
them (`query.py`).

The order of a publication is what makes a kill at any point harmless: build under a temporary name, check, flush,
rename the folder to its release id, then rename a new link over `current`. What a killed publisher left behind is
swept by the next one, under the same lock.

A release whose files are no longer those that were published is renamed to `changed-<id>`, is never read or removed,
and the last whole one becomes current: by whoever notices it and may write here.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass
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
from exo_resources.release_files import (
    DATABASE,
    FORMAT,
    MANIFEST,
    Manifest,
    Release,
    ReleaseError,
    load_release,
    open_release,
    problems_of,
    sha256_of,
    verified,
)
from exo_resources.release_lock import publisher_lock

CURRENT = "current"
_LOCK = ".lock"
_BUILDING, _TRASH, _LINK = ".building-", ".trash-", ".current-"
CHANGED = "changed-"
_READERS_WAIT_S = 1.0
_ID_TIME = "%Y%m%dT%H%M%SZ"
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")

_log = logging.getLogger(__name__)

__all__ = ["MANIFEST", "Manifest", "Publication", "Release", "ReleaseError", "ReleaseStore", "ReleaseTable"]


@dataclass(frozen=True)
class Publication:
    """What `publish` did: `is_new` is False when the current release already holds exactly this. `set_aside` says, in
    words, which releases had been changed since they were published and where their files are now."""

    release: Release
    is_new: bool
    pruned: tuple[str, ...] = ()
    swept: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()


# `ReleaseStore.list` hides the built-in inside the class.
Names: TypeAlias = list[str]
Releases: TypeAlias = list[Release]
Paths: TypeAlias = list[Path]

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
        aside = tuple(self._set_changed_aside())
        live = self._current_or_none()
        swept = self._sweep()
        if live and live.manifest.content == content:
            swept += self._drop_unannounced(live)
            return Publication(live, is_new=False, swept=tuple(swept), set_aside=aside)
        adopted = self._unannounced(live, content)
        swept += self._drop_unannounced(live, but=adopted)
        release = adopted or self._build(tables, content, info, validate)
        self._switch(release)
        pruned = self._prune(release)
        return Publication(release, is_new=True, pruned=tuple(pruned), swept=tuple(swept), set_aside=aside)

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
                sha256=sha256_of(database),
                bytes=database.stat().st_size,
                tables={t.name: {"rows": rows[t.name], "digest": t.digest, "columns": columns[t.name]} for t in tables},
                info=info,
            )
            _write(building / MANIFEST, json.dumps(asdict(manifest), indent=2, sort_keys=True, default=str))
            for path in (database, building / MANIFEST):
                path.chmod(0o444)
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
        current = self.folder / CURRENT
        try:
            if current.exists() and not current.is_symlink():  # somebody put a copy where the link was
                current.rename(self._free_name(f"{CHANGED}{CURRENT}"))
            os.replace(link, current)
        finally:
            link.unlink(missing_ok=True)
        _sync(self.folder)

    def _next_id(self, content: str) -> str:
        """UTC time and a digest; later than every release present even when the clock went back."""
        now = datetime.now(UTC).replace(microsecond=0)
        taken = [*self._ids(), *(p.name.removeprefix(CHANGED) for p in self.set_aside())]
        newest = max((i.split("-")[0] for i in taken if _ID.match(i)), default="")
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
                found = load_release(self.folder / release_id)
                if found.manifest.content == content and not problems_of(found):
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

    # -- what was changed since --------------------------------------------------------------------------------

    def _set_changed_aside(self) -> Names:
        """Rename every release that stays whose files are not those that were published, in words what and where to;
        `current` is the last whole one then. Only under the lock."""
        link = self.folder / CURRENT
        live = link.readlink().name if link.is_symlink() else None
        aside = []
        ids = self._ids()
        for release_id in sorted({*ids[-self.keep :], *(i for i in ids if i == live)}):
            problems = self._problems(release_id)
            if problems:
                place = self._free_name(f"{CHANGED}{release_id}")
                (self.folder / release_id).rename(place)
                aside.append(f"release {release_id} was changed ({'; '.join(problems)}); set aside as {place}")
        for said in aside:
            _log.warning("%s", said)
        if live is not None and live not in self._ids():
            whole = self._last_whole(live)
            if whole:
                self._switch(whole)
            else:
                link.unlink()
                _sync(self.folder)
        return aside

    def _problems(self, release_id: str) -> Names:
        try:
            return problems_of(load_release(self.folder / release_id), fully=True)
        except ReleaseError as broken:
            return [str(broken)]

    def _last_whole(self, before: str) -> Release | None:
        for release_id in reversed(self._ids()):
            if release_id < before and not self._problems(release_id):
                return load_release(self.folder / release_id)
        return None

    def _free_name(self, name: str) -> Path:
        taken = (self.folder / name).exists()
        return self.folder / (f"{name}-{uuid.uuid4().hex[:8]}" if taken else name)

    def set_aside(self) -> Paths:
        """Where releases lie that were changed after their publication; nothing here reads or removes them."""
        return sorted(self.folder.glob(f"{CHANGED}*")) if self.folder.is_dir() else []

    # -- reading -----------------------------------------------------------------------------------------------

    def current(self) -> Release | None:
        """The live release as its manifest says, or None when nothing was ever published; the files are not looked at
        (`serving` does)."""
        link = self.folder / CURRENT
        if not link.is_symlink():
            return None
        return load_release(self.folder / link.readlink().name)

    def serving(self, *, fully: bool = False) -> Release | None:
        """The release to read: the live one, or the last whole one when the live one was changed after its publication.

        What was changed is set aside where this process may do so, and named in the log. `fully` reads the file even
        when nothing seems to have changed since this process looked last. None when nothing was ever published;
        ReleaseError when no release is whole.
        """
        link = self.folder / CURRENT
        if not link.is_symlink():
            return None
        live = link.readlink().name
        try:
            release = load_release(self.folder / live)
            problems = problems_of(release, fully=fully)
            if not problems:
                return release
        except ReleaseError as broken:
            problems = [str(broken)]
        try:
            with self._lock(min(_READERS_WAIT_S, self.lock_timeout_s)):
                self._set_changed_aside()
        except (OSError, ReleaseError) as kept:  # read-only for us, or a publisher is at it
            _log.warning("release %s was changed (%s) and cannot be set aside: %s", live, "; ".join(problems), kept)
        moved = self._current_or_none()
        whole = moved if moved and not problems_of(moved) else self._last_whole(live)
        if whole is None:
            raise ReleaseError(
                f"release {live} in {self.folder} is damaged and no other is whole: {'; '.join(problems)}; "
                "`exo run` publishes again"
            )
        _log.warning("release %s was changed after its publication; the last whole one, %s, is read", live, whole.id)
        return whole

    def open_current(self) -> Any:
        """A read-only DuckDB connection to the release that `serving` names; ReleaseError with the remedy when there is
        none.

        The link is resolved first: a process that holds one release and asks again gets the newer one, not DuckDB's
        cached handle of the old.
        """
        for last in (False, False, True):
            release = self.serving()
            if release is None:
                break
            try:
                return self.open(release)
            except ReleaseError:
                if last:  # else it was pruned or changed since: ask for the current one again
                    raise
        raise ReleaseError(self._none_yet())

    def _none_yet(self) -> str:
        aside = ", ".join(path.name for path in self.set_aside())
        why = f" (changed after their publication and set aside: {aside})" if aside else " yet"
        return f"there is no release in {self.folder}{why}; run `exo run` to build and publish one"

    def find(self, release_id: str) -> Release | None:
        """The release with that id, or None when it is not there (any more)."""
        return load_release(self.folder / release_id) if release_id in self._ids() else None

    @staticmethod
    def open(release: Release) -> Any:
        """A read-only DuckDB connection to one release; ReleaseError when it is not what was published."""
        return open_release(release)

    def verify(self, release: Release | str | None = None) -> Release:
        """Hold a release (default: the current one) against its manifest; ReleaseError when it differs."""
        if release is None:
            release = self.current()
            if release is None:
                raise ReleaseError(self._none_yet())
        elif isinstance(release, str):
            release = load_release(self.folder / release)
        return verified(release)

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

    def list(self) -> Releases:
        """All readable releases up to the current one, oldest first."""
        live = self._current_or_none()
        found = []
        for release_id in self._ids():
            if live is None or release_id <= live.id:
                with suppress(ReleaseError):  # damaged, or pruned between the listing and the reading
                    found.append(load_release(self.folder / release_id))
        return found

    # -- one publisher at a time -------------------------------------------------------------------------------

    def _lock(self, timeout_s: float | None = None) -> AbstractContextManager[None]:
        return publisher_lock(self.folder / _LOCK, self.lock_timeout_s if timeout_s is None else timeout_s)

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
    return hashlib.sha256(json.dumps([FORMAT, described]).encode()).hexdigest()


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
