"""Light-curve files into the lake: fetched, checked, and kept or quarantined.

Belongs here: one file's way, and what is recorded of it. Does not belong here: which files there are (`source.py`).

A file counts when it is whole (its length is what the source says, its units, checksums) and holds the star that its
name says. It is put into the lake under its final key at once, so that a killed run leaves whole files only: the next
one finds them there, checks them again and asks for the others.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.records import Record
from exo_assets.lightcurves.sample.shipped import shipped_files
from exo_assets.lightcurves.stored import read_curve
from exo_resources.archive.errors import (
    ArchiveError,
    ArchiveTruncatedError,
    ArchiveUnreachableError,
    Asked,
)
from exo_resources.archive.transfer import Deadline, download, http_client, sweep, with_retries
from exo_resources.lake import Lake
from exo_resources.mast.crew import Outage, side_by_side
from exo_resources.mast.files import Available, asked
from exo_resources.mast.outcome import QUARANTINE, RAW, failed_record, kept_record, lake_key, weighed
from exo_resources.settings import Settings

if TYPE_CHECKING:
    import httpx

log = logging.getLogger("exo.mast")

REPAIRABLE = frozenset(("not_fits", "truncated", "trailing_bytes", "checksum", "damaged"))
"""What the way over the web may have done to a file: another try may bring it whole."""

FEW_STARS = 16
"""Stars up to which their own folders are listed, and not their mission's: that may hold ten thousands."""

_CHECKING = threading.Lock()
"""One check at a time: what silences warnings while a file is read does so in all threads."""

Reader = Callable[[Available, Deadline], bytes]


class SpoiledFileError(ArchiveError):
    """What arrived is no light curve of the star that was asked for."""

    remedy = "run again later; if it stays so, the file at the source is damaged: report it to the archive's help desk"

    def __init__(self, what: Asked, reason: str, problem: str, data: bytes, *, on_web: bool) -> None:
        super().__init__(what, problem)
        self.reason, self.data = reason, data
        self.transient = on_web and reason in REPAIRABLE


