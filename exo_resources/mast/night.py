"""A night's downloads: what is wanted of every mission, fetched, and told of as it goes.

Belongs here: the order of things over missions and buckets, and what the log says. Does not belong here: which files
are wanted (`discovery.py`) and how one is fetched (`fetch.py`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from exo_assets.lightcurves.buckets import bucket_of, parts
from exo_assets.lightcurves.records import Record, records_of
from exo_resources.archive.errors import ArchiveError, Attempt
from exo_resources.mast.discovery import wanted
from exo_resources.mast.files import Available
from exo_resources.mast.outcome import passed_record
from exo_resources.mast.source import LightCurveSource

TOLD_EVERY_S = 15.0
SHOWN = 5


def nightly_records(
    source: LightCurveSource,
    signals: pl.DataFrame,
    before: Mapping[str, pl.DataFrame],
    log: logging.Logger,
    trouble: list[Attempt],
) -> Iterator[Record]:
    """A record of each wanted file in the buckets of `before`, which holds what earlier nights recorded of each.

    What could not be listed, and why, is added to `trouble`.

    `signals` is the catalogue. A mission that cannot be listed keeps what it had, and so does one of which a larger
    share is gone than EXO_ARCHIVE_SHRINK allows: an outage, or a disk that is not mounted, loses nothing.
    """
    kept = {name: record for frame in before.values() for name, record in records_of(frame).items()}
    files: list[Available] = []
    for mission in sorted({parts(bucket)[0] for bucket in before}):
        have = {r.star_id for r in kept.values() if r.mission == mission and r.status == "kept"}
        try:
            listing = wanted(source, signals, mission, have)
        except ArchiveError as error:
            log.warning("%s: %s; what there is stays", mission, error)
            trouble.append(Attempt.failed(mission, error))
            yield from (record for record in kept.values() if record.mission == mission)
            continue
        for attempt in listing.attempts:
            log.warning("%s: %s failed: %s", mission, attempt.source, attempt.message)
            trouble.append(replace(attempt, source=f"{mission}, {attempt.source}"))
        for star, why in listing.missed.items():
            log.warning("%s: %s cannot be asked for: %s", mission, star, why)
        here = [one for one in listing if bucket_of(one.file.star_id) in before]
        beside = [one for one in listing.passed_over if bucket_of(one.file.star_id) in before]
        yield from (_as_before(passed_record(one), kept.get(one.file.name)) for one in beside)
        names = {one.file.name for one in (*here, *beside)}
        gone = [r for r in kept.values() if r.mission == mission and r.status == "kept" and r.file_name not in names]
        had = sum(r.mission == mission and r.status == "kept" for r in kept.values())
        if gone and len(gone) > source.settings.archive_shrink * had:
            log.warning(
                "%s: %d of %d light curves are gone from %s; they stay", mission, len(gone), had, listing.source
            )
            yield from gone
        elif gone:
            log.warning("%s: %d light curves are gone from %s: %s", mission, len(gone), listing.source, _few(gone))
        log.info("%s: %d light-curve files from %s, %d ignored", mission, len(here), listing.source, listing.ignored)
        files += here
    began = told = time.monotonic()
    for done, record in enumerate(source.fetch(files, kept), start=1):
        yield record
        now = time.monotonic()
        if now - told > TOLD_EVERY_S:
            told = now
            log.info("%d of %d files, %.1f files/s", done, len(files), done / (now - began))


def _as_before(record: Record, last: Record | None) -> Record:
    """The last record of a file when nothing is new but the time at which it was asked for."""
    return last if last is not None and replace(last, retrieved_at=record.retrieved_at) == record else record


def _few(records: list[Record]) -> str:
    """The names of a few files."""
    more = f" and {len(records) - SHOWN} more" if len(records) > SHOWN else ""
    return ", ".join(record.file_name for record in records[:SHOWN]) + more
