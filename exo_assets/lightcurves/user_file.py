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
from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.fits_file import LightCurveFileError, read_fits
from exo_assets.lightcurves.flux_level import at_level, came_flat
from exo_assets.lightcurves.many_stars_file import SEGMENT, StarRow, many_stars
from exo_assets.lightcurves.mast_names import mission_of, star_in, star_of
from exo_assets.lightcurves.table_file import curve_in, read_table

MIN_POINTS = 2
MIN_STEP_S = 1.0
"""Points of a space mission are further apart."""


@dataclass(frozen=True)
class Told:
    """What the user says of a file that does not say it itself.

    `target` 'EPIC 201367065'; `mission` whose quality flags it has, that of the target's catalogue unless given;
    `time_zero_bjd` is added to a table's times; `segment` quarter, campaign or sector; `is_flat`: the trend was taken
    out of a table's flux before, which is relative now, about one or about zero.
    """

    target: str | None = None
    mission: str | None = None
    time_zero_bjd: float = 0.0
    segment: int | None = None
    is_flat: bool = False


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


def user_curve(data: bytes, name: str, told: Told | None = None) -> LightCurve:
    """The light curve in the bytes of a user's FITS file, CSV or Parquet table; `name` is what errors call it.

    A FITS file names its star and mission; what is told must agree with it. The star of a table is told, or named in
    `name` ('EPIC201367065.csv'). LightCurveFileError otherwise.
    """
    told = told or Told()
    given = _star(told.target, name) if told.target is not None else None
    _known_mission(name, told)
    if data.startswith(b"SIMPLE"):
        curve = read_fits(data, name)
        curve = replace(curve, target=curve.target or given or _named(name))
        if given not in (None, curve.target):
            raise LightCurveFileError(name, "wrong_target", f"holds {curve.target}, not {given}")
        if curve.mission and told.mission not in (None, curve.mission):
            raise LightCurveFileError(name, "wrong_mission", f"is of {curve.mission}, not {told.mission}")
        if told.is_flat:
            raise LightCurveFileError(
                name, "flux_level", f"holds the mission's {curve.flux_kind}, which is not flat: leave --flat out"
            )
    else:
        star = given or _named(name)
        curve = replace(read_table(data, name, time_zero_bjd=told.time_zero_bjd), target=star)
        curve = (came_flat if told.is_flat else at_level)(curve, name)
    return _checked(curve, name, told)


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
        curve = replace(curve_in(row.points, row.name, time_zero_bjd=told.time_zero_bjd), target=row.star_id)
        curve = (came_flat if told.is_flat else at_level)(curve, row.name)
        return UserCurve(row.name, _checked(curve, row.name, told), told.segment is not None)
    except LightCurveFileError as error:
        return error


def _known_mission(name: str, told: Told) -> None:
    if told.mission is not None and told.mission not in MISSIONS:
        raise LightCurveFileError(name, "no_mission", f"is told to be of {told.mission!r}; say {', '.join(MISSIONS)}")


def _checked(curve: LightCurve, name: str, told: Told) -> LightCurve:
    """The curve with its mission and the segment that was told; LightCurveFileError unless it is of a star."""
    if star_of(curve.target) is None:
        raise LightCurveFileError(name, "no_target", f"is of {curve.target!r}, which is no star of KIC, EPIC or TIC")
    mission = mission_of(curve.target)
    if mission != (told.mission or curve.mission or mission):
        said = told.mission or curve.mission
        raise LightCurveFileError(
            name, "wrong_mission", f"is of {curve.target}, a star of {mission}'s catalogue, and said to be of {said}"
        )
    curve = replace(curve, mission=mission)
    if told.segment is not None:
        curve = replace(curve, segment=np.full(len(curve), told.segment, np.int32))
    if len(curve) < MIN_POINTS or not np.ptp(curve.time_bjd) > 0:
        raise LightCurveFileError(name, "no_light_curve", "has fewer than two points at different times")
    step_s = float(np.median(np.diff(np.unique(curve.time_bjd)))) * 86_400
    if step_s < MIN_STEP_S:
        raise LightCurveFileError(name, "no_light_curve", f"has points {step_s:.2g} s apart: its times are not in days")
    return curve


def _named(name: str) -> str:
    star = star_in(name.replace("\\", "/").rpartition("/")[2])
    if star is None:
        raise LightCurveFileError(
            name, "no_target", "does not say whose light curve it is: give the star, such as --target 'EPIC 201367065'"
        )
    return star


def _star(target: str, name: str) -> str:
    star = star_of(target)
    if star is None:
        raise LightCurveFileError(
            name, "no_target", f"{target!r} is no star: write KIC, EPIC or TIC and a number, such as 'EPIC 201367065'"
        )
    return star
