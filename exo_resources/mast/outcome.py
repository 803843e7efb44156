"""What is recorded of a light-curve file, and where it lies in the lake.

Belongs here: outcomes as records, keys. Does not belong here: what leads to an outcome (`fetch.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from exo_assets.lightcurves.mast_names import MastFile, padded
from exo_assets.lightcurves.records import Record
from exo_resources.archive.copies import now
from exo_resources.archive.errors import ArchiveError, ArchiveStatusError, ArchiveTimeoutError
from exo_resources.mast.files import Available

RAW, QUARANTINE = "raw/mast", "quarantine/mast"


def lake_key(file: MastFile) -> str:
    """Where a kept file lies in the lake."""
    return f"{RAW}/{file.mission}/{padded(file.star_id)}/{file.name}"


def weighed(record: Record, data: bytes) -> Record:
    """With size and checksum of what arrived."""
    return replace(record, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def kept_record(one: Available, data: bytes, key: str) -> Record:
    """Of a whole file that lies under `key`."""
    return weighed(replace(_asked_for(one), status="kept", key=key), data)


def failed_record(one: Available, error: ArchiveError, reason: str | None = None) -> Record:
    """Of a file that did not arrive, or does not count."""
    return replace(_asked_for(one), reason=reason or _reason(error), message=str(error))


def passed_record(one: Available) -> Record:
    """Of a file that is not asked for, because a preferred one has the same photons."""
    said = (
        f"{one.file.name} ({one.file.cadence_s} s between points) is not fetched: a preferred file of segment "
        f"{one.file.segment} has the same photons"
    )
    return replace(_asked_for(one), status="unused", reason="other_product", message=said)


def _asked_for(one: Available) -> Record:
    return Record(
        file_name=one.file.name,
        mission=one.file.mission,
        star_id=one.file.star_id,
        segment=one.file.segment,
        cadence_s=one.file.cadence_s,
        source=one.source,
        url=one.url,
        fingerprint=one.fingerprint,
        size_bytes=None,
        sha256=None,
        key=None,
        retrieved_at=now(),
        status="failed",
    )


def _reason(error: ArchiveError) -> str:
    match error:
        case ArchiveStatusError():
            return f"status_{error.status}"
        case ArchiveTimeoutError():
            return "timeout"
        case _:
            return "unreachable"
