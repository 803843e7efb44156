"""Light curves that users bring, checked: whose star it is, in which mission's flags, of which segment.

Belongs here: what a user's file must say beside its points. Does not belong here: reading the points (`fits_file.py`,
`table_file.py`, `many_stars_file.py`), what its flux is relative to (`flux_level.py`), and where they are kept
(`stored.py`, `exo_resources.user_curves`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.lightcurves.curve import EXCLUDED, UNUSABLE, LightCurve, is_flat
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.fits_file import read_fits
from exo_assets.lightcurves.flux_level import came_flat, magnitudes_in, measured, of_magnitudes, without_zeros
from exo_assets.lightcurves.many_stars_file import SEGMENT, StarRow, many_stars
from exo_assets.lightcurves.mast_names import mission_of, star_in, star_of
from exo_assets.lightcurves.stored import is_canonical, read_canonical
from exo_assets.lightcurves.table_file import curve_in, read_table
from exo_assets.lightcurves.time_reference import observed, outside
from exo_assets.lightcurves.told import Told

MIN_POINTS = 2
MIN_STEP_S = 1.0
"""Points of a space mission are further apart."""


@dataclass(frozen=True)
class UserCurve:
    """A light curve of a file, what errors call it, and whether the file or the user says its segment."""

    name: str
    curve: LightCurve
    has_segment: bool


@dataclass(frozen=True)
class UserCurves:
    """How many rows a file of many stars has, and their light curves; of a row that is none the error that says why."""

    total: int
    curves: Iterator[UserCurve | LightCurveFileError]


def any_curve(data: bytes, name: str, told: Told | None = None) -> LightCurve:
    """The light curve in the bytes of a FITS file, of a CSV or Parquet table, or of a table that Exo wrote; `name` is
    what errors call it.

    Its star (told, of the header, or in `name`) and its mission are empty where nothing says them. LightCurveFileError
    for a file that is no light curve, or contradicts what is told.
    """
    told = told or Told()
    given = _star(told.target, name) if told.target is not None else None
    _known_mission(name, told)
    named = given or star_in(_base(name)) or ""
    if _is_table(data):
        columns = {"time": told.time_column, "flux": told.flux_column, "quality": told.quality_column}
        asked = {what: column for what, column in columns.items() if column}
        zero = told.time_zero_bjd or 0.0
        table = read_table(data, name, time_zero_bjd=zero, mission=told.mission or "", columns=asked)
        return _of_table(replace(table, target=named), name, told)
    curve = read_fits(data, name, told=told) if _is_fits(data) else measured(read_canonical(data, name), name)
    curve = replace(curve, target=curve.target or named)
    if given not in (None, curve.target) and not _other_name(curve):
        raise LightCurveFileError(name, "wrong_target", f"holds {curve.target}, not {given}")
    if curve.mission and told.mission not in (None, curve.mission):
        raise LightCurveFileError(name, "wrong_mission", f"is of {curve.mission}, not {told.mission}")
    if told.is_flat and not is_flat(curve.flux_kind):
        raise LightCurveFileError(
            name, "flux_level", f"holds the mission's {curve.flux_kind}, which is not flat: leave --flat out"
        )
    return _with_mission(replace(curve, target=given or curve.target))


def user_curve(data: bytes, name: str, told: Told | None = None) -> LightCurve:
    """The light curve of a star in the bytes of a user's file, as `any_curve` reads it.

    A FITS file names its star and mission; what is told must agree with it. The star of a table is told, or named in
    `name` ('EPIC201367065.csv'). LightCurveFileError otherwise.
    """
    told = told or Told()
    if _is_table(data) and told.target is None and star_in(_base(name)) is None:
        raise _nameless(name)
    return _checked(any_curve(data, name, told), name, told)


def _is_fits(data: bytes) -> bool:
    return data.startswith(b"SIMPLE")


def _is_table(data: bytes) -> bool:
    return not (_is_fits(data) or is_canonical(data))


def _base(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _nameless(name: str) -> LightCurveFileError:
    return LightCurveFileError(
        name, "no_target", "does not say whose light curve it is: give the star, such as --target 'EPIC 201367065'"
    )


def _other_name(curve: LightCurve) -> bool:
    """Whether a curve has its star's name in another catalogue than that of the mission which observed it."""
    return bool(curve.mission) and star_of(curve.target) is not None and mission_of(curve.target) != curve.mission


def _of_table(curve: LightCurve, name: str, told: Told) -> LightCurve:
    """A table's curve with its mission, its flux checked, and what its flags and times say."""
    curve = _with_mission(curve)
    if scale := magnitudes_in(curve.flux_kind):
        said = f"its column {curve.flux_kind} holds magnitudes, which are made a flux"
        curve = replace(curve, flux=of_magnitudes(scale * curve.flux), origin=curve.origin.noted(said))
        curve = replace(curve, flux_err=scale * curve.flux_err * curve.flux * (np.log(10) / 2.5))
    curve = measured(came_flat(without_zeros(curve), name) if told.is_flat else curve, name)
    flagged = int(((curve.quality & UNUSABLE.get(curve.mission, 0)) != 0).sum())
    if flagged:
        left_out = (*curve.origin.left_out, ("flagged as unusable by the mission", flagged))
        curve = replace(curve, origin=replace(curve.origin, left_out=left_out))
    away = outside(curve.time_bjd, curve.mission)
    return replace(curve, origin=curve.origin.noted(away)) if away else curve


