"""Light curves in FITS files, of the missions and of what others made of theirs: checked to the last byte, and read.

Belongs here: FITS bytes to a light curve, and why a file does not count. Does not belong here: where files come from,
which of its tables is read (`fits_tables.py`), which layouts there are (`products.py`), whose light curve it is
(`header_star.py`), what times are counted from (`time_reference.py`), other kinds of files, and cleaning.

A file counts when every unit of it is whole, the sums of its data (where it has some) are right, it holds a light
curve, and its header names the star that was asked for. Everything else is a `LightCurveFileError` with a reason code,
which the quarantine counts. A header that was edited after its checksum was taken, over data that are sound, is noted.
"""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.curve import EXCLUDED, UNUSABLE, LightCurve, Origin, as_flat
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.fits_tables import SHOWN, FitsTable, chosen, tables_of
from exo_assets.lightcurves.flux_level import came_flat, magnitudes_in, measured, of_magnitudes, without_zeros
from exo_assets.lightcurves.header_star import header_star, segment, star_and_mission
from exo_assets.lightcurves.products import Flags, Flux, Product
from exo_assets.lightcurves.time_reference import dated, days_of, outside, reference
from exo_assets.lightcurves.told import Told

Array = NDArray[np.float64]

BLOCK = 2880
"""FITS files are multiples of so many bytes (FITS Standard 4.0, section 3.1)."""
MOST_FIELDS = 999
"""Most columns of a table, and most axes (FITS Standard 4.0, sections 7.3.1 and 4.4.1.1); a damaged header may ask for
more than memory and lifetimes hold."""
_FIELDS = re.compile(rb"(TFIELDS|NAXIS) *= *\+?([0-9]{1,20})")
_ALL_ONES = 0xFFFFFFFF
LARGEST_FLAGS = 2.0**53
"""From here on a floating-point number does not hold each bit."""
Counts = tuple[tuple[str, int], ...]
"""How many points are not used, by reason."""


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
    most = max(((int(found[2]), found[1]) for found in _FIELDS.finditer(data)), default=(0, b""))
    if most[0] > MOST_FIELDS:
        what = "columns" if most[1] == b"TFIELDS" else "axes"
        raise LightCurveFileError(name, "damaged", f"its header says {most[0]:,} {what}; fetch it again")
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


def _curve(units: Any, name: str, told: Told) -> LightCurve:
    table, product = chosen(tables_of(units, name), name, told)
    target, mission = star_and_mission(table.headers, product)
    if mission and told.mission not in (None, mission):
        raise LightCurveFileError(name, "wrong_mission", f"is of {mission}, not {told.mission}")
    mission = mission or told.mission or ""
    time_column = next(t for t in product.time if t in table.columns)
    unit = table.units[time_column]
    days = days_of(_as_numbers(table, time_column, name), unit, table.headers, name)
    timed = np.flatnonzero(np.isfinite(days))
    if not timed.size:
        raise LightCurveFileError(name, "no_light_curve", "has no point with a time")
    since = reference(days[timed], unit, table.headers, mission=mission, told=told.time_zero_bjd, name=name)
    time, bad, stray = dated(days[timed], since.bjd, mission, name)
    kept = timed[~bad][np.argsort(time[~bad], kind="stable")]
    quality, flagged = _quality(table, product, name, told)
    unknown = np.full(days.size, np.nan)
    curve = LightCurve(
        target=target,
        mission=mission,
        flux_kind="",
        time_bjd=days + since.bjd,
        flux=unknown,
        flux_err=unknown,
        quality=quality,
        segment=np.full(days.size, segment(table.headers), np.int32),
        column=_centroid(table, product.centroid[0]),
        row=_centroid(table, product.centroid[1]),
        origin=Origin(name, product.called(_step_s(days[kept])), since.bjd, since.source, notes=(*since.notes, *stray)),
        star=header_star(table.headers),
    ).where(kept)
    if (said := outside(curve.time_bjd, mission)) and since.source == "--time-zero":
        curve = replace(curve, origin=curve.origin.noted(said))
    left_out = (("without a time", days.size - timed.size), ("with a bad time stamp", int(bad.sum())), *flagged)
    return _with_flux(curve, kept, table, product, left_out)


def _step_s(days: Array) -> float:
    """Median seconds between points; 0 of a single one."""
    return float(np.median(np.diff(np.unique(days)))) * 86_400 if np.unique(days).size > 1 else 0.0


