"""Tables of many stars: one Parquet file per partition, one row group per star.

Belongs here: reading one star without reading its partition, writing a partition star by star, and what is known of
each star without reading its rows. Does not belong here: small tables (`lake.py`) and what a table means (contracts).

A star that could not be processed has no rows but an entry with the reason. A partition is written beside the old
one and takes its place when it is complete: a reader sees the old stars or the new ones, never a part.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from exo_resources.lake import DamagedTableError, Lake

_INDEX_KEY, _SEAL_KEY = b"exo_stars", b"exo_stars_seal"
_ROOT = "partitions"
LEFT_BEHIND_S = 3600
"""Age from which on a half-written file is no writer's any more, seconds."""


@dataclass(frozen=True)
class StarEntry:
    """What is known of a star: what its rows were made from, how many there are, and why there are none.

    `reason` is a code, empty when the star was processed; `digest` is that of its rows.
    """

    star_id: str
    fingerprint: str
    rows: int = 0
    digest: str = ""
    reason: str = ""
    message: str = ""


@dataclass(frozen=True)
class StarRows:
    """A star to be written: its entry, and its rows unless there are none."""

    entry: StarEntry
    rows: pa.Table | None = None


Index = dict[str, StarEntry]
"""Entries by star, in the order of the row groups of those that have rows."""


