"""Light curves that users bring, checked: whose star it is, in which mission's flags, of which segment.

Belongs here: what a user's file must say beside its points. Does not belong here: reading the points (`fits_file.py`,
`table_file.py`), and where they are kept (`stored.py`, `exo_resources.user_curves`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.fits_file import LightCurveFileError, read_fits
from exo_assets.lightcurves.mast_names import mission_of, star_in, star_of
from exo_assets.lightcurves.table_file import read_table

MIN_POINTS = 2
MIN_STEP_S = 1.0
"""Points of a space mission are further apart."""


@dataclass(frozen=True)
class Told:
    """What the user says of a file that does not say it itself.

    `target` 'EPIC 201367065'; `mission` whose quality flags it has, that of the target's catalogue unless given;
    `time_zero_bjd` is added to a table's times; `segment` quarter, campaign or sector.
    """

    target: str | None = None
    mission: str | None = None
    time_zero_bjd: float = 0.0
    segment: int | None = None


def user_curve(data: bytes, name: str, told: Told | None = None) -> LightCurve:
    """The light curve in the bytes of a user's FITS file, CSV or Parquet table; `name` is what errors call it.

    A FITS file names its star and mission; what is told must agree with it. The star of a table is told, or named in
    `name` ('EPIC201367065.csv'). LightCurveFileError otherwise.
    """
    told = told or Told()
    given = _star(told.target, name) if told.target is not None else None
    if told.mission is not None and told.mission not in MISSIONS:
        raise LightCurveFileError(name, "no_mission", f"is told to be of {told.mission!r}; say {', '.join(MISSIONS)}")
    if data.startswith(b"SIMPLE"):
        curve = read_fits(data, name)
        curve = replace(curve, target=curve.target or given or _named(name))
        if given not in (None, curve.target):
            raise LightCurveFileError(name, "wrong_target", f"holds {curve.target}, not {given}")
        if curve.mission and told.mission not in (None, curve.mission):
            raise LightCurveFileError(name, "wrong_mission", f"is of {curve.mission}, not {told.mission}")
    else:
        star = given or _named(name)
        curve = replace(read_table(data, name, time_zero_bjd=told.time_zero_bjd), target=star)
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
