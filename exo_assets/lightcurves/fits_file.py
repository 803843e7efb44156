"""Light curves in FITS files, of the missions and of what others made of theirs: checked to the last byte, and read.

Belongs here: FITS bytes to a light curve, and why a file does not count. Does not belong here: where files come from,
which layouts there are (`products.py`), what times are counted from (`time_reference.py`), other kinds of files, and
cleaning.

A file counts when every unit of it is whole, the sums of its data (where it has some) are right, it holds a light
curve, and its header names the star that was asked for. Everything else is a `LightCurveFileError` with a reason code,
which the quarantine counts. A header that was edited after its checksum was taken, over data that are sound, is noted.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.curve import EXCLUDED, UNUSABLE, HeaderStar, LightCurve, Origin, as_flat
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.flux_level import came_flat, measured, of_magnitudes
from exo_assets.lightcurves.mast_names import CATALOGUES
from exo_assets.lightcurves.products import PRODUCTS, Flags, Flux, Product, product_of
from exo_assets.lightcurves.time_reference import Reference, days_of, julian, outside, reference
from exo_assets.lightcurves.told import Told

Array = NDArray[np.float64]

BLOCK = 2880
"""FITS files are multiples of so many bytes (FITS Standard 4.0, section 3.1)."""
MOST_FIELDS = 999
"""Most columns of a table (FITS Standard 4.0, section 7.3.1); a damaged header may ask for more than memory holds."""
_FIELDS = re.compile(rb"TFIELDS *= *([0-9]{1,20})")
_ALL_ONES = 0xFFFFFFFF
SHOWN = 12
"""Columns that an error names."""


def read_fits(data: bytes, name: str, target: str | None = None, told: Told | None = None) -> LightCurve:
    """The light curve in the bytes of a FITS file; `name` is what errors call it.

    `target` ('KIC 11442793', 'EPIC 201367065', 'TIC 149603524') is the star that was asked for. `told` stands for what
    the file does not say, and goes before what it says of columns and times. Points without a time are left out; all
    others are kept, with their quality. LightCurveFileError otherwise.
    """
    from astropy.io import fits

    if not data.startswith(b"SIMPLE  ="):
        what = "is empty" if not data else "is no FITS file"
        raise LightCurveFileError(name, "not_fits", f"{what} (it begins with {data[:12]!r})")
    if len(data) % BLOCK:
        raise LightCurveFileError(
            name, "truncated", f"has {len(data):,} bytes, no multiple of {BLOCK}: it was cut off; fetch it again"
        )
    most = max((int(found[1]) for found in _FIELDS.finditer(data)), default=0)
    if most > MOST_FIELDS:
        raise LightCurveFileError(name, "damaged", f"its header says {most:,} columns; fetch it again")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers that bend the standard, and are read all the same
        try:
            with fits.open(io.BytesIO(data), memmap=False) as units:
                notes = _whole(units, data, name)
                curve = _curve(units, name, told or Told())
        except LightCurveFileError:
            raise
        except Exception as error:  # astropy raises whatever its parsing of a damaged header meets
            raise LightCurveFileError(name, "damaged", f"cannot be read as FITS ({error}); fetch it again") from error
    if target is not None and curve.target != target:
        raise LightCurveFileError(name, "wrong_target", f"holds {curve.target or 'no named star'}, not {target}")
    return replace(curve, origin=curve.origin.noted(*notes))


def _whole(units: Any, data: bytes, name: str) -> list[str]:
    """LightCurveFileError unless the file ends where its last unit does, and every sum of data is right. Headers that
    are not those that a checksum was taken of, over sound data, are returned in words.

    The sums are taken of the bytes as they are (FITS Standard 4.0, section 4.4.2.7): astropy takes them of its own
    rewriting of a table's header, and finds those of all Kepler and TESS light curves wrong.
    """
    notes = []
    for unit in units:
        place = unit.fileinfo()
        start, middle, end = place["hdrLoc"], place["datLoc"], place["datLoc"] + place["datSpan"]
        if end > len(data):
            raise LightCurveFileError(
                name, "truncated", f"has {len(data):,} bytes where its units need {end:,}: fetch it again"
            )
        has_sum = "DATASUM" in unit.header
        if has_sum and ones_sum(data[middle:end]) != int(unit.header["DATASUM"]):
            raise LightCurveFileError(name, "checksum", f"the data sum of unit {unit.name or start} is wrong")
        if "CHECKSUM" in unit.header and ones_sum(data[start:end]) not in (0, _ALL_ONES):
            if not has_sum:
                raise LightCurveFileError(name, "checksum", f"the checksum of unit {unit.name or start} is wrong")
            notes.append(
                f"the header of unit {unit.name or start} was changed after its checksum was taken; its data are sound"
            )
    if end != len(data):
        raise LightCurveFileError(name, "trailing_bytes", f"has {len(data) - end:,} bytes after its last unit")
    return notes


def ones_sum(data: bytes) -> int:
    """The 32-bit ones' complement sum of big-endian words; `data` is a multiple of four bytes long."""
    total = int(np.frombuffer(data, ">u4").sum(dtype=np.uint64))
    while total >> 32:
        total = (total & _ALL_ONES) + (total >> 32)
    return total