def _with_flux(
    curve: LightCurve, kept: NDArray[np.intp], table: FitsTable, product: Product, left_out: Counts
) -> LightCurve:
    """The curve with the first flux of its product that has values and a level; why others were passed by is noted.

    `kept` are the rows of the table that are its points. LightCurveFileError where none is sound.
    """
    name = curve.origin.file
    passed: list[tuple[Flux, LightCurveFileError]] = []
    for flux in product.flux:
        if flux.name not in table.columns:
            continue
        try:
            found = _of_column(curve, kept, table, flux, left_out)
        except LightCurveFileError as error:
            if error.reason not in ("flux_level", "no_light_curve"):
                raise
            passed.append((flux, error))
            continue
        notes = (
            f"{flux.name.upper()} is read: {other.name.upper()} {_said(error, name).partition(': ')[0]}"
            for other, error in passed
        )
        return replace(found, origin=found.origin.noted(*notes))
    levelless = [error for _, error in passed if error.reason == "flux_level"]
    tried = ", ".join(flux.name.upper() for flux, _ in passed)
    others = [c.upper() for c in table.columns if c not in {flux.name for flux in product.flux}]
    remedy = f"another column is read with --flux-column (tried {tried}; it has {', '.join(others[:SHOWN])} too)"
    if levelless:
        raise LightCurveFileError(name, "flux_level", f"{_said(levelless[0], name)}; {remedy}")
    raise LightCurveFileError(name, "no_light_curve", f"has no flux in {tried}; {remedy}")


def _said(error: LightCurveFileError, name: str) -> str:
    return str(error).removeprefix(f"{name}: ")


def _of_column(curve: LightCurve, kept: NDArray[np.intp], table: FitsTable, flux: Flux, left_out: Counts) -> LightCurve:
    """The curve with a flux; LightCurveFileError where it has no values or no level."""
    name = curve.origin.file
    values = _as_numbers(table, flux.name, name)[kept]
    if not np.isfinite(values).any():
        raise LightCurveFileError(name, "no_light_curve", "has no value")
    given = next((e for e in (flux.error, f"{flux.name}_err", "flux_err") if e in table.columns), None)
    error = np.full(kept.size, np.nan) if given is None else _as_numbers(table, given, name)[kept]
    if flux.trend:
        trend = _as_numbers(table, flux.trend, name)[kept]
        values = values - trend + np.nanmedian(trend)
    scale = magnitudes_in(flux.name, table.units[flux.name]) or (1.0 if flux.is_magnitude else None)
    if scale:
        values = of_magnitudes(scale * values)
        error = scale * error * values * (np.log(10) / 2.5)
    curve = replace(curve, flux=values, flux_err=error, flux_kind=flux.called)
    curve = _levelled(curve, flux, name, in_electrons=_electrons(table, flux))
    return replace(curve, origin=replace(curve.origin, left_out=_counted(curve, left_out)))


def _counted(curve: LightCurve, left_out: Counts) -> Counts:
    """How many points are not used, by reason."""
    flagged = (curve.quality & UNUSABLE.get(curve.mission, 0)) != 0
    missing = ~np.isfinite(curve.flux)
    counts = (
        *left_out,
        ("without a flux", int(missing.sum())),
        ("flagged as unusable by the mission", int((flagged & ~missing).sum())),
    )
    return tuple((why, n) for why, n in counts if n)


def _electrons(table: FitsTable, flux: Flux) -> bool:
    unit = table.units[flux.name].lower()
    return "e-" in unit or "electron" in unit


def _levelled(curve: LightCurve, flux: Flux, name: str, *, in_electrons: bool) -> LightCurve:
    """The curve with a flux that was checked; one that came flat is about one."""
    if not flux.is_flat:
        return measured(curve, name, in_electrons=in_electrons)
    curve = without_zeros(curve)
    level = float(np.nanmedian(curve.flux))
    if level > 0.5:  # in the units of the raw flux, or about one
        curve = replace(curve, flux=curve.flux / level, flux_err=curve.flux_err / level)
    return replace(measured(came_flat(curve, name), name), flux_kind=as_flat(curve.flux_kind))


def _quality(table: FitsTable, product: Product, name: str, told: Told) -> tuple[NDArray[np.int64], Counts]:
    """The mission's flags, with `EXCLUDED` where flags of the product's own say so, and how many those are."""
    flags = product.flags
    if told.quality_column:
        asked = told.quality_column.strip().lower()
        if asked not in table.columns:
            raise LightCurveFileError(name, "no_quality", f"has no column {told.quality_column}")
        flags = (Flags(asked, mask=~0),)
    size = table.size
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
    if values.dtype.kind not in "biuf":
        raise LightCurveFileError(name, "no_quality", "has quality flags that are no numbers")
    if values.dtype.kind == "f" and not ((np.abs(values) < LARGEST_FLAGS) & (values == np.floor(values))).all():
        raise LightCurveFileError(name, "no_quality", "has quality flags that are no whole numbers")
    return values.astype(np.int64)


def _as_numbers(table: FitsTable, column: str, name: str) -> Array:
    """A column as numbers, nan where it has the number that stands for no value."""
    values = table.columns[column]
    if values.dtype.kind == "c":
        raise LightCurveFileError(name, "not_a_number", f"its column {column.upper()} holds complex numbers")
    try:
        numbers = values.astype(np.float64)
        return np.where(values == table.nulls[column], np.nan, numbers) if column in table.nulls else numbers
    except (ValueError, TypeError):
        raise LightCurveFileError(name, "not_a_number", f"its column {column.upper()} holds words") from None


def _centroid(table: FitsTable, column: str) -> Array:
    values = table.columns.get(column)
    if values is None or values.dtype.kind not in "iuf":
        return np.full(table.size, np.nan)
    return values.astype(np.float64)
