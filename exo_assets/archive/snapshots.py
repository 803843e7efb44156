"""Dated raw snapshots: every distinct copy of an archive table that was ever retrieved, byte for byte.

Belongs here: the names, the layout and the integrity of `raw/nea/<table>/<as_of>_<sha12>.csv.gz` and the JSON record
beside each. Does not belong here: which copy is used (`exo_resources.archive`), and what its rows mean.

The bytes are written first and the record second, each atomically: a copy without a record was interrupted and does
not exist. A copy is never changed or deleted.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from dataclasses import asdict, dataclass
from typing import Protocol

import polars as pl

from exo_assets.archive.parse import parse_csv

ROOT = "raw/nea"
COMPRESSION = 3
"""Of gzip: the largest table (24 MB) takes a third of the time of its usual 6 and 7 % more room."""


class BlobStore(Protocol):
    """The part of the lake that snapshots need."""

    def put(self, key: str, data: bytes) -> None:
        """Write bytes atomically."""

    def get(self, key: str) -> bytes:
        """Bytes under a key."""

    def keys(self, prefix: str) -> list[str]:
        """Keys below a folder, sorted."""


class SnapshotCorruptError(ValueError):
    """A stored snapshot is not what its record says."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(
            f"the raw snapshot {key} in the lake is damaged: {problem}; restore it from a backup, or delete it "
            "together with the .json beside it and run again"
        )


@dataclass(frozen=True)
class RawSnapshot:
    """One distinct copy of an archive table.

    `as_of` (ISO date) dates the content, `retrieved_at` (ISO time, UTC) its first retrieval; `source` is the place it
    first came from: live, mirror or snapshot. `sha256` is that of the uncompressed bytes.
    """

    table: str
    key: str
    as_of: str
    sha256: str
    rows: int
    columns: int
    size_bytes: int
    source: str
    url: str
    retrieved_at: str


def snapshots(lake: BlobStore, table: str) -> list[RawSnapshot]:
    """Every copy of the archive's `table` in the lake, oldest content first."""
    keys = set(lake.keys(f"{ROOT}/{table}"))
    records = [k for k in keys if k.endswith(".json") and k.removesuffix(".json") + ".csv.gz" in keys]
    found = [RawSnapshot(**json.loads(lake.get(key))) for key in records]
    return sorted(found, key=lambda s: (s.as_of, s.retrieved_at, s.sha256))


def snapshot_bytes(lake: BlobStore, snapshot: RawSnapshot) -> bytes:
    """The verbatim CSV of `snapshot`; SnapshotCorruptError when it is not what was stored."""
    try:
        data = gzip.decompress(lake.get(snapshot.key))
    except (OSError, EOFError, zlib.error) as error:
        raise SnapshotCorruptError(snapshot.key, str(error)) from error
    if hashlib.sha256(data).hexdigest() != snapshot.sha256:
        raise SnapshotCorruptError(snapshot.key, "its SHA-256 differs from the recorded one")
    return data


def read_snapshot(lake: BlobStore, snapshot: RawSnapshot) -> pl.DataFrame:
    """The rows of `snapshot`, all columns, every value as text (null for an empty field)."""
    return parse_csv(snapshot_bytes(lake, snapshot))


def store_snapshot(
    lake: BlobStore,
    table: str,
    data: bytes,
    frame: pl.DataFrame,
    *,
    as_of: str,
    source: str,
    url: str,
    retrieved_at: str,
) -> RawSnapshot:
    """Keep `data` (checked, parsed to `frame`) and return its record; bytes that are there keep their first record."""
    sha256 = hashlib.sha256(data).hexdigest()
    for known in snapshots(lake, table):
        if known.sha256 == sha256:
            return known
    stem = f"{ROOT}/{table}/{as_of}_{sha256[:12]}"
    record = RawSnapshot(
        table=table,
        key=f"{stem}.csv.gz",
        as_of=as_of,
        sha256=sha256,
        rows=frame.height,
        columns=frame.width,
        size_bytes=len(data),
        source=source,
        url=url,
        retrieved_at=retrieved_at,
    )
    lake.put(record.key, gzip.compress(data, compresslevel=COMPRESSION, mtime=0))
    lake.put(f"{stem}.json", json.dumps(asdict(record), indent=1, sort_keys=True).encode())
    return record