@dataclass(frozen=True)
class _Table:
    """A table of a file: its columns in one dimension by names in small letters, their units, its header and the
    file's, and the columns that hold a picture a row."""

    columns: dict[str, NDArray[Any]]
    units: dict[str, str]
    headers: tuple[Mapping[str, Any], ...]
    cubes: tuple[str, ...]


def _tables(units: Any) -> list[_Table]:
    """The tables of a file. Of names that differ in case alone the first is taken."""
    found = []
    for unit in units:
        names = getattr(getattr(unit, "columns", None), "names", None)
        if not names:
            continue
        columns: dict[str, NDArray[Any]] = {}
        given: dict[str, str] = {}
        cubes = []
        for column in unit.columns:
            called, values = column.name.strip().lower(), np.asarray(unit.data[column.name])
            if values.ndim != 1:
                cubes.append(called)
            elif called not in columns:
                columns[called], given[called] = values, str(column.unit or "")
        found.append(_Table(columns, given, (unit.header, units[0].header), tuple(cubes)))
    return found


def _chosen(tables: Sequence[_Table], name: str, told: Told) -> tuple[_Table, Product]:
    """The table that is read, and its layout with the columns that the user names before its own."""
    for table in tables:
        product = product_of(table.columns, table.headers)
        if told.flux_column or told.time_column:
            product = _as_told(product or PRODUCTS[-1], told)
            if not product.fits(table.columns, table.headers) and not _has_told(table, product):
                continue
        if product is not None:
            return table, product
    for table in tables:
        if "flux" in table.cubes or "raw_cnts" in table.cubes:
            raise LightCurveFileError(
                name,
                "pixel_file",
                "is a target pixel file, of pictures of the star: make a light curve "
                "of it, or fetch the file of light curves (..._lc.fits, ..._llc.fits)",
            )
    asked = [c for c in (told.time_column, told.flux_column) if c]
    has = "; ".join(", ".join(list(t.columns)[:SHOWN]).upper() for t in tables if t.columns) or "none"
    if asked:
        raise LightCurveFileError(
            name, "no_light_curve", f"has no table with the columns {' and '.join(asked)} (it has {has})"
        )
    if not any("time" in t.columns or "t" in t.columns for t in tables):
        raise LightCurveFileError(
            name, "no_light_curve", f"has no table with a column TIME (columns: {has}): name it with --time-column"
        )
    raise LightCurveFileError(
        name, "no_light_curve", f"has no flux that Exo knows (columns: {has}): name it with --flux-column"
    )


def _as_told(product: Product, told: Told) -> Product:
    """The layout with what the user says of its columns; a flux that is named has the trend that --flat says."""
    if told.flux_column:
        flux = told.flux_column.strip().lower()
        known = next((f for f in product.flux if f.name == flux), Flux(flux, f"{flux}_err"))
        product = replace(product, flux=(replace(known, is_flat=known.is_flat or told.is_flat),))
    if told.time_column:
        product = replace(product, time=(told.time_column.strip().lower(),))
    return product


def _has_told(table: _Table, product: Product) -> bool:
    return any(f.name in table.columns for f in product.flux) and any(t in table.columns for t in product.time)


