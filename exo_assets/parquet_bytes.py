"""Parquet from outside, as a table in memory.

Belongs here: bytes of a file that others wrote, as a frame. Does not belong here: what its columns mean, how a refusal
is said, and tables of the lake.

polars alone panics at some damaged files, which no `except` of an error catches; pyarrow raises.
"""

from __future__ import annotations

import io
from typing import cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq


class ParquetError(ValueError):
    """The bytes are no Parquet file that can be read; the message says why, in a line."""


def parquet_frame(data: bytes) -> pl.DataFrame:
    """All rows of a Parquet file; ParquetError when it is damaged or none."""
    try:
        table = pq.read_table(io.BytesIO(data))
        table.validate(full=True)
        return cast(pl.DataFrame, pl.from_arrow(table))
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError, TypeError) as error:
        raise ParquetError(str(error).partition("\n")[0] or "no message") from error
