"""What times are counted from: by keywords, unit, mission or told, and asked for when nothing says it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import BTJD, TESS, spoc, times

from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.fits_file import read_fits
from exo_assets.lightcurves.told import Told
from exo_assets.lightcurves.user_file import any_curve

TIME = times(days=3)
NOBODY = {"OBJECT": "KIC 8462852"}
OF_KEY = {"BJDREF": 0.0, "JDREF": 0.0, "MJDREF": 2_400_000.5}
PER_DAY = {"d": 1.0, "h": 24.0, "min": 1440.0, "s": 86_400.0}


def first(data: bytes, told: Told | None = None) -> float:
    return float(read_fits(data, "x.fits", told=told).time_bjd[0])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(OF_KEY)),
    st.integers(2_450_000, 2_458_000),
    st.floats(0, 0.9, allow_subnormal=False),
    st.sampled_from(["split", "whole", "integer"]),
    st.sampled_from(sorted(PER_DAY)),
)
def test_any_keyword_split_and_unit_gives_the_same_times(
    key: str, zero: int, fraction: float, how: str, unit: str
) -> None:
    value = zero - OF_KEY[key] + (fraction if how != "integer" else 0)
    whole = int(np.floor(value))
    header: dict[str, Any] = {key: value} if how == "whole" else {f"{key}I": whole, f"{key}F": value - whole}
    if how == "integer" and value == whole:
        del header[f"{key}F"]
    header["TIMEUNIT"] = unit
    bjd = value + OF_KEY[key]
    data = spoc((TIME + BTJD - bjd) * PER_DAY[unit], header=header, units={"TIME": "BJD - 2457000, days"})
    assert first(data) == pytest.approx(BTJD + TIME[0], abs=1e-6)


@pytest.mark.parametrize(
    ("file", "header", "units", "shift"),
    [
        (TESS, {}, {}, 0.0),  # the mission's convention
        ({"MISSION": "TESS", **NOBODY}, {}, {}, 0.0),  # not the catalogue's, which the star's name is of
        (NOBODY, {}, {"TIME": "BJD - 2457000, days"}, 0.0),
        (NOBODY, {}, {"TIME": "btjd"}, 0.0),
        (NOBODY, {"DATEREF": "2014-12-08T12:00:00"}, {}, 0.0),
        (NOBODY, {"JDREFI": 2458000}, {"TIME": "BJD - 2457000, days"}, -1000.0),  # keywords go before units
        (TESS, {"BJDREFI": 2457000}, {}, BTJD),  # Julian dates already
        (NOBODY, {"MJDREF": 0.0}, {"TIME": "d"}, BTJD - 2_400_000.5),
        ({**TESS, "MJDREF": 0.0}, {}, {}, 0.0),  # left by what wrote a WCS
        (TESS, {"BJDREFI": 2457000, "TIMEOFFS": 0.25}, {}, -0.25),
    ],
)
def test_a_reference_is_found_where_it_is_said(
    file: dict[str, Any], header: dict[str, Any], units: dict[str, str], shift: float
) -> None:
    assert first(spoc(TIME + shift, first=file, header=header, units=units)) == pytest.approx(BTJD + TIME[0], abs=1e-7)


def test_what_nothing_says_is_asked_for_and_what_is_told_is_obeyed() -> None:
    data = spoc(TIME, first=NOBODY, header={}, flux_name="FLUX")
    with pytest.raises(LightCurveFileError, match=r"--time-zero") as caught:
        read_fits(data, "x.fits")
    assert caught.value.reason == "time_zero"
    curve = any_curve(data, "x.fits", Told(mission="tess", time_zero_bjd=BTJD))
    assert (curve.mission, curve.time_bjd[0], curve.target) == ("tess", BTJD + TIME[0], "KIC 8462852")
    assert curve.origin.time_zero_from == "--time-zero" and curve.origin.notes == ()


def test_a_reference_that_puts_a_mission_where_it_did_not_observe_is_refused_unless_it_is_told() -> None:
    data = spoc(TIME, header={"BJDREFI": 2454833})
    with pytest.raises(LightCurveFileError, match=r"when tess did not observe.*--time-zero"):
        read_fits(data, "x.fits")
    curve = read_fits(data, "x.fits", told=Told(time_zero_bjd=BTJD))
    assert curve.time_bjd[0] == BTJD + TIME[0]
    assert "not from 2454833 (BJDREF)" in curve.origin.notes[0], "it is told that the file says otherwise"


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"JDREFI": "soon"}, "JDREFI = 'soon'"),
        ({"TIMEUNIT": "fortnight"}, "'fortnight'"),
        ({"DATEREF": "now"}, "'now'"),
    ],
)
def test_keywords_that_say_nothing_are_named(header: dict[str, Any], says: str) -> None:
    with pytest.raises(LightCurveFileError, match=says):
        read_fits(spoc(TIME, first=NOBODY, header=header), "x.fits")


@pytest.mark.parametrize(
    ("file", "mission"),
    [
        ({"TELESCOP": "Kepler", "MISSION": "K2", "OBJECT": "EPIC 7"}, "k2"),
        ({"TELESCOP": "Kepler", "OBJECT": "EPIC 7"}, "k2"),
        ({"TELESCOP": "Kepler", "OBJECT": "TIC 7"}, "kepler"),
        ({"TELESCOP": "Kepler", "CAMPAIGN": 5, "KEPLERID": 7}, "k2"),
        ({"TELESCOP": "TESS", "OBJECT": "EPIC 7"}, "tess"),
        ({"MISSION": "TESS", "OBJECT": "7"}, "tess"),
        ({"OBJECT": "KIC 7"}, ""),
    ],
)
def test_the_mission_is_who_observed(file: dict[str, Any], mission: str) -> None:
    zero = {"BJDREFI": 2457000} if mission in ("tess", "") else {"BJDREFI": 2454833}
    assert read_fits(spoc(TIME, first=file, header=zero, flux_name="FLUX"), "x.fits").mission == mission


def test_a_user_cannot_make_a_file_another_missions() -> None:
    with pytest.raises(LightCurveFileError, match="is of tess, not kepler"):
        any_curve(spoc(TIME), "x.fits", Told(mission="kepler"))
