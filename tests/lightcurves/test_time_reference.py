"""What times are counted from: by keywords, unit, mission or told, and asked for when nothing says it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import BTJD, TESS, noisy, planet, spoc, times

from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.fits_file import read_fits
from exo_assets.lightcurves.time_reference import strays
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
        ({"TELESCOP": "Kepler", "KEPLERID": 201367065}, "k2"),  # as K2SC's second release writes it
        ({"TELESCOP": "Kepler", "KEPLERID": 11442793}, "kepler"),
        ({"TELESCOP": "Kepler", "OBJECT": "201367065"}, "k2"),
        ({"TELESCOP": "Kepler", "OBJECT": "TIC 7", "KEPLERID": 201367065}, "k2"),
    ],
)
def test_the_mission_is_who_observed(file: dict[str, Any], mission: str) -> None:
    zero = {"BJDREFI": 2457000} if mission in ("tess", "") else {"BJDREFI": 2454833}
    assert read_fits(spoc(TIME, first=file, header=zero, flux_name="FLUX"), "x.fits").mission == mission


@pytest.mark.parametrize(
    ("file", "table", "star", "mission"),
    [
        ({"KEPLERID": 201367065}, {}, "EPIC 201367065", "k2"),
        ({"KEPLERID": 212099230, "OBJECT": ""}, {}, "EPIC 212099230", "k2"),
        ({"KEPLERID": 11442793}, {}, "KIC 11442793", "kepler"),
        ({"OBJECT": "201367065"}, {}, "EPIC 201367065", "k2"),
        ({"OBJECT": "11442793"}, {}, "KIC 11442793", "kepler"),
        ({}, {"OBJECT": "EPIC 201367065"}, "EPIC 201367065", "k2"),
        ({"OBJECT": "EPIC201367065"}, {}, "EPIC 201367065", "k2"),
        ({"KEPLERID": 7}, {"CAMPAIGN": 4}, "EPIC 7", "k2"),
        ({"KEPLERID": 11442793, "QUARTER": 5}, {}, "KIC 11442793", "kepler"),
        ({"EPICID": 201367065}, {}, "EPIC 201367065", "k2"),
        ({"TELESCOP": "TESS", "KEPLERID": 11442793}, {}, "KIC 11442793", "tess"),
        ({"TELESCOP": "TESS", "TICID": 7}, {}, "TIC 7", "tess"),
    ],
)
def test_the_kepler_telescopes_stars_are_of_kepler_or_of_k2(
    file: dict[str, Any], table: dict[str, Any], star: str, mission: str
) -> None:
    zero = {"BJDREFI": 2457000} if mission == "tess" else {"BJDREFI": 2454833}
    curve = read_fits(spoc(TIME, first={"TELESCOP": "Kepler", **file}, header={**zero, **table}), "x.fits")
    assert (curve.target, curve.mission) == (star, mission)


BAD_STAMPS = [0.0, -1.0, 9999999.0, -1e6, 1e30, 50_000.0, -99999.0]


@pytest.mark.parametrize("stamp", BAD_STAMPS)
@pytest.mark.parametrize("count", [1, 5])
def test_bad_stamps_are_left_out_counted_and_named(stamp: float, count: int) -> None:
    time = times(days=10)
    bad = np.linspace(3, time.size - 9, count).astype(int)
    time[bad] = stamp
    rest = np.delete(time, bad) + BTJD
    flux = 1e4 * noisy(planet(time))
    text = "time,flux\n" + "".join(f"{t!r},{f!r}\n" for t, f in zip((time + BTJD).tolist(), flux.tolist(), strict=True))
    for curve in (
        read_fits(spoc(time, flux), "x.fits"),
        read_fits(spoc(time, flux), "x.fits", told=Told(time_zero_bjd=BTJD)),
        any_curve(text.encode(), "x.csv", Told(mission="tess")),
    ):
        np.testing.assert_allclose(curve.time_bjd, rest)
        assert curve.origin.left_out == (("with a bad time stamp", count),)
        assert f"{count} of {time.size} points are left out: their times ({stamp + BTJD:.10g})" in curve.origin.notes[0]


def test_a_point_years_away_is_a_bad_stamp_and_an_earlier_season_is_none() -> None:
    time = times(days=10, step_s=600)
    away = time.copy()
    away[7] += 900
    curve = read_fits(spoc(away), "x.fits")
    assert len(curve) == time.size - 1 and curve.origin.left_out == (("with a bad time stamp", 1),)
    seasons = np.concatenate([time, time[:60] + 900])
    assert len(read_fits(spoc(seasons), "x.fits")) == seasons.size


def test_a_reference_that_moves_data_across_the_limit_is_refused_and_no_point_is_dropped() -> None:
    """A third of the points before the launch of TESS: the reference is wrong, not the stamps."""
    time = 1230 + np.arange(-10, 20, 0.02)
    with pytest.raises(LightCurveFileError, match="when tess did not observe"):
        read_fits(spoc(time), "x.fits")


@pytest.mark.parametrize("per_day", [86_400.0, 86_400_000.0, 1e12])
def test_times_in_other_units_are_refused_though_each_is_alone(per_day: float) -> None:
    text = "time,flux\n" + "".join(f"{t!r},1.0\n" for t in ((TIME + BTJD) * per_day).tolist())
    with pytest.raises(LightCurveFileError, match="no barycentric Julian dates"):
        any_curve(text.encode(), "x.csv")


@settings(max_examples=60, deadline=None)
@given(st.integers(100, 300), st.data())
def test_no_stray_stamp_hides_the_others(size: int, data: st.DataObject) -> None:
    time = BTJD + 1400 + np.arange(size) * 0.02
    count = data.draw(st.integers(0, size // 3))
    stamps = st.one_of(st.floats(-1e300, 2_458_000), st.floats(2_500_001, 1e300))
    time[:count] = data.draw(st.lists(stamps, min_size=count, max_size=count))
    np.testing.assert_array_equal(strays(time, "tess"), np.arange(size) < count)


def test_a_user_cannot_make_a_file_another_missions() -> None:
    with pytest.raises(LightCurveFileError, match="is of tess, not kepler"):
        any_curve(spoc(TIME), "x.fits", Told(mission="kepler"))
