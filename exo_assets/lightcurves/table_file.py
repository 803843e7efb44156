"""Light curves that users bring as tables: CSV or Parquet with the columns time, flux, flux_err and quality.

Belongs here: checking and reading such tables. Does not belong here: the missions' own files (`fits_file.py`).
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from exo_assets.lightcurves.curve import EXCLUDED, LightCurve, Origin
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.products import TABLE
from exo_assets.lightcurves.time_reference import dated

COLUMNS = {"time": pl.Float64, "flux": pl.Float64, "flux_err": pl.Float64, "quality": pl.Int64}
REQUIRED = ("time", "flux")
_REPEATED = re.compile(r"_duplicated_[0-9]+$")
"""What polars adds to the second name of two that are the same."""


def read_table(
    data: bytes,
    name: str,
    *,
    time_zero_bjd: float = 0.0,
    mission: str = "",
    columns: Mapping[str, str] | None = None,
) -> LightCurve:
    """The light curve in the bytes of a CSV or Parquet table; `name` is what errors call it, and the star.

    `time` in days and `flux` are needed; `flux_err` and `quality` may be there, other columns are ignored. `columns`
    says by what names the table has time, flux or quality; of a quality that is named, every value but zero excludes.
    Points whose time or flux is empty or not finite are left out. `time_zero_bjd` is added to the times, which must be
    barycentric Julian dates then. LightCurveFileError otherwise.
    """
    columns = {what: given.strip().lower() for what, given in (columns or {}).items()}
    frame = _frame(data, name, set(COLUMNS) | set(columns.values()))
    return curve_in(frame, name, time_zero_bjd=time_zero_bjd, mission=mission, columns=columns)


def curve_in(
    frame: pl.DataFrame,
    name: str,
    *,
    time_zero_bjd: float = 0.0,
    mission: str = "",
    columns: Mapping[str, str] | None = None,
) -> LightCurve:
    """As `read_table`, of the points in a table."""
    values = _values(frame, name, columns or {})
    finite = {c: values[c].is_finite().fill_null(False) for c in REQUIRED}
    usable = finite["time"] & finite["flux"]
    left_out = (("without a time or a flux", int((~usable).sum())),) if not usable.all() else ()
    values = {c: v.filter(usable) for c, v in values.items()}
    if not usable.any():
        raise LightCurveFileError(name, "no_light_curve", "has no point with a time and a flux")
    time, bad, stray = dated(values["time"].to_numpy(), time_zero_bjd, mission, name)
    n = time.size
    order = np.flatnonzero(~bad)[np.argsort(time[~bad], kind="stable")]
    left_out = (*left_out, *((("with a bad time stamp", int(bad.sum())),) if bad.any() else ()))
    unknown = np.full(n, np.nan)
    quality = values["quality"].fill_null(0).to_numpy() if "quality" in values else np.zeros(n, np.int64)
    if columns and "quality" in columns:
        quality = np.where(quality != 0, EXCLUDED, 0)
        left_out = (*left_out, (f"flagged in {columns['quality']}", int((quality != 0).sum())))
    return LightCurve(
        target=name,
        mission=mission,
        flux_kind=(columns or {}).get("flux", "flux"),
        time_bjd=time,
        flux=values["flux"].to_numpy(),
        flux_err=values["flux_err"].fill_null(float("nan")).to_numpy() if "flux_err" in values else unknown,
        quality=quality,
        segment=np.zeros(n, np.int32),
        column=unknown,
        row=unknown,
        origin=Origin(name, TABLE, time_zero_bjd, "--time-zero" if time_zero_bjd else "Julian dates", left_out, stray),
    ).where(order)


def _values(frame: pl.DataFrame, name: str, columns: Mapping[str, str]) -> dict[str, pl.Series]:
    """The columns that count, as numbers."""
    wanted = {columns.get(c, c): c for c in COLUMNS}
    names = [_REPEATED.sub("", c.strip().lower()) for c in frame.columns]
    twice = sorted({c for c in names if c in wanted and names.count(c) > 1})
    if twice:
        raise LightCurveFileError(name, "no_light_curve", f"has more than one column {', '.join(twice)}; rename one")
    frame = frame.select(pl.col(c).alias(wanted[n]) for c, n in zip(frame.columns, names, strict=True) if n in wanted)
    given = ", ".join(names[:8]) or "none"
    missing = [columns.get(c, c) for c in (*REQUIRED, *columns) if c not in frame.columns]
    if missing:
        raise LightCurveFileError(
            name,
            "no_light_curve",
            f"has no column {' and no column '.join(dict.fromkeys(missing))} (it has {given}); a "
            "header line with time, flux and, if known, flux_err and quality is needed; other names are told with "
            "--time-column and --flux-column",
        )
    return {c: _numbers(frame[c], c, kind, name) for c, kind in COLUMNS.items() if c in frame.columns}


def _frame(data: bytes, name: str, counting: set[str]) -> pl.DataFrame:
    try:
        if data.startswith(b"PAR1"):
            return _of_parquet(pq.read_table(io.BytesIO(data)), counting)
        return pl.read_csv(data, infer_schema=False, comment_prefix="#")
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError, ValueError) as error:
        said = str(error).splitlines()[0] if str(error) else "no message"
        raise LightCurveFileError(name, "damaged", f"is no readable CSV or Parquet table ({said})") from error


def _of_parquet(table: pa.Table, counting: set[str]) -> pl.DataFrame:
    """The columns that count, and the names of the others. polars alone panics at the names of some damaged files."""
    table.validate(full=True)
    return pl.DataFrame(
        [
            pl.Series(name, pl.from_arrow(column))
            if name.strip().lower() in counting
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
