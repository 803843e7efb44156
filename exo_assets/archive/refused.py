"""Refused copies: bytes that came in place of an archive table and are not the table, kept apart for inspection.

Belongs here: the table, and the names, the layout and the retention of `raw/refused/<table>/<sha12>.gz` and the JSON
record beside each. Does not belong here: what is refused, and why (`exo_resources.archive`).

The bytes are written first and the record second, each atomically: bytes without a record were interrupted and do not
exist. Nothing reads these bytes but people.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Protocol

import polars as pl

from exo_assets.archive.snapshots import COMPRESSION, BlobStore
from exo_assets.contracts import Column, TableContract

ROOT = "raw/refused"
KEPT = 5
"""Refused copies of one table that stay; the oldest go."""


REFUSED_COPIES = TableContract(
    "raw_archive__refused_copies",
    "What an archive or a mirror sent in place of a table, and why it was refused: its bytes lie in the lake, for "
    "inspection. The last few of each table.",
    (
        Column("archive_table", pl.String, "Table that was asked for", nullable=False),
        Column("source", pl.String, "Who sent it: live or mirror", nullable=False),
        Column("error", pl.String, "Name of what is wrong with it", nullable=False),
        Column("reason", pl.String, "What is wrong with it, with the columns and rows concerned", nullable=False),
        Column("remedy", pl.String, "What a person can do", nullable=False),
        Column("sha256", pl.String, "SHA-256 of the bytes", nullable=False),
        Column("size_bytes", pl.Int64, "Size of the bytes", "B", nullable=False, low=0),
        Column("refused_at", pl.String, "When it came first (ISO, UTC)", nullable=False),
        Column("key", pl.String, "Where the bytes lie in the lake (gzip)", nullable=False),
    ),
    ("archive_table", "sha256"),
)


class Quarantine(BlobStore, Protocol):
    """The part of the lake that refused copies need."""

    def delete(self, key: str) -> None:
        """Delete what is under a key."""


@dataclass(frozen=True)
class RefusedCopy:
    """One distinct answer that was refused: a row of `raw_archive__refused_copies`."""

    archive_table: str
    source: str
    error: str
    reason: str
    remedy: str
    sha256: str
    size_bytes: int
    refused_at: str
    key: str


def keep_refused(
    lake: Quarantine, table: str, data: bytes, *, source: str, error: str, reason: str, remedy: str, refused_at: str
) -> RefusedCopy:
    """Keep `data` that was refused as `table` and return its record; the same bytes for the same reason keep their
    first record. Of each table the last `KEPT` stay."""
    known = refused_copies(lake, table)
    sha256 = hashlib.sha256(data).hexdigest()
    for copy in known:
        if copy.sha256 == sha256 and copy.reason == reason:
            return copy
    stem = f"{ROOT}/{table}/{sha256[:12]}"
    record = RefusedCopy(table, source, error, reason, remedy, sha256, len(data), refused_at, f"{stem}.gz")
    lake.put(record.key, gzip.compress(data, compresslevel=COMPRESSION, mtime=0))
    lake.put(f"{stem}.json", json.dumps(asdict(record), indent=1, sort_keys=True).encode())
    others = [copy for copy in known if copy.sha256 != sha256]
    for old in others[: max(0, len(others) + 1 - KEPT)]:
        lake.delete(f"{old.key.removesuffix('.gz')}.json")
        lake.delete(old.key)
    return record


def refused_copies(lake: BlobStore, table: str = "") -> list[RefusedCopy]:
    """The refused copies of `table`, or of all tables, oldest first."""
    keys = set(lake.keys(f"{ROOT}/{table}".rstrip("/")))
    records = [k for k in keys if k.endswith(".json") and k.removesuffix(".json") + ".gz" in keys]
    found = [RefusedCopy(**json.loads(lake.get(key))) for key in records]
    return sorted(found, key=lambda copy: (copy.archive_table, copy.refused_at, copy.sha256))


def refused_table(copies: list[RefusedCopy]) -> pl.DataFrame:
    """`raw_archive__refused_copies`."""
    return REFUSED_COPIES.conform(pl.DataFrame([asdict(copy) for copy in copies], schema=REFUSED_COPIES.schema))
