"""The lake: one Parquet file per table, in a folder or an S3-compatible bucket.

Belongs here: reading and atomically writing tables and small blobs, and the version that each table carries.
Does not belong here: what a table means (contracts) or how it is made (stages).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

_META_KEY = b"exo"
_SEAL_KEY = b"exo_seal"
_UNSEALED = hashlib.sha256(b"unsealed").hexdigest().encode()
"""Stands in a file where its seal will be: the SHA-256 of all its bytes but the seal's own."""


class TableMissingError(LookupError):
    """A table was asked for that has never been written."""

    def __init__(self, table: str, root: str) -> None:
        super().__init__(
            f"table {table!r} is not in the lake at {root}; materialise the asset {table!r} first "
            "(`exo run` builds the whole lineage)"
        )
        self.table = table


class DamagedTableError(ValueError):
    """A table's file is there and cannot be read as a table that Exo wrote."""

    def __init__(self, table: str, path: str, why: object) -> None:
        super().__init__(
            f"table {table!r} cannot be read: {path} is damaged ({why}); move that file away and run `exo run`, which "
            "makes it again from its inputs"
        )
        self.table = table


NAMED = 6
"""Columns that an error names."""


class OutdatedTableError(LookupError):
    """A table was written before it had all the columns that are read."""

    def __init__(self, table: str, missing: Iterable[str]) -> None:
        names = [*missing]
        what = "columns" if len(names) > 1 else "the column"
        names = names if len(names) <= NAMED else [*names[:NAMED], f"and {len(names) - NAMED} more"]
        super().__init__(
            f"table {table!r} lacks {what} {', '.join(names)}: an older version of Exo wrote it; "
            "`exo run` makes it again, and what follows from it"
        )
        self.table = table


@dataclass(frozen=True)
class TableVersion:
    """What is known of a stored table without reading its rows.

    `digest` is the SHA-256 of the content; `fingerprint` says what it was computed from (code, inputs, settings).
    """

    table: str
    digest: str
    rows: int
    fingerprint: str = ""
    written_at: str = ""
    code_version: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