@dataclass(frozen=True)
class Fetcher:
    """Fetches files into `lake`. `store` reads those of a mirror that is a folder or a bucket."""

    settings: Settings
    lake: Lake
    store: Callable[[], Reader]

    def records(self, files: Sequence[Available], kept: Mapping[str, Record]) -> Iterator[Record]:
        """A record for each file as it is done, in any order; those that need not be asked for come first."""
        s = self.settings
        scratch = s.home / "tmp" / "mast"
        sweep(scratch)
        there = self._there(files)
        new = []
        for one in files:
            record = self._known(one, kept.get(one.file.name), there)
            if record is not None:
                yield record
            else:
                new.append(one)
        if not new:
            return
        outages = {source: Outage() for source in {one.source for one in new}}
        readers: dict[str, Reader] = {
            "snapshot": _shipped,
            "last_good": lambda one, _: self.lake.get(lake_key(one.file)),
        }
        if any(one.source == "mirror" and not _on_web(one) for one in new):
            readers["mirror"] = self.store()
        scratch.mkdir(parents=True, exist_ok=True)
        with http_client(s.archive_timeout_s, s.archive_connect_timeout_s) as client:
            over_web = _over_web(client, scratch)

            def fetched(one: Available) -> Record:
                record = self._record(one, over_web if _on_web(one) else readers[one.source], outages[one.source])
                return self._or_last(record, kept.get(one.file.name), there)

            yield from side_by_side(fetched, new, s.mast_at_once)

    # -- what is there already ---------------------------------------------------------------------------------

    def _there(self, files: Sequence[Available]) -> dict[str, int]:
        """Bytes of what the lake has of the stars or missions of `files`, by key: of a few stars only their folders are
        listed."""
        folders = {lake_key(one.file).rpartition("/")[0] for one in files}
        roots = folders if len(folders) <= FEW_STARS else {f"{RAW}/{one.file.mission}" for one in files}
        return {key: size for root in sorted(roots) for key, size in self.lake.sizes(root).items()}

    def _known(self, one: Available, last: Record | None, there: Mapping[str, int]) -> Record | None:
        """The record of a file that need not be asked for; None for one that must be."""
        key = lake_key(one.file)
        if last is not None and last.status == "quarantined":
            same = one.fingerprint and (last.source, last.fingerprint) == (one.source, one.fingerprint)
            return last if same and not (_on_web(one) and last.reason in REPAIRABLE) else None
        if key not in there:
            return None
        if last is not None and last.status == "kept":
            return last if _same(one, last) and there[key] == last.size_bytes else None
        return self._adopted(one, key)

    @staticmethod
    def _or_last(record: Record, last: Record | None, there: Mapping[str, int]) -> Record:
        """The last record, when a good copy is there and the new one could not be had: stale, not lost."""
        if record.status == "kept" or last is None or last.status != "kept" or last.key not in there:
            return record
        log.warning("%s: the copy of %s stays in use", record.message, last.retrieved_at)
        return last

    def _adopted(self, one: Available, key: str) -> Record | None:
        """The record of a whole file that a killed run left in the lake, unless it is not what the source has."""
        data = self.lake.get(key)
        if one.size_bytes not in (None, len(data)):
            return None
        try:
            read_curve(data, one.file.name, one.file.star_id)
        except LightCurveFileError:
            return None
        return kept_record(one, data, key)

    # -- one file ----------------------------------------------------------------------------------------------

    def _record(self, one: Available, read: Reader, outage: Outage) -> Record:
        what = asked(one.file.name)
        if outage.problem is not None:
            return failed_record(one, ArchiveUnreachableError(what, f"the source went down: {outage.problem}"))
        deadline = Deadline.after(what, self.settings.archive_timeout_s)
        try:
            data = with_retries(
                lambda: _checked(one, read(one, deadline), what),
                attempts=self.settings.archive_attempts,
                deadline=deadline,
            )
        except SpoiledFileError as error:
            if error.data.lstrip()[:1] in (b"<", b""):  # a page for people: the source's trouble, not the file's
                outage.failed(error)
            else:
                outage.answered()
            return self._quarantined(one, error)
        except ArchiveError as error:
            outage.failed(error)
            return failed_record(one, error)
        outage.answered()
        key = lake_key(one.file)
        self.lake.put(key, data)
        return kept_record(one, data, key)

    def _quarantined(self, one: Available, error: SpoiledFileError) -> Record:
        record = failed_record(one, error, error.reason)
        if not error.data:
            return record
        key = f"{QUARANTINE}/{one.file.name}"
        self.lake.put(key, error.data)
        return weighed(replace(record, status="quarantined", key=key), error.data)


def _same(one: Available, last: Record) -> bool:
    """Whether what was kept is what the source has now. The archive never uses a name again."""
    if "live" in (one.source, last.source) or one.source == "last_good":
        return True
    return last.fingerprint == one.fingerprint or (one.source == "snapshot" and last.source != "snapshot")


def _checked(one: Available, data: bytes, what: Asked) -> bytes:
    try:
        with _CHECKING:
            read_curve(data, one.file.name, one.file.star_id)
    except LightCurveFileError as error:
        problem = str(error).removeprefix(f"{one.file.name}: ")
        raise SpoiledFileError(what, error.reason, problem, data, on_web=_on_web(one)) from error
    if one.size_bytes not in (None, len(data)):
        problem = f"{len(data):,} bytes came, the source says {one.size_bytes:,}"
        raise SpoiledFileError(what, "truncated", problem, data, on_web=_on_web(one))
    return data


def _on_web(one: Available) -> bool:
    return one.url.startswith(("http://", "https://"))


def _over_web(client: httpx.Client, scratch: Path) -> Reader:
    def read(one: Available, deadline: Deadline) -> bytes:
        target = scratch / f"{one.file.name}.{uuid.uuid4().hex}.part"
        try:
            download(client, one.url, target, deadline)
            return target.read_bytes()
        except ArchiveTruncatedError as error:
            came = target.read_bytes() if target.exists() else b""
            raise SpoiledFileError(deadline.asked, "truncated", error.problem, came, on_web=True) from error
        finally:
            target.unlink(missing_ok=True)

    return read


def _shipped(one: Available, deadline: Deadline) -> bytes:
    del deadline
    return next(shipped.data() for shipped in shipped_files() if shipped.file == one.file)
