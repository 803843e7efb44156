"""IPAC table format: fixed-width columns below a header of bars.

Belongs here: reading that format into text. Specification: IRSA, "IPAC Table Format Definition".
"""

from __future__ import annotations

import itertools

import polars as pl

_HEADER_LINES = 4  # names, types, units, null markers


def parse_ipac(text: str) -> pl.DataFrame:
    """All columns of an IPAC table as text, fields stripped; the column's null marker and blanks become null.

    ValueError when the header is missing or the rows are shorter than it.
    """
    lines = [line for line in text.split("\n") if line and not line.startswith("\\")]
    header = [line for line in lines[:_HEADER_LINES] if line.startswith("|")]
    if len(header) != _HEADER_LINES:
        raise ValueError(f"an IPAC table begins with {_HEADER_LINES} lines of '|', found {len(header)}")
    bars = [i for i, char in enumerate(header[0]) if char == "|"]
    spans = list(itertools.pairwise(bars))
    names = [header[0][a + 1 : b].strip() for a, b in spans]
    nulls = [header[3][a + 1 : b].strip() for a, b in spans]
    body = pl.Series("line", lines[_HEADER_LINES:], dtype=pl.String)
    short = int((body.str.len_chars() < bars[-1]).sum())
    if short:
        raise ValueError(f"{short} rows of the IPAC table are shorter than its header: the file is damaged")
    return pl.DataFrame({"line": body}).select(
        _field(a, b, null).alias(name) for (a, b), name, null in zip(spans, names, nulls, strict=True)
    )


def _field(start: int, end: int, null: str) -> pl.Expr:
    value = pl.col("line").str.slice(start, end - start).str.strip_chars()
    return pl.when(~value.is_in(["", null])).then(value)