class Lake:
    """Tables and blobs below one root, a folder or `s3://bucket/prefix`.

    A local write goes to a temporary name, is flushed to disk and renamed; on S3 it is a single put. A reader sees
    the old table or the new one, never a part.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        if "://" in root:
            self.fs, self._base = pafs.FileSystem.from_uri(root)
        else:
            self.fs, self._base = pafs.LocalFileSystem(), os.path.abspath(os.path.expanduser(root))
        self._local = isinstance(self.fs, pafs.LocalFileSystem)

    # -- blobs -------------------------------------------------------------------------------------------------

    def path(self, key: str) -> str:
        """Full path of a key inside the store."""
        return f"{self._base}/{key}"

    def local_path(self, key: str) -> Path | None:
        """Where `key` lies on a disk; None when the lake is a bucket."""
        return Path(self.path(key)) if self._local else None

    def put(self, key: str, data: bytes) -> None:
        """Write bytes under `key`, atomically."""
        with self.replacing(key) if self._local else self.fs.open_output_stream(self.path(key)) as out:
            out.write(data)

    @contextmanager
    def replacing(self, key: str) -> Iterator[Any]:
        """A stream, for what is too large to be held whole, whose bytes take the place of `key` when the block ends
        well."""
        path = self.path(key)
        temporary = f"{path}.{uuid.uuid4().hex}.tmp"
        if not self._local:
            try:
                # A stream into a bucket makes an object even of what came before an error: hence the other name.
                with self.fs.open_output_stream(temporary) as out:
                    yield out
                self.fs.move(temporary, path)
            except BaseException:
                if self.fs.get_file_info(temporary).type == pafs.FileType.File:
                    self.fs.delete_file(temporary)
                raise
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            with open(temporary, "wb") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            os.replace(temporary, path)
        finally:
            if os.path.exists(temporary):
                os.unlink(temporary)

    def get(self, key: str) -> bytes:
        """Bytes under `key`; FileNotFoundError when there are none."""
        with self.fs.open_input_stream(self.path(key), compression=None) as source:
            data: bytes = source.read()
        return data

    def has(self, key: str) -> bool:
        """Whether `key` exists."""
        return bool(self.fs.get_file_info(self.path(key)).type == pafs.FileType.File)

    def keys(self, prefix: str) -> list[str]:
        """Keys below the folder `prefix`, sorted; leftovers of interrupted writes are not listed."""
        return sorted(self.sizes(prefix))

    def delete(self, key: str) -> None:
        """Delete what is under `key`; nothing happens when there is nothing."""
        if self.has(key):
            self.fs.delete_file(self.path(key))

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of each of `keys`."""
        selector = pafs.FileSelector(self.path(prefix), recursive=True, allow_not_found=True)
        found = [i for i in self.fs.get_file_info(selector) if i.type == pafs.FileType.File]
        return {i.path[len(self._base) + 1 :]: int(i.size) for i in found if not i.path.endswith(".tmp")}

    # -- tables ------------------------------------------------------------------------------------------------

    @staticmethod
    def table_key(table: str) -> str:
        """Key of a table's Parquet file."""
        return f"tables/{table}.parquet"

    def version(self, table: str) -> TableVersion | None:
        """The stored version of `table`, or None when it was never written; DamagedTableError when it is unreadable."""
        if not self._is_stored(table):
            return None
        path = self.path(self.table_key(table))
        try:
            with self.fs.open_input_file(path) as source:
                meta = pq.read_metadata(source)
            return TableVersion(**json.loads((meta.metadata or {})[_META_KEY]))
        except KeyError:
            raise DamagedTableError(table, path, "it was not written by Exo") from None
        except (pa.ArrowException, OSError, ValueError, TypeError) as error:
            raise DamagedTableError(table, path, error) from error

    def tables(self) -> list[str]:
        """Names of the tables present."""
        return [k.removeprefix("tables/").removesuffix(".parquet") for k in self.keys("tables")]

    def read(self, table: str, needed: Iterable[str] = ()) -> pl.DataFrame:
        """All rows of `table`; TableMissingError or DamagedTableError when they cannot be had as they were written,
        OutdatedTableError when it lacks a column of `needed`: of its contract, or those that are used."""
        data = self.table_bytes(table)
        try:
            frame = pl.read_parquet(io.BytesIO(data))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DamagedTableError(table, self.path(self.table_key(table)), error) from error
        if missing := [name for name in needed if name not in frame.columns]:
            raise OutdatedTableError(table, missing)
        return frame

    def stored(self, table: str, needed: Iterable[str] = ()) -> pl.DataFrame | None:
        """As `read`, or None when `table` was never written."""
        return self.read(table, needed) if self.version(table) else None

    def table_bytes(self, table: str) -> bytes:
        """The Parquet file of `table`, bit by bit as it was written; errors as for `read`."""
        key = self.table_key(table)
        if not self._is_stored(table):
            raise TableMissingError(table, self.root)
        try:
            data = self.get(key)
            meta = pq.read_metadata(pa.BufferReader(data)).metadata or {}
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DamagedTableError(table, self.path(key), error) from error
        if _META_KEY not in meta:
            raise DamagedTableError(table, self.path(key), "it was not written by Exo")
        seal = meta.get(_SEAL_KEY)  # lakes of old have none
        if seal is not None and hashlib.sha256(data.replace(seal, _UNSEALED)).hexdigest().encode() != seal:
            raise DamagedTableError(table, self.path(key), "its bytes are not those that were written")
        return data

    def _is_stored(self, table: str) -> bool:
        """Whether `table` was ever written; DamagedTableError when something else is in its place."""
        path = self.path(self.table_key(table))
        kind = self.fs.get_file_info(path).type
        if kind == pafs.FileType.NotFound and not (self._local and Path(path).is_symlink()):
            return False
        if kind != pafs.FileType.File:
            raise DamagedTableError(table, path, "it is no file")
        return True

    def write(
        self,
        table: str,
        frame: pl.DataFrame,
        *,
        fingerprint: str = "",
        code_version: str = "",
        inputs: Mapping[str, str] | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> TableVersion:
        """Store `frame` as `table`. Equal content and provenance leave the file untouched."""
        arrow = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).replace_schema_metadata(None)
        version = TableVersion(
            table=table,
            digest=hashlib.sha256(_parquet(arrow)).hexdigest(),
            rows=frame.height,
            fingerprint=fingerprint,
            written_at=datetime.now(UTC).isoformat(timespec="seconds"),
            code_version=code_version,
            inputs=dict(inputs or {}),
            notes=dict(notes or {}),
        )
        present = self.version(table)
        if present is not None and _same(present, version):
            return present
        meta = {_META_KEY: json.dumps(asdict(version), sort_keys=True, default=str).encode(), _SEAL_KEY: _UNSEALED}
        unsealed = _parquet(arrow.replace_schema_metadata(meta))
        seal = hashlib.sha256(unsealed).hexdigest().encode()
        self.put(self.table_key(table), unsealed.replace(_UNSEALED, seal))
        return version


def _same(a: TableVersion, b: TableVersion) -> bool:
    return (a.digest, a.fingerprint, a.inputs, a.notes) == (b.digest, b.fingerprint, b.inputs, b.notes)


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
