"""Tables that list light-curve files, one a row, with what the files do not say themselves.

Belongs here: which files a table lists and what it tells of each. Does not belong here: reading them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.many_stars_file import STAR_COLUMNS
from exo_assets.lightcurves.told import Told

FILE_COLUMNS = ("file", "file_name", "filename", "path")
"""Columns with the name of a file, relative to the table's folder; the first that is there counts."""
TOLD_COLUMNS = ("mission", "flux_column", "time_column", "quality_column")
HEAD = 4096
"""Bytes that hold a header line."""


@dataclass(frozen=True)
class Listed:
    """A file of a list, as the list names it, and what is told of it."""

    file: str
    told: Told


def is_list(data: bytes) -> bool:
    """Whether the bytes are a CSV table with a column of file names and none of fluxes."""
    head = data[:HEAD].removeprefix(b"\xef\xbb\xbf")
    line = next((row for row in head.splitlines() if row.strip() and not row.startswith(b"#")), b"")
    names = [c.strip().strip('"').lower() for c in line.decode("utf-8", "replace").split(",")]
    return any(c in names for c in FILE_COLUMNS) and "flux" not in names


def listed(data: bytes, name: str, told: Told) -> list[Listed]:
    """The files in the bytes of a table that `is_list`; `told` is told of each, and the table's own words go before.

    Beside the file, columns may say `target` (or kepid, epic, tic, star_id), `mission`, `time_zero`, `segment` and the
    names of columns. LightCurveFileError for a table that cannot be read, or has a value that is none.
    """
    try:
        frame = pl.read_csv(io.BytesIO(data), infer_schema=False, comment_prefix="#")
    except pl.exceptions.PolarsError as error:
        raise LightCurveFileError(name, "damaged", f"is no readable list of files ({error})") from error
    frame = frame.rename({c: c.strip().lower() for c in frame.columns})
    column = next(c for c in FILE_COLUMNS if c in frame.columns)
    rows = frame.iter_rows(named=True)
    return [
        Listed(file, _told(row, told, f"{name}, row {number}"))
        for number, row in enumerate(rows, start=1)
        if (file := (row[column] or "").strip())
    ]


def _told(row: Mapping[str, str | None], told: Told, name: str) -> Told:
    said = {c: value.strip() for c, value in row.items() if value and value.strip()}
    star = next((prefix + said[c] for c, prefix in STAR_COLUMNS.items() if c in said), told.target)
    words = {c: said[c] for c in TOLD_COLUMNS if c in said}
    if "mission" in words:
        words["mission"] = words["mission"].lower()
    told = replace(told, target=star, **words)  # type: ignore[arg-type]
    if "time_zero" in said:
        told = replace(told, time_zero_bjd=_number(said["time_zero"], "time_zero", name))
    return replace(told, segment=int(_number(said["segment"], "segment", name))) if "segment" in said else told


def _number(text: str, column: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise LightCurveFileError(name, "not_a_number", f"has {column} {text!r}, which is no number") from None
