"""Light-curve files of Kepler, K2 and TESS: checked to their last byte, and read.

Belongs here: FITS bytes to a light curve, and why a file does not count. Does not belong here: where files come from,
other kinds of files, and cleaning.

A file counts when every unit of it is whole, its checksums (where it has some) are right, it holds a light curve, and
its header names the star that was asked for. Everything else is a `LightCurveFileError` with a reason code, which the
quarantine counts.
"""

from __future__ import annotations

import io
import re
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.curve import EARLIEST_BJD, LATEST_BJD, LightCurve

Array = NDArray[np.float64]

BLOCK = 2880
"""FITS files are multiples of so many bytes (FITS Standard 4.0, section 3.1)."""
FLUX_COLUMNS = (("PDCSAP_FLUX", "PDCSAP_FLUX_ERR"), ("SAP_FLUX", "SAP_FLUX_ERR"), ("FLUX", "FLUX_ERR"))
"""Flux in order of preference: SAP stands in where PDCSAP is absent or empty; `flux_kind` tells."""
MOST_FIELDS = 999
"""Most columns of a table (FITS Standard 4.0, section 7.3.1); a damaged header may ask for more than memory holds."""
_FIELDS = re.compile(rb"TFIELDS *= *([0-9]{1,20})")
_ALL_ONES = 0xFFFFFFFF
_CATALOGUES = {"KIC": "kepler", "EPIC": "k2", "TIC": "tess"}
_ZERO_POINTS = {"kepler": 2_454_833.0, "k2": 2_454_833.0, "tess": 2_457_000.0}
"""BJD of time zero of each mission (BKJD, BTJD), for files that do not say."""


class LightCurveFileError(ValueError):
    """A file that does not count; `reason` is a code for the quarantine, the message is for people."""

    def __init__(self, name: str, reason: str, said: str) -> None:
        super().__init__(f"{name}: {said}")
        self.reason = reason


def read_fits(data: bytes, name: str, target: str | None = None) -> LightCurve:
    """The light curve in the bytes of a FITS file; `name` is what errors call it.

    `target` ('KIC 11442793', 'EPIC 201367065', 'TIC 149603524') is the star that was asked for. Points without a time
    are left out; all others are kept, with their quality. LightCurveFileError otherwise.
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
                _whole(units, data, name)
                curve = _curve(units, name)
        except LightCurveFileError:
            raise
        except Exception as error:  # astropy raises whatever its parsing of a damaged header meets
            raise LightCurveFileError(name, "damaged", f"cannot be read as FITS ({error}); fetch it again") from error
    if target is not None and curve.target != target:
        raise LightCurveFileError(name, "wrong_target", f"holds {curve.target or 'no named star'}, not {target}")
    return curve


def _whole(units: Any, data: bytes, name: str) -> None:
    """LightCurveFileError unless the file ends where its last unit does, and every checksum is right.

    The sums are taken of the bytes as they are (FITS Standard 4.0, section 4.4.2.7): astropy takes them of its own
    rewriting of a table's header, and finds those of all Kepler and TESS light curves wrong.
    """
    for unit in units:
        place = unit.fileinfo()
        start, middle, end = place["hdrLoc"], place["datLoc"], place["datLoc"] + place["datSpan"]
        if end > len(data):
            raise LightCurveFileError(
                name, "truncated", f"has {len(data):,} bytes where its units need {end:,}: fetch it again"
            )
        if "CHECKSUM" in unit.header and ones_sum(data[start:end]) not in (0, _ALL_ONES):
            raise LightCurveFileError(name, "checksum", f"the checksum of unit {unit.name or start} is wrong")
        if "DATASUM" in unit.header and ones_sum(data[middle:end]) != int(unit.header["DATASUM"]):
            raise LightCurveFileError(name, "checksum", f"the data sum of unit {unit.name or start} is wrong")
    if end != len(data):
        raise LightCurveFileError(name, "trailing_bytes", f"has {len(data) - end:,} bytes after its last unit")


def ones_sum(data: bytes) -> int:
    """The 32-bit ones' complement sum of big-endian words; `data` is a multiple of four bytes long."""
    total = int(np.frombuffer(data, ">u4").sum(dtype=np.uint64))
    while total >> 32:
        total = (total & _ALL_ONES) + (total >> 32)
    return total


def _curve(units: Any, name: str) -> LightCurve:
    table = next((u for u in units if getattr(u, "columns", None) is not None and "TIME" in u.columns.names), None)
    if table is None:
        raise LightCurveFileError(name, "no_light_curve", "has no table with a column TIME")
    columns = {c: np.asarray(table.data[c]) for c in table.columns.names if np.asarray(table.data[c]).ndim == 1}
    target, mission = _star(units[0].header)
    kind, flux, error = _flux(columns, name)
    zero = table.header.get("BJDREFI")
    reference = _ZERO_POINTS.get(mission, 0.0) if zero is None else zero + table.header.get("BJDREFF", 0.0)
    time = columns["TIME"].astype(np.float64) + reference
    quality = next((columns[c] for c in ("QUALITY", "SAP_QUALITY") if c in columns), np.zeros(time.size))
    if not np.isfinite(quality).all():
        raise LightCurveFileError(name, "no_quality", "has quality flags that are no numbers")
    unknown = np.full(time.size, np.nan)
    header = units[0].header
    segment = next((header[k] for k in ("QUARTER", "CAMPAIGN", "SECTOR") if isinstance(header.get(k), int)), 0)
    curve = LightCurve(
        target=target,
        mission=mission,
        flux_kind=kind,
        time_bjd=time,
        flux=flux,
        flux_err=error,
        quality=quality.astype(np.int64),
        segment=np.full(time.size, segment, np.int32),
        column=columns.get("MOM_CENTR1", unknown).astype(np.float64),
        row=columns.get("MOM_CENTR2", unknown).astype(np.float64),
    )
    timed = curve.where(np.isfinite(time))
    if not len(timed):
        raise LightCurveFileError(name, "no_light_curve", "has no point with a time")
    first, last = timed.time_bjd.min(), timed.time_bjd.max()
    if not (first > EARLIEST_BJD and last < LATEST_BJD):
        raise LightCurveFileError(
            name,
            "time_zero",
            f"has times from {first:g} to {last:g} with the zero point of its header (BJDREFI, BJDREFF), no "
            "barycentric Julian dates",
        )
    return timed.where(np.argsort(timed.time_bjd, kind="stable"))


def _flux(columns: dict[str, Array], name: str) -> tuple[str, Array, Array]:
    for kind, error in FLUX_COLUMNS:
        if kind in columns and np.isfinite(columns[kind]).any():
            flux = columns[kind].astype(np.float64)
            return kind, flux, columns.get(error, np.full(flux.size, np.nan)).astype(np.float64)
    raise LightCurveFileError(name, "no_light_curve", f"has no flux in {', '.join(kind for kind, _ in FLUX_COLUMNS)}")


def _star(header: Any) -> tuple[str, str]:
    """Target in the catalogue's spelling, and mission; empty where the header does not say."""
    found = re.fullmatch(r"\s*(KIC|EPIC|TIC)\s*0*(\d+)\s*", str(header.get("OBJECT", "")))
    if found:
        return f"{found[1]} {found[2]}", _CATALOGUES[found[1]]
    mission = str(header.get("MISSION") or header.get("TELESCOP") or "").strip().lower()
    return "", mission if mission in _ZERO_POINTS else ""
