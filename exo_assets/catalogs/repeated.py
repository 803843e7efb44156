"""`core_archive_quarantine`: rows of the archive's tables that repeat another.

Belongs here: what was set aside, as a table. Does not belong here: which row stays (`archive/rows.py`).
"""

from __future__ import annotations

import json

import polars as pl

from exo_assets.archive.contracts import RawContract
from exo_assets.archive.rows import separated
from exo_assets.catalogs.contracts import CORE_ARCHIVE_QUARANTINE


def repeated_rows(contract: RawContract, as_of: str, frame: pl.DataFrame) -> pl.DataFrame:
    """`core_archive_quarantine` of one copy: `frame` as the archive wrote it, `as_of` its ISO date."""
    aside = separated(contract, frame).aside
    key = contract.key or (contract.columns[0].name,)
    rows = [
        {
            "archive_table": contract.archive_table,
            "row_key": " / ".join(str(row[part]) for part in key),
            "reason": row.pop("_reason"),
            "copies": 1,
            "as_of": as_of,
            "row_json": json.dumps({column: value for column, value in sorted(row.items()) if value is not None}),
        }
        for row in aside.iter_rows(named=True)
    ]
    every = [column for column in CORE_ARCHIVE_QUARANTINE.schema if column != "copies"]
    table = pl.DataFrame(rows, schema=CORE_ARCHIVE_QUARANTINE.schema).group_by(every).agg(pl.col("copies").sum())
    return CORE_ARCHIVE_QUARANTINE.conform(table).sort(CORE_ARCHIVE_QUARANTINE.key)
