"""Dated raw snapshots: every distinct copy of an archive table that was ever retrieved, byte for byte.

Belongs here: the names, the layout and the integrity of `raw/nea/<table>/<as_of>_<sha12>.csv.gz` and the JSON record
beside each. Does not belong here: which copy is used (`exo_resources.archive`), and what its rows mean.

The bytes are written first and the record second, each atomically: a copy without a record was interrupted and does
not exist. Two copies are distinct when what they say is: an order of rows is no content, and a copy that says what an
earlier one said is not kept. A copy is never changed. Older ones are retired (`retire`): of a table whose labels are
followed the columns that the history of dispositions is made from stay for ever, as `<as_of>_<sha12>.labels.parquet`.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Protocol

import polars as pl

from exo_assets.archive.contracts import RAW_CONTRACTS
from exo_assets.archive.parse import CsvError, parse_csv
from exo_assets.archive.rows import content_digest, separated

ROOT = "raw/nea"
BYTES, LABELS = ".csv.gz", ".labels.parquet"
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

    def has(self, key: str) -> bool:
        """Whether `key` exists."""

    def delete(self, key: str) -> None:
        """Delete what is under `key`."""


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
    first came from: live, mirror or snapshot. `sha256` is that of the uncompressed bytes, `content_sha256` that of what
    they say, whatever the order (empty in a record of old).
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
    content_sha256: str = ""

    @property
    def labels_key(self) -> str:
        """Key of what stays when the copy is retired."""
        return self.key.removesuffix(BYTES) + LABELS


def snapshots(lake: BlobStore, table: str) -> list[RawSnapshot]:
    """Every copy of the archive's `table` in the lake, oldest content first."""
    return _recorded(lake, table, (BYTES,))


def followed(lake: BlobStore, table: str) -> list[RawSnapshot]:
    """Every copy of `table` that there ever was of which the followed columns are at hand, oldest content first."""
    return _recorded(lake, table, (BYTES, LABELS))


def _recorded(lake: BlobStore, table: str, endings: tuple[str, ...]) -> list[RawSnapshot]:
    keys = set(lake.keys(f"{ROOT}/{table}"))
    stems = [k.removesuffix(".json") for k in keys if k.endswith(".json")]
    records = [f"{stem}.json" for stem in stems if any(stem + ending in keys for ending in endings)]
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


def read_followed(lake: BlobStore, snapshot: RawSnapshot) -> pl.DataFrame:
    """The rows of `snapshot`, each key once, with the columns that are followed (see `RawContract.followed`)."""
    if lake.has(snapshot.labels_key):
        return pl.read_parquet(io.BytesIO(lake.get(snapshot.labels_key)))
    contract, frame = RAW_CONTRACTS[snapshot.table], read_snapshot(lake, snapshot)
    rows = separated(contract, frame).rows
    return rows.select(name for name in contract.followed if name in rows.columns)


def retire(lake: BlobStore, table: str, kept: int, in_use: Collection[str]) -> list[RawSnapshot]:
    """Delete the copies of `table` beyond the `kept` newest; those that went.

    Never deleted: a copy whose key is in `in_use`, and the newest that came from the archive or a mirror. A damaged
    copy stays too: what it says of dispositions cannot be saved.
    """
    newest = sorted(snapshots(lake, table), key=lambda s: (s.retrieved_at, s.as_of), reverse=True)
    good = [s.key for s in newest if s.source != "snapshot"][:1]
    gone = list[RawSnapshot]()
    for old in newest[kept:]:
        if old.key in (*in_use, *good):
            continue
        if RAW_CONTRACTS[table].followed:
            try:
                labels = read_followed(lake, old)
            except (SnapshotCorruptError, CsvError):
                continue
            out = io.BytesIO()
            labels.write_parquet(out, compression="zstd")
            lake.put(old.labels_key, out.getvalue())
        lake.delete(old.key)
        if not RAW_CONTRACTS[table].followed:
            lake.delete(old.key.removesuffix(BYTES) + ".json")
        gone.append(old)
    return gone


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
    """Keep `data` (checked, parsed to `frame`) and return its record; content that is there keeps its first record."""
    sha256 = hashlib.sha256(data).hexdigest()
    there = snapshots(lake, table)
    for known in there:
        if known.sha256 == sha256:
            return known
    content = content_digest(frame)
    for known in there:
        if known.rows == frame.height and _content(lake, known) == content:
            return known
    stem = f"{ROOT}/{table}/{as_of}_{sha256[:12]}"
    record = RawSnapshot(
        table=table,
        key=f"{stem}{BYTES}",
        as_of=as_of,
        sha256=sha256,
        rows=frame.height,
        columns=frame.width,
        size_bytes=len(data),
        source=source,
        url=url,
        retrieved_at=retrieved_at,
        content_sha256=content,
    )
    lake.put(record.key, gzip.compress(data, compresslevel=COMPRESSION, mtime=0))
    _record(lake, record)
    return record


def _content(lake: BlobStore, snapshot: RawSnapshot) -> str:
    """Digest of what a copy says; one of old is read for it once. Empty for a damaged copy."""
    if snapshot.content_sha256:
        return snapshot.content_sha256
    try:
        content = content_digest(read_snapshot(lake, snapshot))
    except (SnapshotCorruptError, CsvError):
        return ""
    _record(lake, replace(snapshot, content_sha256=content))
    return content


def _record(lake: BlobStore, snapshot: RawSnapshot) -> None:
    stem = snapshot.key.removesuffix(BYTES)
    lake.put(f"{stem}.json", json.dumps(asdict(snapshot), indent=1, sort_keys=True).encode())