class StarTables:
    """The partitioned tables of a lake."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        if "://" in lake.root:
            self._fs, _ = pafs.FileSystem.from_uri(lake.root)
        else:
            self._fs = pafs.LocalFileSystem()

    @staticmethod
    def key(table: str, partition: str) -> str:
        """Key of a partition's file."""
        return f"{_ROOT}/{table}/{partition}.parquet"

    def partitions(self, table: str) -> list[str]:
        """Partitions of `table` that were ever written, sorted."""
        prefix = f"{_ROOT}/{table}/"
        return [k.removeprefix(prefix).removesuffix(".parquet") for k in self.lake.keys(prefix.rstrip("/"))]

    def index(self, table: str, partition: str) -> Index:
        """What is known of each star of a partition; empty when it was never written.

        DamagedTableError when its file cannot be read.
        """
        with self._open(table, partition) as part:
            return part.index if part else {}

    def star(self, table: str, partition: str, star_id: str) -> pl.DataFrame:
        """The rows of one star; only they are read. KeyError when it has none, DamagedTableError as for `index`."""
        with self._open(table, partition) as part:
            if part is None or star_id not in part.groups:
                raise KeyError(f"{table}, partition {partition}: {star_id} has no rows")
            return pl.DataFrame(pl.from_arrow(part.rows(star_id)))

    def read(self, table: str, columns: Sequence[str] | None = None, empty: pl.DataFrame | None = None) -> pl.DataFrame:
        """The `columns` (all when None) of every star of every partition, sorted by partition and star.

        `empty` is what is returned, in its own schema, when nothing was ever written.
        """
        nothing = empty if empty is not None else pl.DataFrame()
        parts = [self.partition(table, name, nothing, columns) for name in self.partitions(table)]
        having = [part for part in parts if part.height]
        return pl.concat(having) if having else nothing

    def partition(
        self, table: str, partition: str, empty: pl.DataFrame, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """The `columns` (all when None) of every star of one partition; `empty` when there are none."""
        with self._open(table, partition) as part:
            return part.all(columns) if part and part.groups else empty

    def write(self, table: str, partition: str, schema: pl.Schema, stars: Iterable[StarRows]) -> Index:
        """Replace a partition by `stars`, which are written as they come: only one is in memory at a time.

        Nothing is replaced when the iteration fails. Rows must have `schema`. Returns the new index.
        """
        key, index = self.key(table, partition), Index()
        arrow = schema.to_frame().to_arrow(compat_level=pl.CompatLevel.oldest()).schema
        with (
            self._replacing(self.lake.path(key)) as sink,
            pq.ParquetWriter(sink, arrow, compression="zstd", write_page_checksum=True) as out,
        ):
            for star in stars:
                entry = star.entry
                if star.rows is not None and star.rows.num_rows:
                    rows = star.rows.cast(arrow)
                    out.write_table(rows, row_group_size=rows.num_rows)
                    entry = replace(entry, rows=rows.num_rows, digest=digest_of(rows))
                index[entry.star_id] = entry
            kept = json.dumps([asdict(entry) for entry in index.values()])
            seal = hashlib.sha256(kept.encode()).hexdigest()
            out.add_key_value_metadata({_INDEX_KEY.decode(): kept, _SEAL_KEY.decode(): seal})
        return index

    def rewrite(
        self,
        table: str,
        partition: str,
        schema: pl.Schema,
        wanted: Mapping[str, str],
        made: Iterable[StarRows],
    ) -> tuple[Index, bool]:
        """Bring a partition to the stars `wanted` (star to fingerprint), taking those that are unchanged from the old
        file and the others from `made`, in the order of `wanted`. Returns the index and whether anything was written.

        `made` must give the changed stars in the order of `wanted`.
        """
        before = self.index(table, partition)
        same = {star for star, fingerprint in wanted.items() if unchanged(before, star, fingerprint)}
        if len(same) == len(wanted) == len(before):
            return before, False
        fresh = iter(made)

        def stars(old: _Part | None) -> Iterator[StarRows]:
            for star in wanted:
                if star not in same:
                    yield next(fresh)
                else:
                    yield StarRows(before[star], old.rows(star) if old and star in old.groups else None)

        with self._open(table, partition) as old:
            return self.write(table, partition, schema, stars(old)), True

    def processed(self, table: str) -> set[str]:
        """Stars that a stage went through, whether or not it gave rows."""
        return {
            star
            for partition in self.partitions(table)
            for star, entry in self.index(table, partition).items()
            if not entry.reason
        }

    def lost(self, table: str) -> dict[str, list[tuple[str, str, str]]]:
        """Stars that a stage could not process: name, reason and message, by partition."""
        found = {
            partition: [(e.star_id, e.reason, e.message) for e in self.index(table, partition).values() if e.reason]
            for partition in self.partitions(table)
        }
        return {partition: lost for partition, lost in found.items() if lost}

    def digest(self, table: str, partition: str | None = None) -> str:
        """Digest of the content of a partition, or of all of them: of every star's rows and reason."""
        whole = hashlib.sha256()
        for name in self.partitions(table) if partition is None else [partition]:
            for star, entry in sorted(self.index(table, name).items()):
                whole.update(f"{name}\n{star}\n{entry.digest}\n{entry.reason}\n{entry.message}\n".encode())
        return whole.hexdigest()

    @contextmanager
    def _open(self, table: str, partition: str) -> Iterator[_Part | None]:
        path = self.lake.path(self.key(table, partition))
        try:
            source = self._fs.open_input_file(path)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            raise DamagedTableError(f"{table}/{partition}", path, error) from error
        with source:
            yield _Part(source, f"{table}/{partition}", path)

    @contextmanager
    def _replacing(self, path: str) -> Iterator[Any]:
        """A stream whose bytes take the place of `path` when the block ends well."""
        temporary = f"{path}.{uuid.uuid4().hex}.tmp"
        local = isinstance(self._fs, pafs.LocalFileSystem)
        self._fs.create_dir(os.path.dirname(path), recursive=True)
        self._sweep(path)
        try:
            # A stream into a bucket makes an object even of what was written before an error: hence the other name.
            with self._fs.open_output_stream(temporary) as out:
                yield out
            if local:
                _flushed(temporary)
            self._fs.move(temporary, path)
        except BaseException:
            if self._fs.get_file_info(temporary).type == pafs.FileType.File:
                self._fs.delete_file(temporary)
            raise

    def _sweep(self, path: str) -> None:
        """Delete what killed writers of `path` left behind."""
        for info in self._fs.get_file_info(pafs.FileSelector(os.path.dirname(path))):
            old = info.mtime_ns is not None and time.time_ns() - info.mtime_ns > LEFT_BEHIND_S * 1_000_000_000
            if info.path.startswith(f"{path}.") and info.path.endswith(".tmp") and old:
                self._fs.delete_file(info.path)


def _flushed(path: str) -> None:
    with open(path, "rb") as written:
        os.fsync(written.fileno())


def unchanged(index: Index, star: str, fingerprint: str) -> bool:
    """Whether a star is in the index as made from `fingerprint`."""
    return star in index and index[star].fingerprint == fingerprint


def digest_of(rows: pa.Table) -> str:
    """SHA-256 of a table's names, types and values; the same however they lie in memory."""
    whole = hashlib.sha256()
    for field, column in zip(rows.schema, rows.columns, strict=True):
        whole.update(f"{field.name}:".encode())
        _update(whole, column.combine_chunks() if column.num_chunks != 1 else column.chunk(0))
    return whole.hexdigest()


def _update(whole: Any, values: pa.Array) -> None:
    whole.update(f"{len(values)}:".encode())
    if values.null_count:
        whole.update(values.is_null().to_numpy(zero_copy_only=False).tobytes())
        values = values.drop_null()
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        whole.update(values.value_lengths().to_numpy(zero_copy_only=False).tobytes())
        _update(whole, values.flatten())
    elif pa.types.is_fixed_size_list(values.type):
        _update(whole, values.flatten())
    elif pa.types.is_floating(values.type) or pa.types.is_integer(values.type) or pa.types.is_boolean(values.type):
        whole.update(f"{values.type}:".encode())
        whole.update(values.to_numpy(zero_copy_only=False).tobytes())
    else:
        whole.update(json.dumps(values.to_pylist(), default=str).encode())


class _Part:
    """An open partition; every way that its file can be damaged is a DamagedTableError."""

    def __init__(self, source: Any, name: str, path: str) -> None:
        self._name, self._path = name, path
        with self._named():
            self._file = pq.ParquetFile(source, page_checksum_verification=True)
            metadata = self._file.metadata.metadata or {}
            if _INDEX_KEY not in metadata:
                raise ValueError("it was not written by Exo")
            stored = metadata[_INDEX_KEY]
            if hashlib.sha256(stored).hexdigest().encode() != metadata.get(_SEAL_KEY):
                raise ValueError("its index is not the one that was written")
            self.index = {entry["star_id"]: StarEntry(**entry) for entry in json.loads(stored)}
        self.groups = {star: i for i, star in enumerate(s for s, entry in self.index.items() if entry.rows)}

    def rows(self, star: str) -> pa.Table:
        """The rows of one star, as they were written."""
        with self._named():
            rows = self._file.read_row_group(self.groups[star])
            if digest_of(rows) != self.index[star].digest:
                raise ValueError(f"the rows of {star} are not those that were written")
            return rows

    def all(self, columns: Sequence[str] | None) -> pl.DataFrame:
        """The columns of all stars."""
        with self._named():
            return pl.DataFrame(pl.from_arrow(self._file.read(columns=list(columns) if columns else None)))

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError, TypeError) as error:
            raise DamagedTableError(self._name, self._path, error) from error
