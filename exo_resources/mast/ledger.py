"""The records of a night's files, written as they come.

Belongs here: from records to partitions of `raw_mast__light_curves`, a few stars at a time, and what was written in
all. Does not belong here: fetching (fetch.py), or partitions as such (star_tables.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from exo_assets.lightcurves.buckets import bucket_of
from exo_assets.lightcurves.contracts import RAW_MAST__LIGHT_CURVES
from exo_assets.lightcurves.download import in_buckets, made_from
from exo_assets.lightcurves.records import Record, records_frame
from exo_resources.star_tables import Index, StarEntry, StarRows, StarTables

TABLE = RAW_MAST__LIGHT_CURVES.name


class Ledger:
    """The records of the stars in `buckets`; every write leaves whole stars behind, whatever comes after it."""

    def __init__(self, tables: StarTables, buckets: Sequence[str]) -> None:
        self._tables, self.buckets = tables, tuple(buckets)
        self.records: list[Record] = []
        self.made: Counter[str] = Counter()
        self.written: set[str] = set()

    def before(self) -> Mapping[str, pl.DataFrame]:
        """What is recorded now, by bucket."""
        return {
            bucket: self._tables.partition(TABLE, bucket, RAW_MAST__LIGHT_CURVES.empty()) for bucket in self.buckets
        }

    def index(self, bucket: str) -> Index:
        """What is known of the stars of a bucket."""
        return self._tables.index(TABLE, bucket)

    def replace(self, records: Iterable[Record]) -> None:
        """Write the records of all stars that there are: others are gone."""
        self._write(list(records), keep=False)

    def add(self, records: Iterable[Record]) -> None:
        """Write the records of a few stars, all those of each, beside what there is."""
        self._write(list(records), keep=True)

    def _write(self, records: list[Record], *, keep: bool) -> None:
        self.records += records
        touched = {bucket_of(record.star_id) for record in records} if keep else self.buckets
        for bucket, stars in in_buckets(records, touched).items():
            there = {star: entry.fingerprint for star, entry in self.index(bucket).items()} if keep else {}
            wanted = dict(sorted((there | {star: made_from(files) for star, files in stars.items()}).items()))
            changed = self._tables.changed(TABLE, bucket, wanted)
            made = [_entry(star, stars[star], wanted[star]) for star in changed]
            _, written = self._tables.rewrite(TABLE, bucket, RAW_MAST__LIGHT_CURVES.schema, wanted, made)
            self.made[bucket] += len(made)
            self.written |= {bucket} if written else set()


def _entry(star: str, files: Sequence[Record], mark: str) -> StarRows:
    """A star's files; it is lost when not one of them counts."""
    lost = None if any(record.status == "kept" for record in files) else files[0]
    entry = StarEntry(star, mark, reason=(lost and lost.reason) or "", message=(lost and lost.message) or "")
    return StarRows(entry, records_frame(files).to_arrow(compat_level=pl.CompatLevel.oldest()))
