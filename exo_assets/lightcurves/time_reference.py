"""What the times of a light curve are counted from, and in which unit.

Belongs here: from the keywords and units of a FITS table to barycentric Julian dates, what a mission's times can be,
and which stamps are none. Does not belong here: reading files.

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
BETWEEN_MISSIONS_BJD = 2_456_550.0
"""The Kepler telescope ended its first mission in May 2013, and began K2 in February 2014."""
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
APART_DAYS = 30.0
"""Bad stamps are so far from the data: those that a wrong reference moves across a limit are not."""
LONELY_DAYS, LONELY_POINTS, LONELY_SHARE = 365.25, 10, 0.01
"""So few points so far from all others are no observation, when all that are so few are so small a share."""
SHOWN_STAMPS = 3
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
    said = _said(float(np.median(days)), unit, headers, name)
    if told is not None:
        notes: tuple[str, ...] = ()
        if said is not None and abs(said.bjd - told) > 1e-6:
            notes = (f"its times are counted from {told:.15g}, as told, not from {said.bjd:.15g} ({said.source})",)
        return Reference(told, "--time-zero", notes)
    if said is None and mission in ZERO_POINTS:
        said = Reference(ZERO_POINTS[mission], f"the convention of {mission}", ())
    if said is None:
        raise LightCurveFileError(name, "time_zero", f"does not say what its times are counted from: {ASK}")
    time = days + said.bjd
    sound = time[~strays(time, mission)]
    first, last = float(sound.min()), float(sound.max())
    begin, end = OBSERVED_BJD.get(mission, (EARLIEST_BJD, LATEST_BJD))
    if not (first > begin and last < end):
        when = f"when {mission} did not observe" if mission in OBSERVED_BJD else "no barycentric Julian dates"
        raise LightCurveFileError(
            name,
            "time_zero",
            f"has times from {first:.10g} to {last:.10g}, counted from {said.bjd:.15g} ({said.source}), {when}: {ASK}",
        )
    return said


def dated(days: Array, zero_bjd: float, mission: str, name: str) -> tuple[Array, NDArray[np.bool_], tuple[str, ...]]:
    """`days` after `zero_bjd` as barycentric Julian dates, which of them are bad stamps, and words that name those.

    LightCurveFileError where the others are no barycentric Julian dates.
    """
    time = days + zero_bjd
    bad = strays(time, mission)
    first, last = float(time[~bad].min()), float(time[~bad].max())
    if not (first > EARLIEST_BJD and last < LATEST_BJD):
        raise LightCurveFileError(
            name,
            "time_zero",
            f"has times from {first:g} to {last:g}, no barycentric Julian dates: say what is to be "
            "added (--time-zero 2454833 to Kepler's BKJD, 2457000 to TESS's BTJD)",
        )
    if not bad.any():
        return time, bad, ()
    some = ", ".join(f"{stamp:.10g}" for stamp in np.unique(time[bad])[:SHOWN_STAMPS])
    more = ", ..." if np.unique(time[bad]).size > SHOWN_STAMPS else ""
    those = f"their times ({some}{more}) are far from all others, which are from {first:.10g} to {last:.10g}"
    return time, bad, (f"{int(bad.sum()):,} of {time.size:,} points are left out: {those}",)


def strays(time: Array, mission: str = "") -> NDArray[np.bool_]:
    """Which times (BJD) are bad stamps: those of few points that are when the mission did not observe, or are no dates
    at all, and those of single points years from all others.

    Where half of the points or more are outside, or data run on across the limit, it is not stamps that are wrong but
    what times are counted from: then none is bad.
    """
    bad = np.zeros(time.size, bool)
    for begin, end in (OBSERVED_BJD.get(mission, (EARLIEST_BJD, LATEST_BJD)), (EARLIEST_BJD, LATEST_BJD)):
        out = ~((time > begin) & (time < end))
        if out.any() and 2 * out.sum() < time.size:
            inside = time[~out]
            if np.maximum(inside.min() - time[out], time[out] - inside.max()).min() > APART_DAYS:
                bad = out
                break
    order = np.flatnonzero(~bad)[np.argsort(time[~bad], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(time[order]) > LONELY_DAYS) + 1)
    lonely = np.concatenate([g[: g.size if g.size <= LONELY_POINTS else 0] for g in groups])
    if lonely.size < LONELY_SHARE * time.size:
        bad[lonely] = True
    return bad


def outside(time: Array, mission: str) -> str | None:
    """What is to be told of times at which a mission did not observe; None of others."""
    begin, end = OBSERVED_BJD.get(mission, (EARLIEST_BJD, LATEST_BJD))
    if time.min() > begin and time.max() < end:
        return None
    return f"its times, from {time.min():.10g} to {time.max():.10g}, are not those in which {mission} observed"


def observed(time: Array, mission: str) -> bool:
    """Whether a mission observed at these times (BJD). Kepler and K2 were one telescope, one after the other."""
    begin, end = OBSERVED_BJD[mission]
    end = min(end, BETWEEN_MISSIONS_BJD) if mission == "kepler" else end
    begin = max(begin, BETWEEN_MISSIONS_BJD) if mission == "k2" else begin
    return bool(time.min() > begin and time.max() < end)


def _said(middle: float, unit: str, headers: Sequence[Mapping[str, Any]], name: str) -> Reference | None:
    """What a file says of its time zero, by keywords, by unit, or because its times, about `middle`, are whole Julian
    dates."""
    whole = EARLIEST_BJD < middle < LATEST_BJD
    for key, zero in (("BJDREF", 0.0), ("MJDREF", MJD_ZERO), ("JDREF", 0.0)):
        found = _split(headers, key, name)
        if found is None or (key == "MJDREF" and not found and middle < EARLIEST_MJD):
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
