"""CSV as text: every value as it is written, which `archive/parse.py` and `scoring/read_file.py` have in common.

Belongs here: bytes to columns of strings. Does not belong here: what is refused before, and how it is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv

EMPTY_WORDS = ("", "nan", "null", "none", "na", "n/a")
"""Text that spreadsheets and data-frame libraries write for an empty field, compared in lower case."""


def text_rows(body: bytes, names: Sequence[str], *, skip_lines: int = 0, skip_rows: int = 0) -> pl.DataFrame:
    """The records of `body` as columns of text, null for an empty field; a quoted field may hold line breaks.

    `skip_lines` lines and, after them, `skip_rows` records are left out. Raises pyarrow.ArrowInvalid.
    """
    table = pacsv.read_csv(
        pa.BufferReader(body),
        # One block: a record that spans blocks would be an error of ours, not of the file.
        pacsv.ReadOptions(
            use_threads=False,
            block_size=max(len(body) + 1, 1 << 16),
            column_names=list(names),
            skip_rows=skip_lines,
            skip_rows_after_names=skip_rows,
        ),
        pacsv.ParseOptions(newlines_in_values=True),
        pacsv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            null_values=[""],
        ),
    )
    return cast(pl.DataFrame, pl.from_arrow(table))
