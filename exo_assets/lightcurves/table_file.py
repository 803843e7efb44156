"""Light curves that users bring as tables: CSV or Parquet with the columns time, flux, flux_err and quality.

Belongs here: checking and reading such tables. Does not belong here: the missions' own files (`fits_file.py`).
"""

from __future__ import annotations

import io
import re

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from exo_assets.lightcurves.curve import EARLIEST_BJD, LATEST_BJD, LightCurve
from exo_assets.lightcurves.fits_file import LightCurveFileError

COLUMNS = {"time": pl.Float64, "flux": pl.Float64, "flux_err": pl.Float64, "quality": pl.Int64}
REQUIRED = ("time", "flux")
_REPEATED = re.compile(r"_duplicated_[0-9]+$")
"""What polars adds to the second name of two that are the same."""


def read_table(data: bytes, name: str, *, time_zero_bjd: float = 0.0, mission: str = "") -> LightCurve:
    """The light curve in the bytes of a CSV or Parquet table; `name` is what errors call it, and the star.

    `time` in days and `flux` are needed; `flux_err` and `quality` may be there, other columns are ignored. Points
    whose time or flux is empty or not finite are left out. `time_zero_bjd` is added to the times, which must be
    barycentric Julian dates then. LightCurveFileError otherwise.
    """
    return curve_in(_frame(data, name), name, time_zero_bjd=time_zero_bjd, mission=mission)


def curve_in(frame: pl.DataFrame, name: str, *, time_zero_bjd: float = 0.0, mission: str = "") -> LightCurve:
    """As `read_table`, of the points in a table."""
    names = [_REPEATED.sub("", c.strip().lower()) for c in frame.columns]
    twice = sorted({c for c in names if c in COLUMNS and names.count(c) > 1})
    if twice:
        raise LightCurveFileError(name, "no_light_curve", f"has more than one column {', '.join(twice)}; rename one")
    frame = frame.select(pl.col(c).alias(n) for c, n in zip(frame.columns, names, strict=True) if n in COLUMNS)
    given = ", ".join(names[:8]) or "none"
    missing = [c for c in REQUIRED if c not in frame.columns]
    if missing:
        raise LightCurveFileError(
            name,
            "no_light_curve",
            f"has no column {' and no column '.join(missing)} (it has {given}); a "
            "header line with time, flux and, if known, flux_err and quality is needed",
        )
    values = {c: _numbers(frame[c], c, kind, name) for c, kind in COLUMNS.items() if c in frame.columns}
    usable = values["time"].is_finite().fill_null(False) & values["flux"].is_finite().fill_null(False)
    values = {c: v.filter(usable) for c, v in values.items()}
    time = values["time"].to_numpy() + time_zero_bjd
    if not time.size:
        raise LightCurveFileError(name, "no_light_curve", "has no point with a time and a flux")
    if not (time.min() > EARLIEST_BJD and time.max() < LATEST_BJD):
        raise LightCurveFileError(
            name,
            "time_zero",
            f"has times from {time.min():g} to {time.max():g}, no barycentric Julian dates: say what is to be "
            "added (2454833 to Kepler's BKJD, 2457000 to TESS's BTJD)",
        )
    n, order = time.size, np.argsort(time, kind="stable")
    unknown = np.full(n, np.nan)
    return LightCurve(
        target=name,
        mission=mission,
        flux_kind="flux",
        time_bjd=time,
        flux=values["flux"].to_numpy(),
        flux_err=values["flux_err"].fill_null(float("nan")).to_numpy() if "flux_err" in values else unknown,
        quality=values["quality"].fill_null(0).to_numpy() if "quality" in values else np.zeros(n, np.int64),
        segment=np.zeros(n, np.int32),
        column=unknown,
        row=unknown,
    ).where(order)


def _frame(data: bytes, name: str) -> pl.DataFrame:
    try:
        if data.startswith(b"PAR1"):
            return _of_parquet(pq.read_table(io.BytesIO(data)))
        return pl.read_csv(data, infer_schema=False, comment_prefix="#")
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError, ValueError) as error:
        said = str(error).splitlines()[0] if str(error) else "no message"
        raise LightCurveFileError(name, "damaged", f"is no readable CSV or Parquet table ({said})") from error


def _of_parquet(table: pa.Table) -> pl.DataFrame:
    """The columns that count, and the names of the others. polars alone panics at the names of some damaged files."""
    table.validate(full=True)
    return pl.DataFrame(
        [
            pl.Series(name, pl.from_arrow(column))
            if name.strip().lower() in COLUMNS
            else pl.repeat(None, table.num_rows, eager=True).alias(name)
            for name, column in zip(table.column_names, table.columns, strict=True)
        ]
    )


def _numbers(column: pl.Series, what: str, kind: type[pl.DataType], name: str) -> pl.Series:
    text = column.dtype == pl.String
    if not (text or column.dtype.is_numeric()):
        raise LightCurveFileError(name, "not_a_number", f"its column {what} holds {column.dtype}, not numbers")
    given = column.str.strip_chars().replace("", None) if text else column
    numbers = given.cast(pl.Float64, strict=False)
    bad = numbers.is_null() & given.is_not_null()
    if bad.any():
        first = int(bad.arg_max() or 0)
        raise LightCurveFileError(
            name, "not_a_number", f"its column {what} has {given[first]!r} in row {first + 1}, which is no number"
        )
    if kind == pl.Float64:
        return numbers
    whole = numbers.cast(pl.Int64, strict=False)
    bad = numbers.is_not_null() & (whole.is_null() | (whole != numbers).fill_null(False))
    if bad.any():
        first = int(bad.arg_max() or 0)
        raise LightCurveFileError(
            name, "not_a_number", f"its column {what} has {given[first]!r} in row {first + 1}, which is no whole number"
        )
    return whole
