"""Light curves of many stars in one Parquet file: a star a row, its points in lists.

Belongs here: which rows there are, whose they are, and the points of each. Does not belong here: what makes points a
light curve (`table_file.py`), and a user's curve (`user_file.py`).

A row that is broken is an error that names it, and the others are read. What is wrong with a column is wrong with the
file.
"""

from __future__ import annotations

import io
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.mast_names import star_of
from exo_assets.lightcurves.table_file import COLUMNS, REQUIRED

STAR_COLUMNS = {
    **{"kepid": "KIC ", "kic": "KIC ", "kic_id": "KIC ", "epic": "EPIC ", "epic_id": "EPIC ", "tic": "TIC "},
    **{"tic_id": "TIC ", "star_id": "", "target": ""},
}
"""Columns that say whose light curve a row is, and what comes before their values in the star's name."""
SEGMENT, MOST_SEGMENT = "segment", 9999
"""Quarter, campaign or sector of a row; one number, not a list."""
ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class StarRow:
    """A row: what errors call it, its star, its segment (None: it does not say) and its points as a table."""

    name: str
    star_id: str
    segment: int | None
    points: pl.DataFrame


@dataclass(frozen=True)
class ManyStars:
    """A file of many stars: how many rows it has, whether they have segments, and the rows, those that are broken as
    the error that says why. Reading them raises LightCurveFileError when the file is damaged."""

    total: int
    star_column: str
    has_segments: bool
    rows: Iterator[StarRow | LightCurveFileError]


def holds_many(data: bytes) -> bool:
    """Whether the bytes are a Parquet file with times or fluxes in lists. A damaged file is for others to name."""
    if not data.startswith(b"PAR1"):
        return False
    try:
        schema = pq.read_schema(io.BytesIO(data))
    except (pa.ArrowException, OSError, ValueError):
        return False
    return any(_is_list(field.type) for field in schema if field.name.strip().lower() in REQUIRED)


def many_stars(data: bytes, name: str) -> ManyStars:
    """The stars in the bytes of a file that `holds_many`; `name` is what errors call it.

    Needed are `time` and `flux`, lists of numbers, and one column that names the star: `kepid` (or `kic`), `epic` or
    `tic`, whole numbers, or `star_id` or `target` ('EPIC 201367065'). `flux_err` and `quality`, lists of the same
    length, and `segment` may be there; other columns are ignored. A star may have several rows when each has another
    segment. LightCurveFileError for a file that is damaged, has no rows, or lacks a column or has one of a wrong type.
    """
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        columns = _columns(file.schema_arrow, name)
        total = file.metadata.num_rows
        if not total:
            raise LightCurveFileError(name, "no_light_curve", "has no rows: it holds no star")
        about = file.read(columns=[columns[c] for c in columns if c not in COLUMNS])
        about.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(name, error) from error
    star_column = next(c for c in columns if c in STAR_COLUMNS)
    stars = [_star(value, star_column) for value in about[columns[star_column]].to_pylist()]
    has_segments = SEGMENT in columns
    segments = about[columns[SEGMENT]].to_pylist() if has_segments else [None] * total
    return ManyStars(
        total, star_column, has_segments, _rows(file, columns, list(zip(stars, segments, strict=True)), name)
    )


def _rows(
    file: pq.ParquetFile, columns: dict[str, str], about: list[tuple[str, object]], name: str
) -> Iterator[StarRow | LightCurveFileError]:
    wrong = _wrong(about)
    points = {c: columns[c] for c in COLUMNS if c in columns}
    row = 0
    try:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(points.values())):
            batch.validate(full=True)
            lists = {c: _series(batch.column(given), c) for c, given in points.items()}
            for i in range(batch.num_rows):
                star, segment = about[row]
                row += 1
                called = f"{name}, row {row} ({star})"
                said = wrong.get(row) or _uneven({c: values[i] for c, values in lists.items()})
                if said:
                    yield LightCurveFileError(called, *said)
                    continue
                table = pl.DataFrame([v.rename(c) for c, values in lists.items() if (v := values[i]) is not None])
                yield StarRow(called, str(star_of(star)), None if segment is None else int(segment), table)  # type: ignore[call-overload]
    except (pa.ArrowException, OSError) as error:
        raise _damaged(name, error) from error


