"""Tables of a FITS file: their columns as they lie, which one holds the light curve, and in which layout.

Belongs here: from the units of a file to the columns of one table. Does not belong here: layouts (`products.py`), and
what the columns mean (`fits_file.py`).

A table of one row whose cells are arrays (as programs that write structures make it) holds its points in these arrays.
A picture a point is a target pixel file's; other arrays are several curves, of which none is taken by guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.products import PRODUCTS, Flux, Product, product_of
from exo_assets.lightcurves.told import Told

SHOWN = 12
"""Columns that an error names."""
_PIXELS = ("PIXELS", "TARGETTABLES", "APERTURE")
"""Names of units that target pixel files have (Kepler Archive Manual, section 2.3.2; TESS Science Data Products
Description, section 4). Light-curve files have an aperture's picture too, and no arrays of flux."""


@dataclass(frozen=True)
class FitsTable:
    """A table of a file: its columns in one dimension by names in small letters, their units and the numbers that
    stand for no value, its header and the file's, and the shapes of the columns that have more than one value a row."""

    columns: dict[str, NDArray[Any]]
    units: dict[str, str]
    nulls: dict[str, int]
    headers: tuple[Mapping[str, Any], ...]
    arrays: dict[str, tuple[int, ...]]

    @property
    def size(self) -> int:
        """Points, where it has columns in one dimension."""
        return int(next(iter(self.columns.values())).size)


def tables_of(units: Any, name: str) -> list[FitsTable]:
    """The tables of a file. Of names that differ in case alone the first is taken.

    LightCurveFileError for a table that is packed.
    """
    found = []
    for unit in units:
        if unit.header.get("ZTABLE") is True:
            said = "has a table that is packed (tiled compression): unpack it with funpack"
            raise LightCurveFileError(name, "packed_table", said)
        if not getattr(getattr(unit, "columns", None), "names", None):
            continue
        columns: dict[str, NDArray[Any]] = {}
        given: dict[str, str] = {}
        nulls: dict[str, int] = {}
        for column in unit.columns:
            called = column.name.strip().lower()
            if called in columns:
                continue
            columns[called], given[called] = np.asarray(unit.data[column.name]), str(column.unit or "")
            if isinstance(column.null, int) and columns[called].dtype.kind in "iu":
                nulls[called] = column.null
        columns = _unrolled(columns, len(unit.data))
        arrays = {c: values.shape for c, values in columns.items() if values.ndim > 1}
        plain = {c: values for c, values in columns.items() if values.ndim == 1}
        found.append(FitsTable(plain, given, nulls, (unit.header, units[0].header), arrays))
    return found


def _unrolled(columns: dict[str, NDArray[Any]], rows: int) -> dict[str, NDArray[Any]]:
    """The columns, those of one value a row in one dimension. Of a single row of arrays, the arrays that are as long
    as most of them are the columns."""
    columns = {c: v.reshape(rows) if v.ndim > 1 and v.size == rows else v for c, v in columns.items()}
    if rows != 1:
        return columns
    rolled = {c: np.asarray(v[0]) if v.dtype == object else v[0] for c, v in columns.items() if v.ndim <= 2}
    lengths = Counter(v.size for v in rolled.values() if v.ndim == 1 and v.size > 1)
    if not lengths:
        return columns
    length = lengths.most_common(1)[0][0]
    wide = {c: v for c, v in columns.items() if v.ndim > 2}
    return wide | {c: v for c, v in rolled.items() if v.ndim == 1 and v.size == length}


def chosen(tables: Sequence[FitsTable], name: str, told: Told) -> tuple[FitsTable, Product]:
    """The table that is read, and its layout with the columns that the user names before its own. Of several the first,
    unless the layout says by what name its best is called. LightCurveFileError where none holds a light curve."""
    fitting = []
    for table in tables:
        product = product_of(table.columns, table.headers)
        if told.flux_column or told.time_column:
            product = _as_told(product or PRODUCTS[-1], told)
            if not product.fits(table.columns, table.headers) and not _has_told(table, product):
                continue
        if product is not None:
            fitting.append((table, product))
    if fitting:
        best = (one for one in fitting if one[1].extension and _called(one[0]) == one[1].extension)
        return next(best, fitting[0])
    raise LightCurveFileError(name, *_none(tables, told))


def _called(table: FitsTable) -> str:
    return str(table.headers[0].get("EXTNAME", "")).strip().upper()


def _as_told(product: Product, told: Told) -> Product:
    """The layout with what the user says of its columns; a flux that is named has the trend that --flat says."""
    if told.flux_column:
        flux = told.flux_column.strip().lower()
        known = next((f for f in product.flux if f.name == flux), Flux(flux, f"{flux}_err"))
        product = replace(product, flux=(replace(known, is_flat=known.is_flat or told.is_flat),))
    if told.time_column:
        product = replace(product, time=(told.time_column.strip().lower(),))
    return product


def _has_told(table: FitsTable, product: Product) -> bool:
    return any(f.name in table.columns for f in product.flux) and any(t in table.columns for t in product.time)


def _none(tables: Sequence[FitsTable], told: Told) -> tuple[str, str]:
    """Code and words of why no table holds a light curve."""
    if said := next(filter(None, map(_of_arrays, tables)), None):
        return said
    has = "; ".join(", ".join(list(t.columns)[:SHOWN]).upper() for t in tables if t.columns) or "none"
    asked = [c for c in (told.time_column, told.flux_column) if c]
    if asked:
        return "no_light_curve", f"has no table with the columns {' and '.join(asked)} (it has {has})"
    if not any("time" in t.columns or "t" in t.columns for t in tables):
        return "no_light_curve", f"has no table with a column TIME (columns: {has}): name it with --time-column"
    return "no_light_curve", f"has no flux that Exo knows (columns: {has}): name it with --flux-column"


def _of_arrays(table: FitsTable) -> tuple[str, str] | None:
    """Code and words of a table with more than one value a row; None of one that has its points in rows."""
    shape = next((table.arrays[c] for c in ("flux", "raw_cnts", *table.arrays) if c in table.arrays), None)
    if shape is None:
        return None
    if len(shape) > 2 or "raw_cnts" in table.arrays or _called(table) in _PIXELS:
        return "pixel_file", (
            "is a target pixel file, of pictures of the star: make a light curve "
            "of it, or fetch the file of light curves (..._lc.fits, ..._llc.fits)"
        )
    named = ", ".join(table.arrays).upper()
    if any(c in table.arrays for product in PRODUCTS for c in product.time):
        said = f"has {shape[0]:,} rows of arrays ({named}), a light curve a row: write each into a file of its own"
        return "several_curves", said
    said = (
        f"has {shape[-1]} values a point in {named}: write one of them into a column of its own, and name it with "
        "--flux-column"
    )
    return "several_curves", said
