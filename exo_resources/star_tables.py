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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from exo_resources.lake import DamagedTableError, Lake

_INDEX_KEY, _SEAL_KEY, _SIZES_KEY = b"exo_stars", b"exo_stars_seal", b"exo_array_sizes"
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

        A column that a partition lacks, because it was written before there was one, is null there. `empty` is what is
        returned, in its own schema, when nothing was ever written.
        """
        nothing = empty if empty is not None else pl.DataFrame()
        parts = [self.partition(table, name, nothing, columns) for name in self.partitions(table)]
        having = [part for part in parts if part.height]
        return pl.concat(having, how="diagonal") if having else nothing

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
        stored, sizes = _with_lists(arrow)
        self._sweep(self.lake.path(key))
        with (
            self.lake.replacing(key) as sink,
            pq.ParquetWriter(sink, stored, compression="zstd", write_page_checksum=True) as out,
        ):
            for star in stars:
                entry = star.entry
                if star.rows is not None and star.rows.num_rows:
                    rows = star.rows.cast(arrow)
                    out.write_table(rows.cast(stored), row_group_size=rows.num_rows)
                    entry = replace(entry, rows=rows.num_rows, digest=digest_of(rows))
                index[entry.star_id] = entry
            kept = json.dumps([asdict(entry) for entry in index.values()])
            seal = hashlib.sha256(kept.encode()).hexdigest()
            about = {_INDEX_KEY: kept, _SEAL_KEY: seal, _SIZES_KEY: json.dumps(sizes)}
            out.add_key_value_metadata({name.decode(): value for name, value in about.items()})
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
        with self._open(table, partition) as old:
            before = old.index if old else Index()
            new = set(_changed(before, wanted))
            if not new and len(wanted) == len(before):
                return before, False
            fresh = iter(made)
            stars = (
                next(fresh)
                if star in new
                else StarRows(before[star], old.rows(star) if old and star in old.groups else None)
                for star in wanted
            )
            return self.write(table, partition, schema, stars), True

    def changed(self, table: str, partition: str, wanted: Mapping[str, str]) -> list[str]:
        """Of the stars `wanted` (star to fingerprint) those that a partition does not have so, in their order: what
        `rewrite` asks to be made."""
        return _changed(self.index(table, partition), wanted)

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

    def digest(self, table: str) -> str:
        """Digest of the content of all partitions: of every star's rows and reason."""
        whole = hashlib.sha256()
        for name in self.partitions(table):
            self._digest(whole, table, name)
        return whole.hexdigest()

    def partition_digest(self, table: str, partition: str) -> str:
        """Digest of the content of one partition."""
        whole = hashlib.sha256()
        self._digest(whole, table, partition)
        return whole.hexdigest()

    def _digest(self, whole: Any, table: str, partition: str) -> None:
        for star, entry in sorted(self.index(table, partition).items()):
            whole.update(f"{partition}\n{star}\n{entry.digest}\n{entry.reason}\n{entry.message}\n".encode())

    @contextmanager
    def _open(self, table: str, partition: str) -> Iterator[_Part | None]:
        path = self.lake.path(self.key(table, partition))
        try:
            source = self.lake.fs.open_input_file(path)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            raise DamagedTableError(f"{table}/{partition}", path, error) from error
        with source:
            yield _Part(source, f"{table}/{partition}", path)

    def _sweep(self, path: str) -> None:
        """Delete what killed writers of `path` left behind."""
        for info in self.lake.fs.get_file_info(pafs.FileSelector(os.path.dirname(path), allow_not_found=True)):
            old = info.mtime_ns is not None and time.time_ns() - info.mtime_ns > LEFT_BEHIND_S * 1_000_000_000
            if info.path.startswith(f"{path}.") and info.path.endswith(".tmp") and old:
                self.lake.fs.delete_file(info.path)


def _with_lists(schema: pa.Schema) -> tuple[pa.Schema, dict[str, int]]:
    """The schema with lists in the place of arrays of a fixed size, and the sizes.

    Arrow writes an array that is missing and then cannot read the file: "Expected all lists to be of size".
    """
    sizes = {f.name: f.type.list_size for f in schema if pa.types.is_fixed_size_list(f.type)}
    fields = [f.with_type(pa.list_(f.type.value_field)) if f.name in sizes else f for f in schema]
    return pa.schema(fields), sizes


def _changed(before: Index, wanted: Mapping[str, str]) -> list[str]:
    return [star for star, mark in wanted.items() if star not in before or before[star].fingerprint != mark]


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
            self._sizes = json.loads(metadata.get(_SIZES_KEY, b"{}"))
            self.index = {entry["star_id"]: StarEntry(**entry) for entry in json.loads(stored)}
        self.groups = {star: i for i, star in enumerate(s for s, entry in self.index.items() if entry.rows)}

    def rows(self, star: str) -> pa.Table:
        """The rows of one star, as they were written."""
        with self._named():
            rows = self._arrays(self._file.read_row_group(self.groups[star]))
            if digest_of(rows) != self.index[star].digest:
                raise ValueError(f"the rows of {star} are not those that were written")
            return rows

    def all(self, columns: Sequence[str] | None) -> pl.DataFrame:
        """The columns of all stars."""
        with self._named():
            rows = self._arrays(self._file.read(columns=list(columns) if columns else None))
            return pl.DataFrame(pl.from_arrow(rows))

    def _arrays(self, rows: pa.Table) -> pa.Table:
        """The rows with arrays where they had them before they were written."""
        fields = [
            f.with_type(pa.list_(f.type.value_field, self._sizes[f.name])) if f.name in self._sizes else f
            for f in rows.schema
        ]
        return rows.cast(pa.schema(fields, rows.schema.metadata))

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError, TypeError) as error:
            raise DamagedTableError(self._name, self._path, error) from error
