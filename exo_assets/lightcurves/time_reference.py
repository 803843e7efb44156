"""What the times of a light curve are counted from, and in which unit.

Belongs here: from the keywords and units of a FITS table to barycentric Julian dates, and what a mission's times can
be. Does not belong here: reading files.

The reference of times is, in this order: what the user says; the table's keywords (FITS Standard 4.0, section 9.2.1:
MJDREF, JDREF and DATEREF, whole or split into I and F; BJDREF is that of Kepler and TESS, Kepler Archive Manual section
2.3.2); the unit of the column ('BJD - 2457000', 'btjd'); none where the times are Julian dates as they are; the
convention of the mission that the file names. Where none of these says it, it is asked for. The catalogue that a star's
name belongs to says nothing of who observed it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.curve import EARLIEST_BJD, LATEST_BJD
from exo_assets.lightcurves.file_error import LightCurveFileError

Array = NDArray[np.float64]

MJD_ZERO = 2_400_000.5
ZERO_POINTS = {"kepler": 2_454_833.0, "k2": 2_454_833.0, "tess": 2_457_000.0}
"""BJD of time zero of each mission (BKJD, BTJD), for files that name the mission and not the zero."""
OBSERVED_BJD = {
    "kepler": (2_454_890.0, 2_458_500.0),
    "k2": (2_454_890.0, 2_458_500.0),
    "tess": (2_458_230.0, LATEST_BJD),
}
"""From the launch of a telescope to the end of its observations."""
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "a": 31_557_600.0, "yr": 31_557_600.0, "cy": 3.15576e9}
"""Units of time (FITS Standard 4.0, section 9.3), in seconds."""
_SPELT = {"sec": "s", "second": "s", "seconds": "s", "minute": "min", "minutes": "min", "hr": "h", "hour": "h"}
_SPELT |= {"hours": "h", "day": "d", "days": "d", "jd": "d", "bjd": "d", "mjd": "d", "ms": "", "us": ""}
_SCALED = {"ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_FORMATS = {"bkjd": 2_454_833.0, "btjd": 2_457_000.0, "mjd": MJD_ZERO, "bmjd": MJD_ZERO, "jd": 0.0, "bjd": 0.0}
"""Names of time formats that stand in the place of a unit (those of astropy and lightkurve)."""
_MINUS = re.compile(r"\b[bh]?jd(?:[ _]?tdb)?\s*-\s*(\d{7}(?:\.\d+)?)", re.IGNORECASE)
EARLIEST_MJD = 40_000.0
"""Earlier times are no modified Julian dates of a photometer: what wrote a WCS left MJDREF = 0 then."""
ASK = "say what its times are counted from with --time-zero (2454833 for Kepler's BKJD, 2457000 for TESS's BTJD)"


@dataclass(frozen=True)
class Reference:
    """What times are counted from: a barycentric Julian date, who says so, and what was noticed."""

    bjd: float
    source: str
    notes: tuple[str, ...] = ()


def days_of(values: Array, unit: str, headers: Sequence[Mapping[str, Any]], name: str) -> Array:
    """Times in days, from the column's unit or else TIMEUNIT; days where neither says it, as all missions have it.

    TIMEOFFS is added. LightCurveFileError for a unit that is none of time.
    """
    given = unit.strip().lower()
    keyword = str(_first(headers, "TIMEUNIT") or "").strip().lower()
    known = given if _seconds(given) else keyword or "d"
    seconds = _seconds(known)
    if seconds is None:
        raise LightCurveFileError(name, "time_zero", f"has times in {known!r} (TIMEUNIT), which is no unit of time")
    offset = _number(headers, "TIMEOFFS", name) or 0.0
    return (values + offset) * (seconds / SECONDS["d"])


def _seconds(unit: str) -> float | None:
    return _SCALED.get(unit) or SECONDS.get(_SPELT.get(unit) or unit)


def reference(
    days: Array, unit: str, headers: Sequence[Mapping[str, Any]], *, mission: str, told: float | None, name: str
) -> Reference:
    """What the times `days` of a FITS table are counted from; `headers` are the table's and the file's.

    `mission` is the one that the file names, or its product. LightCurveFileError where nothing says it, and where what
    the file says puts its times outside the years in which its mission observed.
    """
    said = _said(days, unit, headers, name)
    if told is not None:
        notes: tuple[str, ...] = ()
        if said is not None and abs(said.bjd - told) > 1e-6:
            notes = (f"its times are counted from {told:.15g}, as told, not from {said.bjd:.15g} ({said.source})",)
        return Reference(told, "--time-zero", notes)
    if said is None and mission in ZERO_POINTS:
        said = Reference(ZERO_POINTS[mission], f"the convention of {mission}", ())
    if said is None:
        raise LightCurveFileError(name, "time_zero", f"does not say what its times are counted from: {ASK}")
    first, last = float(days.min()) + said.bjd, float(days.max()) + said.bjd
    begin, end = OBSERVED_BJD.get(mission, (EARLIEST_BJD, LATEST_BJD))
    if not (first > begin and last < end):
        when = f"when {mission} did not observe" if mission in OBSERVED_BJD else "no barycentric Julian dates"
        raise LightCurveFileError(
            name,
            "time_zero",
            f"has times from {first:.10g} to {last:.10g}, counted from {said.bjd:.15g} ({said.source}), {when}: {ASK}",
        )
    return said


def julian(days: Array, zero_bjd: float, name: str) -> Array:
    """`days` after `zero_bjd` as barycentric Julian dates; LightCurveFileError where they are none."""
    time = days + zero_bjd
    if not (time.min() > EARLIEST_BJD and time.max() < LATEST_BJD):
        raise LightCurveFileError(
            name,
            "time_zero",
            f"has times from {time.min():g} to {time.max():g}, no barycentric Julian dates: say what is to be "
            "added (--time-zero 2454833 to Kepler's BKJD, 2457000 to TESS's BTJD)",
        )
    return time


def outside(time: Array, mission: str) -> str | None:
    """What is to be told of times at which a mission did not observe; None of others."""
    begin, end = OBSERVED_BJD.get(mission, (EARLIEST_BJD, LATEST_BJD))
    if time.min() > begin and time.max() < end:
        return None
    return f"its times, from {time.min():.10g} to {time.max():.10g}, are not those in which {mission} observed"


def _said(days: Array, unit: str, headers: Sequence[Mapping[str, Any]], name: str) -> Reference | None:
    """What a file says of its time zero, by keywords, by unit, or because its times are whole Julian dates."""
    whole = bool(days.min() > EARLIEST_BJD and days.max() < LATEST_BJD)
    for key, zero in (("BJDREF", 0.0), ("MJDREF", MJD_ZERO), ("JDREF", 0.0)):
        found = _split(headers, key, name)
        if found is None or (key == "MJDREF" and not found and days.min() < EARLIEST_MJD):
            continue
        if whole:
            notes = (f"{key} {found:.15g} is not added to whole Julian dates",) if found else ()
            return Reference(0.0, "times are Julian dates", notes)
        return Reference(found + zero, key)
    day = _first(headers, "DATEREF")
    if day and not whole:
        return Reference(_of_date(str(day), name), "DATEREF")
    minus = _MINUS.search(unit)
    if minus and not whole:
        return Reference(float(minus[1]), f"unit {unit.strip()!r}")
    if not whole and (zero_of := _FORMATS.get(unit.strip().lower())) is not None and zero_of > 0:
        return Reference(zero_of, f"unit {unit.strip()!r}")
    return Reference(0.0, "times are Julian dates") if whole else None


def _split(headers: Sequence[Mapping[str, Any]], key: str, name: str) -> float | None:
    """A keyword given whole, or as an integer and a fraction (the fraction may be missing)."""
    integer, fraction = _number(headers, f"{key}I", name), _number(headers, f"{key}F", name)
    if integer is not None or fraction is not None:
        return (integer or 0.0) + (fraction or 0.0)
    return _number(headers, key, name)


def _number(headers: Sequence[Mapping[str, Any]], key: str, name: str) -> float | None:
    value = _first(headers, key)
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not np.isfinite(number):
        raise LightCurveFileError(name, "time_zero", f"has {key} = {value!r}, which is no number: {ASK}")
    return number


def _first(headers: Sequence[Mapping[str, Any]], key: str) -> Any:
    """The value of a keyword in the first header that has one."""
    return next((h[key] for h in headers if key in h and isinstance(h[key], str | int | float) and h[key] != ""), None)


def _of_date(text: str, name: str) -> float:
    try:
        if not re.match(r"\s*\d{4}-\d{2}-\d{2}", text):
            raise ValueError(text)
        moment = np.datetime64(text.strip().rstrip("Z"), "ms")
    except ValueError:
        raise LightCurveFileError(name, "time_zero", f"has DATEREF = {text!r}, which is no date: {ASK}") from None
    since = moment - np.datetime64("2000-01-01T12:00:00", "ms")
    return 2_451_545.0 + float(since / np.timedelta64(1, "ms")) / 86_400_000