def _with_mission(curve: LightCurve) -> LightCurve:
    """The curve with its mission. Where neither file nor user says it, it is that of the catalogue of the star's name,
    if that observed at the curve's times; what is not known is told."""
    notes = []
    if not curve.mission and star_of(curve.target) is not None:
        likely = mission_of(curve.target)
        if observed(curve.time_bjd, likely):
            notes.append(f"its mission is not said: {likely}, by its times and its star's catalogue")
            curve = replace(curve, mission=likely)
        else:
            notes.append(f"its mission is not known: {_doubt(curve)}")
    if not curve.mission and (curve.quality & ~EXCLUDED).any():
        notes.append(
            "its quality flags exclude nothing while its mission is not known: say it with --mission, or name a column "
            "that excludes with --quality-column"
        )
    return replace(curve, origin=curve.origin.noted(*notes))


def _doubt(curve: LightCurve) -> str:
    likely = mission_of(curve.target)
    return (
        f"{curve.target} is a star of {likely}'s catalogue, and {likely} did not observe at its times, from "
        f"{curve.time_bjd.min():.10g} to {curve.time_bjd.max():.10g}: say with --mission who did, or with --time-zero "
        "what its times are counted from"
    )


def user_curves(data: bytes, name: str, told: Told | None = None) -> UserCurves:
    """The light curves in the bytes of a user's Parquet file that `holds_many` stars; `name` is what errors call it.

    LightCurveFileError for a file none of whose rows can be read; reading the rows raises it for a damaged file.
    """
    told = told or Told()
    _known_mission(name, told)
    many = many_stars(data, name)
    if told.target is not None:
        raise LightCurveFileError(
            name, "wrong_target", f"holds many stars, which its column {many.star_column} names: leave --target out"
        )
    if told.segment is not None and many.has_segments:
        raise LightCurveFileError(name, "no_segment", f"has a column {SEGMENT}: leave --segment out")
    return UserCurves(many.total, (_of_row(row, told) for row in many.rows))


def _of_row(row: StarRow | LightCurveFileError, told: Told) -> UserCurve | LightCurveFileError:
    if isinstance(row, LightCurveFileError):
        return row
    told = told if row.segment is None else replace(told, segment=row.segment)
    try:
        zero = told.time_zero_bjd or 0.0
        curve = curve_in(row.points, row.name, time_zero_bjd=zero, mission=told.mission or "")
        curve = _of_table(replace(curve, target=row.star_id), row.name, told)
        return UserCurve(row.name, _checked(curve, row.name, told), told.segment is not None)
    except LightCurveFileError as error:
        return error


def _known_mission(name: str, told: Told) -> None:
    if told.mission is not None and told.mission not in MISSIONS:
        raise LightCurveFileError(name, "no_mission", f"is told to be of {told.mission!r}; say {', '.join(MISSIONS)}")


def _checked(curve: LightCurve, name: str, told: Told) -> LightCurve:
    """The curve with the segment that was told; LightCurveFileError unless its star is of its mission's catalogue."""
    if not curve.target:
        raise _nameless(name)
    if star_of(curve.target) is None:
        raise LightCurveFileError(name, "no_target", f"is of {curve.target!r}, which is no star of KIC, EPIC or TIC")
    if told.segment is not None:
        curve = replace(curve, segment=np.full(len(curve), told.segment, np.int32))
    if len(curve) < MIN_POINTS or not np.ptp(curve.time_bjd) > 0:
        raise LightCurveFileError(name, "no_light_curve", "has fewer than two points at different times")
    step_s = float(np.median(np.diff(np.unique(curve.time_bjd)))) * 86_400
    if step_s < MIN_STEP_S:
        raise LightCurveFileError(name, "no_light_curve", f"has points {step_s:.2g} s apart: its times are not in days")
    if not curve.mission:
        raise LightCurveFileError(name, "no_mission", f"does not say which mission observed it: {_doubt(curve)}")
    if mission_of(curve.target) != curve.mission:
        raise LightCurveFileError(
            name,
            "wrong_mission",
            f"is of {curve.target}, a star of {mission_of(curve.target)}'s catalogue, and said to be of "
            f"{curve.mission}: name the star by {curve.mission}'s catalogue with --target",
        )
    return curve


def _star(target: str, name: str) -> str:
    star = star_of(target)
    if star is None:
        raise LightCurveFileError(
            name, "no_target", f"{target!r} is no star: write KIC, EPIC or TIC and a number, such as 'EPIC 201367065'"
        )
    return star