Said = tuple[str, str]
"""Code and words of what is wrong."""


def _wrong(about: list[tuple[str, object]]) -> dict[int, Said]:
    """What is wrong with rows (from 1) by their star and segment alone."""
    out: dict[int, Said] = {}
    rows: dict[str, dict[int, object]] = defaultdict(dict)
    for row, (star, segment) in enumerate(about, start=1):
        known = star_of(star)
        if known is None:
            out[row] = "no_target", "does not name a star of KIC, EPIC or TIC"
        elif segment is not None and not _is_segment(segment):
            out[row] = "no_segment", f"has the segment {segment!r}, which is no whole number from 0 to {MOST_SEGMENT}"
        else:
            rows[known][row] = segment
    for star, theirs in rows.items():
        if len(theirs) > 1 and (None in theirs.values() or len(set(theirs.values())) < len(theirs)):
            said = f"is one of several of {star} ({', '.join(map(str, theirs))}): each needs a segment of its own"
            out |= dict.fromkeys(theirs, ("star_twice", said))
    return out


def _is_segment(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= MOST_SEGMENT and value == int(value)


def _uneven(lists: dict[str, pl.Series | None]) -> Said | None:
    """Why lists are no points of one star, if they are none."""
    empty = [c for c in REQUIRED if lists[c] is None]
    if empty:
        return "no_light_curve", f"has no {' and no '.join(empty)}"
    lengths = {c: len(values) for c, values in lists.items() if values is not None}
    if len(set(lengths.values())) == 1:
        return None
    return "no_light_curve", "has lists of unequal length: " + ", ".join(f"{n:,} of {c}" for c, n in lengths.items())


def _star(value: object, column: str) -> str:
    """The name that a value stands for, right or not."""
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if value is None or value == "":
        return "no star"
    # Star names may be written with a dash: 'KIC -5' would be KIC 5.
    return f"{STAR_COLUMNS[column]}{value}" if isinstance(value, str) or value >= 0 else f"number {value}"  # type: ignore[operator]


def _columns(schema: pa.Schema, name: str) -> dict[str, str]:
    """The columns that count: what each is, and what the file calls it. LightCurveFileError otherwise."""
    given = [(field.name.strip().lower(), field) for field in schema]
    names = [c for c, _ in given]
    known = {c: field for c, field in given if c in COLUMNS or c in STAR_COLUMNS or c == SEGMENT}
    stars = [c for c in known if c in STAR_COLUMNS]
    twice = sorted({c for c in known if names.count(c) > 1})
    missing = [c for c in REQUIRED if c not in known]
    said = ""
    if twice:
        said = f"has more than one column {', '.join(twice)}; rename one"
    elif missing:
        said = f"has no column {' and no column '.join(missing)} (it has {', '.join(names[:8])})"
    elif not stars:
        said = f"does not say whose its light curves are: a column {', '.join(STAR_COLUMNS)} is needed"
    elif len(stars) > 1:
        said = f"says in {' and '.join(stars)} whose its light curves are; leave one"
    if said:
        raise LightCurveFileError(name, "no_light_curve", said)
    for c, field in known.items():
        if not _counts(c, field.type):
            what = "a list of numbers for each star" if c in COLUMNS else "a number for each star"
            what = "names of stars" if STAR_COLUMNS.get(c) == "" else what
            raise LightCurveFileError(name, "not_a_number", f"its column {c} holds {field.type}, not {what}")
    return {c: field.name for c, field in known.items()}


def _counts(column: str, kind: pa.DataType) -> bool:
    """Whether values of a column may be of a type."""
    if column in COLUMNS:
        return _is_list(kind) and _is_number(kind.value_type)
    return (
        _is_number(kind)
        if STAR_COLUMNS.get(column) != ""
        else pa.types.is_string(kind) or pa.types.is_large_string(kind)
    )


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind))


def _series(values: pa.Array, name: str) -> pl.Series:
    lists = pl.Series(name, pl.from_arrow(values))
    return lists.arr.to_list() if isinstance(lists.dtype, pl.Array) else lists


def _damaged(name: str, error: Exception) -> LightCurveFileError:
    said = str(error).splitlines()[0] if str(error) else "no message"
    return LightCurveFileError(name, "damaged", f"is no readable Parquet table ({said})")
