"""Users' files: whose star, which mission, which segment; and what is said when that is not known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from exo_assets.lightcurves.curve import LightCurve, usable
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.told import Told
from exo_assets.lightcurves.user_file import any_curve, user_curve, user_curves
from tests.lightcurves.layouts import BKJD, BTJD, noisy, planet, spoc, times
from tests.lightcurves.many_stars import packed, rows
from tests.lightcurves.test_fits_file import a_file

CSV = b"time,flux\n2456810.1,1.0\n2456810.2,0.99\n"


def test_a_table_is_of_the_star_that_is_told_or_named() -> None:
    named = user_curve(CSV, "/data/EPIC201367065.csv")
    told = user_curve(CSV, "mine.csv", Told("epic 201367065"))
    assert (named.target, named.mission) == (told.target, told.mission) == ("EPIC 201367065", "k2")
    assert user_curve(CSV, "TIC7.csv", Told("EPIC 9")).target == "EPIC 9", "what is told comes first"


def test_segment_and_zero_point_are_what_is_told_and_the_mission_is_the_stars() -> None:
    table = CSV.replace(b"24568", b"")
    curve = user_curve(table, "x.csv", Told("TIC 7", mission="tess", time_zero_bjd=2456800, segment=9))
    assert (curve.mission, set(curve.segment), curve.time_bjd[0]) == ("tess", {9}, 2456810.1)
    assert curve.segment.dtype == np.int32
    with pytest.raises(LightCurveFileError, match="TIC 7, a star of tess's catalogue, and said to be of kepler"):
        user_curve(table, "x.csv", Told("TIC 7", mission="kepler", time_zero_bjd=2456800))


def test_stars_that_are_none_and_points_that_follow_too_close_are_refused() -> None:
    with pytest.raises(LightCurveFileError, match="'KIC 0', which is no star"):
        user_curve(a_file("KIC 0"), "x.fits")
    close = b"time,flux\n" + b"".join(b"2456800.%09d,1.0\n" % i for i in range(300))
    with pytest.raises(LightCurveFileError, match="s apart: its times are not in days"):
        user_curve(close, "x.csv", Told("TIC 7"))


def test_a_table_that_came_flat_is_about_one_and_says_so() -> None:
    about_zero = CSV.replace(b"1.0", b"0.01").replace(b"0.99", b"-0.02")
    curve = user_curve(about_zero, "x.csv", Told("EPIC 7", is_flat=True))
    assert curve.flux.tolist() == [1.01, 0.98] and curve.flux_kind == "flux (flat)"
    assert user_curve(CSV, "x.csv", Told("EPIC 7", is_flat=True)).flux.tolist() == [1.0, 0.99]


def test_a_fits_file_speaks_for_itself() -> None:
    curve = user_curve(a_file(), "x.fits")
    assert (curve.target, curve.mission, set(curve.segment)) == ("KIC 11442793", "kepler", {5})
    assert user_curve(a_file("mystery", MISSION="K2"), "x.fits", Told("EPIC 9")).target == "EPIC 9"


@pytest.mark.parametrize(
    ("data", "name", "told", "reason", "says"),
    [
        (CSV, "mine.csv", Told(), "no_target", "--target 'EPIC 201367065'"),
        (CSV, "/EPIC201367065/mine.csv", Told(), "no_target", "does not say whose"),
        (CSV, "mine.csv", Told("K2-3"), "no_target", "'K2-3' is no star"),
        (CSV, "mine.csv", Told("KIC 7", mission="jwst"), "no_mission", "kepler, k2, tess"),
        (a_file(), "x.fits", Told("KIC 7"), "wrong_target", "holds KIC 11442793, not KIC 7"),
        (a_file(), "x.fits", Told(mission="tess"), "wrong_mission", "is of kepler, not tess"),
        (CSV[:25], "x.csv", Told("KIC 7"), "no_light_curve", "two points"),
        (CSV.replace(b"24568", b""), "x.csv", Told("KIC 7"), "time_zero", "2454833"),
        (CSV.replace(b"1.0", b"0.0").replace(b"0.99", b"-0.01"), "x.csv", Told("KIC 7"), "flux_level", "about zero"),
        (
            CSV.replace(b"1.0", b"800").replace(b"0.99", b"799"),
            "x.csv",
            Told("KIC 7", is_flat=True),
            "flux_level",
            "not rel",
        ),
        (a_file(), "x.fits", Told(is_flat=True), "flux_level", "mission's PDCSAP_FLUX, which is not flat"),
        (a_file()[:-100], "x.fits", Told(), "truncated", "cut off"),
    ],
)
def test_what_does_not_count_is_refused_with_its_reason(
    data: bytes, name: str, told: Told, reason: str, says: str
) -> None:
    with pytest.raises(LightCurveFileError, match=says) as caught:
        user_curve(data, name, told)
    assert caught.value.reason == reason and name in str(caught.value)


KEPLER_DAYS, K2_DAYS, TESS_DAYS = 540 + BKJD, 1980 + BKJD, 1354 + BTJD
DAYS = times(0, 10)


def _in_csv(star: str, start: float, told: Told) -> LightCurve:
    text = "time,flux\n" + "".join(f"{start + t},{f}\n" for t, f in zip(DAYS, noisy(planet(DAYS)), strict=True))
    return user_curve(text.encode(), "x.csv", replace(told, target=star))


def _among_many(star: str, start: float, told: Told) -> LightCurve:
    frame = rows(1, kepid=None, star_id=[star], time=[(start + DAYS).tolist()], flux=[noisy(planet(DAYS)).tolist()])
    (one,) = user_curves(packed(frame), "x.parquet", told).curves
    if isinstance(one, LightCurveFileError):
        raise one
    return one.curve


def _in_fits(star: str, start: float, told: Told) -> LightCurve:
    return user_curve(spoc(start + DAYS, first={"OBJECT": star}, header={}, flux_name="FLUX"), "x.fits", told)


every_door = pytest.mark.parametrize("read", [_in_csv, _among_many, _in_fits])
Read = Callable[[str, float, Told], LightCurve]


@every_door
@pytest.mark.parametrize(
    ("star", "start", "mission"),
    [("KIC 7", KEPLER_DAYS, "kepler"), ("EPIC 201367065", K2_DAYS, "k2"), ("TIC 7", TESS_DAYS, "tess")],
)
def test_a_mission_that_is_not_said_is_that_of_stars_name_and_times_and_told(
    read: Read, star: str, start: float, mission: str
) -> None:
    curve = read(star, start, Told())
    assert (curve.target, curve.mission) == (star, mission)
    assert f"its mission is not said: {mission}, by its times" in " ".join(curve.origin.notes)
    said = read(star, start, Told(mission=mission))
    assert said.mission == mission and said.origin.notes == ()


@every_door
@pytest.mark.parametrize(
    ("star", "start", "by"),
    [
        ("KIC 8462852", TESS_DAYS, "tess"),
        ("EPIC 201367065", TESS_DAYS + 2000, "tess"),
        ("TIC 7", KEPLER_DAYS, "kepler"),
        ("TIC 7", K2_DAYS, "k2"),
        ("EPIC 201367065", KEPLER_DAYS, "kepler"),
        ("KIC 7", K2_DAYS, "k2"),
    ],
)
def test_a_star_seen_by_another_mission_than_its_catalogues_is_asked_for(
    read: Read, star: str, start: float, by: str
) -> None:
    with pytest.raises(LightCurveFileError, match=rf"which mission observed it: {star} .*--mission who did") as caught:
        read(star, start, Told())
    assert caught.value.reason == "no_mission"
    with pytest.raises(LightCurveFileError, match=f"name the star by {by}'s catalogue with --target"):
        read(star, start, Told(mission=by))


def test_flags_count_by_the_mission_or_are_said_not_to() -> None:
    flags = np.where(np.arange(DAYS.size) % 5 == 0, 128, 0)
    lines = zip(TESS_DAYS + DAYS, noisy(planet(DAYS)), flags, strict=True)
    table = ("time,flux,quality\n" + "".join(f"{t},{f},{q}\n" for t, f, q in lines)).encode()
    for told in (Told("TIC 7"), Told("TIC 7", mission="tess"), Told(mission="tess")):
        curve = any_curve(table, "x.csv", told)
        assert usable(curve).sum() == (flags == 0).sum() and curve.mission == "tess"
        assert curve.origin.left_out == (("flagged as unusable by the mission", int((flags != 0).sum())),)
    for told in (Told(), Told("KIC 7")):
        curve = any_curve(table, "x.csv", told)
        assert curve.mission == "" and "its quality flags exclude nothing" in curve.origin.notes[-1]