def _curve(units: Any, name: str, told: Told) -> LightCurve:
    table, product = _chosen(_tables(units), name, told)
    target, mission = _star(table.headers, product)
    if mission and told.mission not in (None, mission):
        raise LightCurveFileError(name, "wrong_mission", f"is of {mission}, not {told.mission}")
    mission = mission or told.mission or ""
    time_column = next(t for t in product.time if t in table.columns)
    unit = table.units[time_column]
    days = days_of(_as_numbers(table.columns[time_column], time_column, name), unit, table.headers, name)
    timed = np.isfinite(days)
    if not timed.any():
        raise LightCurveFileError(name, "no_light_curve", "has no point with a time")
    since = reference(days[timed], unit, table.headers, mission=mission, told=told.time_zero_bjd, name=name)
    flux, values, error = _flux(table, product, name)
    quality, left_out = _quality(table, product, name, told)
    step_s = float(np.median(np.diff(np.unique(days[timed])))) * 86_400 if timed.sum() > 1 else 0.0
    curve = LightCurve(
        target=target,
        mission=mission,
        flux_kind=flux.name.upper(),
        time_bjd=days + since.bjd,
        flux=values,
        flux_err=error,
        quality=quality,
        segment=np.full(days.size, _segment(table.headers), np.int32),
        column=_centroid(table, product.centroid[0]),
        row=_centroid(table, product.centroid[1]),
        origin=Origin(name, product.called(step_s), since.bjd, since.source, notes=since.notes),
        star=_header_star(table.headers),
    )
    julian(curve.time_bjd[timed], 0.0, name)
    left_out = (("without a time", int((~timed).sum())), *left_out)
    curve = curve.where(timed)
    order = curve.where(np.argsort(curve.time_bjd, kind="stable"))
    return _levelled(_told_of(order, left_out, since), flux, name, in_electrons=_electrons(table, flux))


def _header_star(headers: Sequence[Mapping[str, Any]]) -> HeaderStar:
    """RADIUS, LOGG and TEFF of the mission's input catalogue; what is no positive number is unknown."""

    def value(key: str) -> float:
        given = next((h[key] for h in headers if isinstance(h.get(key), int | float)), float("nan"))
        return float(given) if given > 0 else float("nan")

    return HeaderStar(value("RADIUS"), value("LOGG"), value("TEFF"))


def _electrons(table: _Table, flux: Flux) -> bool:
    unit = table.units[flux.name].lower()
    return "e-" in unit or "electron" in unit


def _told_of(curve: LightCurve, left_out: tuple[tuple[str, int], ...], since: Reference) -> LightCurve:
    """The curve with what is to be told of its points and times."""
    flagged = (curve.quality & UNUSABLE.get(curve.mission, 0)) != 0
    missing = np.isnan(curve.flux)
    counts = (
        *left_out,
        ("without a flux", int(missing.sum())),
        ("flagged as unusable by the mission", int((flagged & ~missing).sum())),
    )
    origin = replace(curve.origin, left_out=tuple((why, n) for why, n in counts if n))
    if (said := outside(curve.time_bjd, curve.mission)) and since.source == "--time-zero":
        origin = origin.noted(said)
    return replace(curve, origin=origin)


def _levelled(curve: LightCurve, flux: Flux, name: str, *, in_electrons: bool) -> LightCurve:
    """The curve with a flux that was checked; one that came flat is about one."""
    if not flux.is_flat:
        return measured(curve, name, in_electrons=in_electrons)
    level = float(np.nanmedian(curve.flux))
    if level > 0.5:  # in the units of the raw flux, or about one
        curve = replace(curve, flux=curve.flux / level, flux_err=curve.flux_err / level)
    return replace(measured(came_flat(curve, name), name), flux_kind=as_flat(curve.flux_kind))


def _flux(table: _Table, product: Product, name: str) -> tuple[Flux, Array, Array]:
    """The preferred flux that has a value, and its errors."""
    for flux in product.flux:
        if flux.name not in table.columns:
            continue
        values = _as_numbers(table.columns[flux.name], flux.name, name)
        if not np.isfinite(values).any():
            continue
        given = next((e for e in (flux.error, f"{flux.name}_err", "flux_err") if e in table.columns), None)
        error = np.full(values.size, np.nan) if given is None else _as_numbers(table.columns[given], given, name)
        if flux.is_magnitude or table.units[flux.name].strip().lower() in ("mag", "magnitude"):
            values = of_magnitudes(values)
            error = error * values * (np.log(10) / 2.5)
        return flux, values, error
    known = ", ".join(f.name.upper() for f in product.flux)
    raise LightCurveFileError(name, "no_light_curve", f"has no flux in {known}")


