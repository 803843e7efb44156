"""What became of each light-curve file that was asked for.

Belongs here: one file's record, and the table of many. Does not belong here: asking for files (`exo_resources.mast`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import polars as pl

from exo_assets.lightcurves.contracts import RAW_MAST__LIGHT_CURVES


@dataclass(frozen=True)
class Record:
    """A row of `raw_mast__light_curves`; its contract says what the fields are."""

    file_name: str
    mission: str
    star_id: str
    segment: int | None
    cadence_s: float | None
    source: str
    url: str
    fingerprint: str
    size_bytes: int | None
    sha256: str | None
    key: str | None
    retrieved_at: str
    status: str
    reason: str | None = None
    message: str | None = None


def records_frame(records: Iterable[Record]) -> pl.DataFrame:
    """Records as the table `raw_mast__light_curves`, by mission, star, segment and name; ContractError otherwise."""
    rows = [asdict(record) for record in records]
    frame = pl.DataFrame(rows, schema=RAW_MAST__LIGHT_CURVES.schema)
    return RAW_MAST__LIGHT_CURVES.check(frame.sort("mission", "star_id", "segment", "file_name"))


def records_of(frame: pl.DataFrame) -> dict[str, Record]:
    """The rows of the table by file name: what an earlier night kept."""
    return {row["file_name"]: Record(**row) for row in frame.iter_rows(named=True)}
