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

_INDEX_KEY = b"exo_stars"
_ROOT = "partitions"


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
        with self._open(table, partition) as file:
            return {} if file is None else _index(file)

    def star(self, table: str, partition: str, star_id: str) -> pl.DataFrame:
        """The rows of one star; only they are read. KeyError when it has none."""
        with self._open(table, partition) as file:
            index = {} if file is None else _index(file)
            having = [name for name, entry in index.items() if entry.rows]
            if file is None or star_id not in having:
                raise KeyError(f"{table}, partition {partition}: {star_id} has no rows")
            return pl.DataFrame(pl.from_arrow(file.read_row_group(having.index(star_id))))

    def read(self, table: str, columns: Sequence[str] | None = None, empty: pl.DataFrame | None = None) -> pl.DataFrame:
        """The `columns` (all when None) of every star of every partition, sorted by partition and star.

        `empty` is what is returned, in its own schema, when nothing was ever written.
        """
        parts = []
        for partition in self.partitions(table):
            with self._open(table, partition) as file:
                if file is not None and file.metadata.num_rows:
                    parts.append(pl.DataFrame(pl.from_arrow(file.read(columns=list(columns) if columns else None))))
        if parts:
            return pl.concat(parts)
        return empty if empty is not None else pl.DataFrame()

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
            kept = [asdict(entry) for entry in index.values()]
            out.add_key_value_metadata({_INDEX_KEY.decode(): json.dumps(kept)})
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

        def stars(old: pq.ParquetFile | None) -> Iterator[StarRows]:
            groups = {name: i for i, name in enumerate(n for n, e in before.items() if e.rows)}
            for star in wanted:
                if star not in same:
                    yield next(fresh)
                elif star in groups and old is not None:
                    yield StarRows(before[star], old.read_row_group(groups[star]))
                else:
                    yield StarRows(before[star])

        with self._open(table, partition) as old:
            return self.write(table, partition, schema, stars(old)), True

    def digest(self, table: str, partition: str | None = None) -> str:
        """Digest of the content of a partition, or of all of them: of every star's rows and reason."""
        whole = hashlib.sha256()
        for name in self.partitions(table) if partition is None else [partition]:
            for star, entry in sorted(self.index(table, name).items()):
                whole.update(f"{name}\n{star}\n{entry.digest}\n{entry.reason}\n{entry.message}\n".encode())
        return whole.hexdigest()

    @contextmanager
    def _open(self, table: str, partition: str) -> Iterator[pq.ParquetFile | None]:
        path = self.lake.path(self.key(table, partition))
        try:
            source = self._fs.open_input_file(path)
        except FileNotFoundError:
            yield None
            return
        with source:
            try:
                yield pq.ParquetFile(source, page_checksum_verification=True)
            except (pa.ArrowException, OSError, ValueError, TypeError) as error:
                raise DamagedTableError(f"{table}/{partition}", path, error) from error

    @contextmanager
    def _replacing(self, path: str) -> Iterator[Any]:
        """A stream whose bytes take the place of `path` when the block ends well."""
        temporary = f"{path}.{uuid.uuid4().hex}.tmp"
        local = isinstance(self._fs, pafs.LocalFileSystem)
        self._fs.create_dir(os.path.dirname(path), recursive=True)
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


def _flushed(path: str) -> None:
    with open(path, "rb") as written:
        os.fsync(written.fileno())


def unchanged(index: Index, star: str, fingerprint: str) -> bool:
    """Whether a star is in the index as made from `fingerprint`."""
    return star in index and index[star].fingerprint == fingerprint


def digest_of(rows: pa.Table) -> str:
    """SHA-256 of a table's values."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema.remove_metadata()) as out:
        out.write_table(rows.combine_chunks().replace_schema_metadata(None))
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _index(file: pq.ParquetFile) -> Index:
    metadata = file.metadata.metadata or {}
    if _INDEX_KEY not in metadata:
        raise ValueError("it was not written by Exo")
    return {entry["star_id"]: StarEntry(**entry) for entry in json.loads(metadata[_INDEX_KEY])}
