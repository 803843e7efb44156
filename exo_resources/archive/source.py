"""Which copy of an archive table is used, and why.

Belongs here: the order of sources in each mode, what an outage leads to, and keeping what was fetched.
Does not belong here: transfers (`tap.py`, `mirror.py`) and checks of content (`content.py`).

| EXO_ARCHIVE | asked, in order | when all of them fail |
| --- | --- | --- |
| auto | live, then the mirror if one is set | last good copy, else the shipped snapshot, else absent |
| live | live | last good copy, else absent |
| mirror | the mirror | last good copy, else absent; the error if the mirror is not set or is no mirror |
| snapshot | the shipped snapshot | absent |

A last good copy came from the archive or a mirror and passed every check. `absent` is a table without rows: the night
goes on without it, and a check says so. What came and was refused is kept apart for inspection.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any, TypeVar

import polars as pl

from exo_assets.archive.contracts import RAW_CONTRACTS, RawContract
from exo_assets.archive.parse import as_of
from exo_assets.archive.refused import keep_refused
from exo_assets.archive.rows import separated
from exo_assets.archive.snapshot.shipped import ORIGIN, SHIPPED, shipped_csv
from exo_assets.archive.snapshots import (
    RawSnapshot,
    SnapshotCorruptError,
    read_snapshot,
    retire,
    snapshots,
    store_snapshot,
)
from exo_assets.catalogs.plausible import unfit
from exo_resources.archive.content import checked_rows, kept_for_inspection
from exo_resources.archive.copies import Copy, now
from exo_resources.archive.errors import (
    ArchiveError,
    ArchiveHeaderError,
    ArchiveMirrorError,
    ArchiveRowsError,
    ArchiveSettingError,
    ArchiveShrunkError,
    ArchiveUnreachableError,
    Attempt,
)
from exo_resources.archive.mirror import Mirror, open_mirror
from exo_resources.archive.tap import TapService
from exo_resources.archive.transfer import sweep
from exo_resources.lake import Lake
from exo_resources.settings import Settings

T = TypeVar("T")

log = logging.getLogger("exo.archive")

UNREACHABLE_FOR_S = 300.0
"""For how long a source that could not be reached is not asked again, seconds: five tables need not wait in turn."""

COLUMNS_GONE = (
    "adapt exo_assets/catalogs/layouts.py if the archive renamed one; if they were really withdrawn, set "
    "EXO_ARCHIVE_SHRINK=1 for one run"
)


@dataclass(frozen=True)
class Fetched:
    """One archive table as it is to be used now.

    `frame` has each key once, in the order of the keys; `quarantined` rows of the copy were set aside as repeated.
    `source` is live, mirror, last_good, snapshot or absent. `origin` says where the bytes first came from and
    `retrieved_at` when; `as_of` (ISO date) dates their content; `key` is their place in the lake. All are empty for an
    absent table. `attempts` lists the sources that were asked before and why each failed.
    """

    table: str
    source: str
    frame: pl.DataFrame
    attempts: tuple[Attempt, ...] = ()
    url: str = ""
    origin: str = ""
    as_of: str = ""
    retrieved_at: str = ""
    sha256: str = ""
    key: str = ""
    quarantined: int = 0

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.frame.height

    @property
    def reason(self) -> str:
        """Why an earlier source was not used; empty when the first one was."""
        return "; ".join(f"{a.source}: {a.error}: {a.message}" for a in self.attempts)

    @property
    def notes(self) -> dict[str, Any]:
        """What travels with the table in the lake. The same bytes from the same source give the same notes."""
        return {
            "source": self.source,
            "origin": self.origin,
            "as_of": self.as_of,
            "retrieved_at": self.retrieved_at,
            "sha256": self.sha256,
            "url": self.url,
            "key": self.key,
            "rows": self.rows,
            "quarantined": self.quarantined,
            "reason": self.reason,
            "attempts": [asdict(a) for a in self.attempts],
        }


class ArchiveSource:
    """The archive's tables under `settings`. `lake` is where copies are kept; the settings' own when not given."""

    def __init__(self, settings: Settings, lake: Lake | None = None) -> None:
        self.settings = settings
        self.lake = lake or Lake(settings.lake)
        self._scratch = settings.home / "tmp" / "archive"
        self._down: dict[str, tuple[float, ArchiveUnreachableError]] = {}

    def fetch(self, table: str) -> Fetched:
        """The best copy of `table` that the mode allows; it is in the lake when this returns.

        Raises ArchiveMirrorError when there is no copy and the mirror is not set or is no mirror: that is a setting to
        be corrected. Whatever else goes wrong with a table leaves the last good copy, or none.
        """
        contract = _contract(table)
        sweep(self._scratch)
        if self.settings.archive == "snapshot":
            return self._shipped(contract, ()) or self._absent(contract, (_not_shipped(contract),))
        attempts = list[Attempt]()
        failure: ArchiveError | None = None
        for source, get in self._outside():
            try:
                copy = self._guarded(source, table, partial(get, contract))
                self._refuse_unfit(contract, copy, source)
            except ArchiveError as error:
                log.warning("%s failed for %s: %s", source, table, error)
                attempts.append(Attempt.failed(source, error))
                self._keep_refused(table, source, error)
                failure = error
            else:
                return self._newer(contract, copy, source, attempts) or self._keep(
                    contract, copy, source, tuple(attempts)
                )
        assert failure is not None
        found = self._last_good(contract, attempts)
        if found is None and self.settings.archive == "auto":
            found = self._shipped(contract, tuple(attempts))
            if found is None:
                attempts.append(_not_shipped(contract))
        if found is not None:
            log.warning("%s: using %s, %d rows as of %s", table, found.source, found.rows, found.as_of)
            return found
        if isinstance(failure, ArchiveMirrorError) and self.settings.archive == "mirror":
            raise failure
        return self._absent(contract, tuple(attempts))

    def fingerprint(self, table: str) -> str:
        """A value that changes when the source's `table` changes, for the price of one small question.

        Live: the number of rows and the newest row update; mirror: ETag, or size and date of the file; snapshot: its
        SHA-256. Raises a named ArchiveError when no source of the mode (last good copies aside) can be asked.
        """
        contract = _contract(table)
        if self.settings.archive == "snapshot":
            shipped = hashlib.sha256(shipped_csv(table)).hexdigest() if table in SHIPPED else "absent"
            return f"snapshot:{shipped}"
        failure: ArchiveError | None = None
        probes: dict[str, Callable[[], str]] = {
            "live": lambda: self._live.probe(contract),
            "mirror": lambda: self._mirror(table).probe(contract),
        }
        for source, _ in self._outside():
            try:
                return f"{source}:{self._guarded(source, table, probes[source])}"
            except ArchiveError as error:
                log.info("%s cannot be asked about %s: %s", source, table, error)
                failure = error
        assert failure is not None
        raise failure

    # -- sources -----------------------------------------------------------------------------------------------

    @cached_property
    def _live(self) -> TapService:
        s = self.settings
        return TapService(
            s.archive_url,
            self._scratch,
            timeout_s=s.archive_timeout_s,
            connect_timeout_s=s.archive_connect_timeout_s,
            attempts=s.archive_attempts,
        )

    def _mirror(self, table: str) -> Mirror:
        s = self.settings
        if not s.archive_mirror:
            raise ArchiveMirrorError(table, "EXO_ARCHIVE=mirror, but EXO_ARCHIVE_MIRROR is not set")
        return open_mirror(
            s.archive_mirror,
            self._scratch,
            timeout_s=s.archive_timeout_s,
            connect_timeout_s=s.archive_connect_timeout_s,
            attempts=s.archive_attempts,
        )

    def _outside(self) -> list[tuple[str, Callable[[RawContract], Copy]]]:
        """Sources outside the lake that the mode asks, in order."""
        live: tuple[str, Callable[[RawContract], Copy]] = ("live", self._live.fetch)
        mirror: tuple[str, Callable[[RawContract], Copy]] = ("mirror", lambda c: self._mirror(c.archive_table).fetch(c))
        if self.settings.archive == "live":
            return [live]
        if self.settings.archive == "mirror":
            return [mirror]
        return [live, mirror] if self.settings.archive_mirror else [live]

    def _guarded(self, source: str, table: str, ask: Callable[[], T]) -> T:
        """`ask`, unless the source could not be reached a moment ago."""
        until, seen = self._down.get(source, (0.0, None))
        if seen is not None and time.monotonic() < until:
            raise ArchiveUnreachableError(table, seen.problem)
        try:
            return ask()
        except ArchiveUnreachableError as error:
            self._down[source] = (time.monotonic() + UNREACHABLE_FOR_S, error)
            raise

    # -- copies ------------------------------------------------------------------------------------------------

    def _keep(self, contract: RawContract, copy: Copy, source: str, attempts: tuple[Attempt, ...]) -> Fetched:
        """Store a checked copy and describe it."""
        kept = store_snapshot(
            self.lake,
            contract.archive_table,
            copy.data,
            copy.frame,
            as_of=_dated(contract, copy),
            source=source,
            url=copy.url,
            retrieved_at=now(),
        )
        level = logging.WARNING if attempts or source == "snapshot" else logging.INFO
        log.log(level, "%s: %d rows as of %s from %s (%s)", kept.table, kept.rows, kept.as_of, source, copy.url)
        current = self.lake.version(contract.name)
        in_use = [kept.key, str(current.notes.get("key", ""))] if current else [kept.key]
        for old in retire(self.lake, contract.archive_table, self.settings.raw_snapshots_kept, in_use):
            log.info("%s: the copy %s is beyond the %d that stay", old.table, old.key, self.settings.raw_snapshots_kept)
        return _described(kept, copy.frame, source, attempts, url=copy.url)

    def _refuse_unfit(self, contract: RawContract, copy: Copy, source: str) -> None:
        """A named ArchiveError when a sound copy is a step back from the one in use, or no catalogue can be made of it:
        more rows are gone than the settings allow, columns that are read are gone though it came from the same source,
        or its values are not those of transits."""
        current = self.lake.version(contract.name)
        in_use = current.rows if current else 0
        found = separated(contract, copy.frame).rows
        lost = 1 - found.height / in_use if in_use else 0.0
        with kept_for_inspection(copy.data):
            if lost > self.settings.archive_shrink:
                raise ArchiveShrunkError(
                    contract.archive_table,
                    f"{found.height:,} rows came from {copy.url}, {lost:.0%} fewer than the {in_use:,} in use",
                )
            if current and in_use and current.notes.get("origin") == source and self.settings.archive_shrink < 1:
                columns = self.lake.read(contract.name).columns
                if gone := contract.lost(copy.frame.columns, columns):
                    new = [name for name in copy.frame.columns if name not in columns]
                    problem = f"missing columns {gone}, which the copy in use has (new: {new[:6]})"
                    raise ArchiveHeaderError(contract.archive_table, problem, remedy=COLUMNS_GONE)
            if problems := unfit(contract.archive_table, found):
                raise ArchiveRowsError(contract.archive_table, "; ".join(problems))

    def _keep_refused(self, table: str, source: str, error: ArchiveError) -> None:
        """Keep what was refused for inspection, where any of it is known."""
        if error.sent is None or not error.is_content:
            return
        kept = keep_refused(
            self.lake,
            table,
            error.sent,
            source=source,
            error=type(error).__name__,
            reason=error.problem,
            remedy=error.cure,
            refused_at=now(),
        )
        log.warning("%s: what %s sent is kept at %s", table, source, kept.key)

    def _newer(self, contract: RawContract, copy: Copy, source: str, attempts: list[Attempt]) -> Fetched | None:
        """The last good copy, when `copy` only stands in for a failed source and is older: no step back."""
        if not attempts:
            return None
        dated = _dated(contract, copy)
        older = Attempt(source, "Older", f"its copy is of {dated}, older than the last good one")
        kept = self._last_good(contract, [*attempts, older])
        return kept if kept is not None and kept.as_of > dated else None

    def _last_good(self, contract: RawContract, attempts: list[Attempt]) -> Fetched | None:
        """The copy in use, or else the newest, that came from the archive or a mirror and is still intact.

        Where no snapshot is left it is the table itself that is kept.
        """
        current = self.lake.version(contract.name)
        in_use = current.notes.get("sha256") if current else None
        good = [s for s in snapshots(self.lake, contract.archive_table) if s.source != "snapshot"]
        good.sort(key=lambda s: (s.sha256 == in_use, s.retrieved_at, s.as_of), reverse=True)
        for kept in good:
            try:
                frame = read_snapshot(self.lake, kept)
            except SnapshotCorruptError as error:
                log.warning("%s", error)
                attempts.append(Attempt("last_good", type(error).__name__, str(error)))
                continue
            return _described(kept, frame, "last_good", tuple(attempts))
        if current is None or not current.rows or current.notes.get("origin") not in ("live", "mirror"):
            return None
        names = ("url", "origin", "as_of", "retrieved_at", "sha256", "key")
        url, origin, dated, retrieved_at, sha256, key = (str(current.notes.get(name, "")) for name in names)
        return Fetched(
            contract.archive_table,
            "last_good",
            self.lake.read(contract.name),
            tuple(attempts),
            url=url,
            origin=origin,
            as_of=dated,
            retrieved_at=retrieved_at,
            sha256=sha256,
            key=key,
        )

    def _shipped(self, contract: RawContract, attempts: tuple[Attempt, ...]) -> Fetched | None:
        """The table of the shipped snapshot, or None when it does not ship."""
        if contract.archive_table not in SHIPPED:
            return None
        data = shipped_csv(contract.archive_table)
        return self._keep(contract, Copy(data, checked_rows(contract, data), ORIGIN, None), "snapshot", attempts)

    def _absent(self, contract: RawContract, attempts: tuple[Attempt, ...]) -> Fetched:
        log.warning("%s: no source has it; the table is empty", contract.archive_table)
        return Fetched(contract.archive_table, "absent", contract.empty(), attempts)


def _contract(table: str) -> RawContract:
    try:
        return RAW_CONTRACTS[table]
    except KeyError:
        raise ArchiveSettingError(table, f"no such table; known are {sorted(RAW_CONTRACTS)}") from None


def _dated(contract: RawContract, copy: Copy) -> str:
    """ISO date of a copy: that of its newest row, else of the file, else today."""
    newest = as_of(copy.frame, contract.as_of_column) or copy.modified or datetime.now(UTC).date()
    return newest.isoformat()


def _not_shipped(contract: RawContract) -> Attempt:
    return Attempt(
        "snapshot",
        "ArchiveTableAbsentError",
        f"the shipped snapshot holds only {sorted(SHIPPED)}; set EXO_ARCHIVE_MIRROR or let Exo reach the archive to "
        f"have {contract.archive_table}",
    )


def _described(
    kept: RawSnapshot, frame: pl.DataFrame, source: str, attempts: tuple[Attempt, ...], url: str | None = None
) -> Fetched:
    split = separated(_contract(kept.table), frame)
    if split.aside.height:
        log.warning("%s: %d repeated rows are quarantined", kept.table, split.aside.height)
    return Fetched(
        table=kept.table,
        source=source,
        frame=split.rows,
        quarantined=split.aside.height,
        attempts=attempts,
        url=url or kept.url,
        origin=kept.source,
        as_of=kept.as_of,
        retrieved_at=kept.retrieved_at,
        sha256=kept.sha256,
        key=kept.key,
    )
