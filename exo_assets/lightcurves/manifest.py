"""Tables that list light-curve files, one a row, with what the files do not say themselves.

Belongs here: which files a table lists and what it tells of each. Does not belong here: reading them.

A row that is broken is an error that names it, and the others are read. What is wrong with the header is wrong with the
list.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.many_stars_file import MOST_SEGMENT, SEGMENT, STAR_COLUMNS
from exo_assets.lightcurves.mast_names import star_of
from exo_assets.lightcurves.told import Told

FILE_COLUMNS = ("file", "file_name", "filename", "path")
"""Columns with the name of a file, relative to the table's folder; the first that is there counts."""
MISSION, TIME_ZERO = "mission", "time_zero"
NAMES_OF_COLUMNS = ("flux_column", "time_column", "quality_column")
KNOWN = (*FILE_COLUMNS, *STAR_COLUMNS, MISSION, TIME_ZERO, SEGMENT, *NAMES_OF_COLUMNS)
ALIKE = 0.85
"""A column so like one that is known (difflib's ratio) is taken for misspelt."""
HEAD = 4096
"""Bytes that hold a header line."""
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_SEPARATORS = ",;\t"


@dataclass(frozen=True)
class Listed:
    """A file of a list, as the list names it, and what is told of it."""

    file: str
    told: Told


def is_list(data: bytes) -> bool:
    """Whether the bytes are a CSV table with a column of file names and none of fluxes."""
    coding = _coding(data)
    size = HEAD - HEAD % 2 if coding == "utf-16" else HEAD
    names = _names(_lines(data[:size].decode(coding, "replace"))[:1])
    return any(c in names for c in FILE_COLUMNS) and "flux" not in names


def listed(data: bytes, name: str, told: Told) -> list[Listed | LightCurveFileError]:
    """The files in the bytes of a table that `is_list`; `told` is told of each, and the table's own words go before.

    Beside the file, columns may say `target` (or kepid, epic, tic, star_id), `mission`, `time_zero`, `segment` and the
    names of columns; others are ignored. A row that is broken is the error that says why. LightCurveFileError for a
    table that cannot be read, lists no file, or has a column twice or one that is misspelt.
    """
    try:
        lines = _lines(data.decode(_coding(data)))
        rows = list(csv.reader(lines, delimiter=_separator(lines[0]), strict=True))
    except UnicodeDecodeError as error:
        said = f"is no UTF-8 text (byte 0x{data[error.start]:02x} at {error.start:,}): save it as UTF-8"
        raise LightCurveFileError(name, "damaged", said) from error
    except csv.Error as error:
        raise LightCurveFileError(name, "damaged", f"is no readable list of files ({error})") from error
    header = _names(lines[:1])
    if wrong := _wrong(header):
        raise LightCurveFileError(name, "no_list", wrong)
    found = list(_listed(rows[1:], header, name, told))
    if not found:
        raise LightCurveFileError(name, "no_list", "lists no file: a row for each is needed below its header")
    return found


def _coding(data: bytes) -> str:
    return next((coding for bom, coding in _BOMS.items() if data.startswith(bom)), "utf-8")


def _lines(text: str) -> list[str]:
    """Lines that hold something, whatever ends them, without comments; quoted line breaks stay."""
    lines = io.StringIO(text, newline=None).read().lstrip("\ufeff").split("\n")
    return [line + "\n" for line in lines if line.strip() and not line.startswith("#")]


def _separator(header: str) -> str:
    return max(_SEPARATORS, key=header.count)


def _names(lines: Sequence[str]) -> list[str]:
    """The names of columns in a header line, in small letters."""
    return [c.strip().strip('"').strip().lower() for line in lines for c in line.split(_separator(line))]


def _wrong(header: Sequence[str]) -> str | None:
    """What is wrong with a list's columns, if anything is."""
    if twice := sorted({c for c in header if c in KNOWN and header.count(c) > 1}):
        return f"has more than one column {', '.join(twice)}; rename one"
    for column in header:
        alike = difflib.get_close_matches(column, KNOWN, 1, ALIKE)
        if column not in KNOWN and alike and alike[0] not in header:
            return f"has a column {column!r}, which is none that is known: {alike[0]!r} is meant? Rename it"
    return None


def _listed(
    rows: Sequence[Sequence[str]], header: Sequence[str], name: str, told: Told
) -> Iterator[Listed | LightCurveFileError]:
    column = next(c for c in FILE_COLUMNS if c in header)
    for number, row in enumerate(rows, start=1):
        called = f"{name}, row {number}"
        try:
            if len(row) != len(header):
                said = f"has {len(row)} values where the header has {len(header)} columns"
                raise LightCurveFileError(called, "no_list", said)
            said_of = {c: value.strip() for c, value in zip(header, row, strict=True) if value.strip()}
            if not said_of:
                continue
            file = said_of.get(column, "")
            if not file or "\0" in file:
                raise LightCurveFileError(called, "no_list", f"names no file in its column {column}")
            yield Listed(file, _told(said_of, told, called))
        except LightCurveFileError as error:
            yield error


def _told(said: Mapping[str, str], told: Told, name: str) -> Told:
    """What is told of a row's file; LightCurveFileError for a value that is none."""
    words = {c: said[c] for c in NAMES_OF_COLUMNS if c in said}
    stars = list(dict.fromkeys(_star(said[c], c, name) for c in STAR_COLUMNS if c in said))
    if len(stars) > 1:
        raise LightCurveFileError(name, "no_target", f"names {' and '.join(stars)}: leave one")
    mission = said.get(MISSION, "").lower() or told.mission
    if mission is not None and mission not in MISSIONS:
        said_of = f"is said to be of {said[MISSION]!r}, which is no mission; say {', '.join(MISSIONS)}"
        raise LightCurveFileError(name, "no_mission", said_of)
    told = replace(told, target=stars[0] if stars else told.target, mission=mission, **words)  # type: ignore[arg-type]
    if TIME_ZERO in said:
        told = replace(told, time_zero_bjd=_number(said[TIME_ZERO], TIME_ZERO, name))
    if SEGMENT in said:
        number = _number(said[SEGMENT], SEGMENT, name)
        if not (number == int(number) and 0 <= number <= MOST_SEGMENT):
            what = f"has the segment {said[SEGMENT]!r}, which is no whole number from 0 to {MOST_SEGMENT}"
            raise LightCurveFileError(name, "no_segment", what)
        told = replace(told, segment=int(number))
    return told


def _star(text: str, column: str, name: str) -> str:
    number = re.sub(r"\.0*$", "", text)
    is_number = bool(STAR_COLUMNS[column]) and number.isdecimal()
    star = star_of(f"{STAR_COLUMNS[column]}{number}" if is_number else text)
    if star is None:
        said = f"has {column} {text!r}, which is no star: write KIC, EPIC or TIC and a number, such as 'EPIC 201367065'"
        raise LightCurveFileError(name, "no_target", said)
    return star


def _number(text: str, column: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise LightCurveFileError(name, "not_a_number", f"has {column} {text!r}, which is no number")
    return number