def _quality(
    table: _Table, product: Product, name: str, told: Told
) -> tuple[NDArray[np.int64], tuple[tuple[str, int], ...]]:
    """The mission's flags, with `EXCLUDED` where flags of the product's own say so, and how many those are."""
    flags = product.flags
    if told.quality_column:
        asked = told.quality_column.strip().lower()
        if asked not in table.columns:
            raise LightCurveFileError(name, "no_quality", f"has no column {told.quality_column}")
        flags = (Flags(asked, mask=~0),)
    size = next(iter(table.columns.values())).size
    quality, counts = np.zeros(size, np.int64), []
    has_bits = False
    for one in flags:
        if one.name not in table.columns or (one.mask is None and has_bits):
            continue
        values = table.columns[one.name]
        if one.good:
            bad = ~np.isin(np.char.strip(values.astype(str)), one.good)
        else:
            bits = _bits(values, name)
            has_bits |= one.mask is None
            quality |= bits if one.mask is None else bits & ~one.mask
            bad = np.zeros(size, bool) if one.mask is None else (bits & one.mask) != 0
        quality = np.where(bad, quality | EXCLUDED, quality)
        if bad.any():
            counts.append((f"flagged in {one.name.upper()}", int(bad.sum())))
    return quality, tuple(counts)


def _bits(values: NDArray[Any], name: str) -> NDArray[np.int64]:
    if not np.issubdtype(values.dtype, np.number) and values.dtype != np.bool_:
        raise LightCurveFileError(name, "no_quality", "has quality flags that are no numbers")
    if not np.isfinite(values.astype(np.float64)).all():
        raise LightCurveFileError(name, "no_quality", "has quality flags that are no numbers")
    return values.astype(np.int64)


def _as_numbers(values: NDArray[Any], column: str, name: str) -> Array:
    try:
        return values.astype(np.float64)
    except ValueError:
        raise LightCurveFileError(name, "not_a_number", f"its column {column.upper()} holds words") from None


def _centroid(table: _Table, column: str) -> Array:
    size = next(iter(table.columns.values())).size
    values = table.columns.get(column)
    return np.full(size, np.nan) if values is None else values.astype(np.float64)


def _segment(headers: Sequence[Mapping[str, Any]]) -> int:
    """Kepler quarter, K2 campaign or TESS sector of a header; 0 where it says none."""
    keys = ("QUARTER", "CAMPAIGN", "SECTOR")
    return next((h[k] for h in reversed(headers) for k in keys if isinstance(h.get(k), int)), 0)


def _star(headers: Sequence[Mapping[str, Any]], product: Product) -> tuple[str, str]:
    """Target in the catalogue's spelling, and the mission that observed it; empty where the headers do not say.

    The mission is what MISSION or TELESCOP says, or else that of a product that has only one: never that of the
    catalogue which the star's name belongs to. Of the Kepler telescope's two, EPIC stars and campaigns are K2's.
    """
    first = headers[-1]
    said = " ".join(str(h.get(key, "")) for key in ("MISSION", "TELESCOP") for h in headers).lower()
    found = re.fullmatch(r"\s*(KIC|EPIC|TIC)[\s_-]*0*(\d+)\s*", str(first.get("OBJECT", "")), re.IGNORECASE)
    catalogue = found[1].upper() if found else ""
    if re.search(r"\btess\b", said):
        mission = "tess"
    elif re.search(r"\bk2\b", said) or ("kepler" in said and (catalogue == "EPIC" or "CAMPAIGN" in first)):
        mission = "k2"
    else:
        mission = "kepler" if "kepler" in said else product.mission
    if found:
        return f"{catalogue} {found[2]}", mission
    number = next((str(first[k]) for k in ("TICID", "TIC_ID", "KEPLERID", "OBJECT") if first.get(k)), "").strip()
    name = next((c for c, of in CATALOGUES.items() if of == mission), "")
    return (f"{name} {int(number)}" if name and re.fullmatch(r"\d{1,16}", number) and int(number) else ""), mission
