"""Files of many stars: whose each row is, what is wrong with one, and what is wrong with all."""

from __future__ import annotations

import io
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.many_stars_file import StarRow, holds_many, many_stars
from exo_assets.lightcurves.told import Told
from exo_assets.lightcurves.user_file import UserCurve, user_curves
from tests.lightcurves.many_stars import FLUX, TIME, packed, rows

ZERO = 2_454_833.0


def read(frame: pl.DataFrame, told: Told | None = None) -> list[UserCurve | LightCurveFileError]:
    found = user_curves(packed(frame), "many.parquet", told or Told(time_zero_bjd=ZERO, is_flat=True))
    out = list(found.curves)
    assert len(out) == found.total == frame.height
    return out


def sound(frame: pl.DataFrame, told: Told | None = None) -> list[UserCurve]:
    out = [row for row in read(frame, told) if isinstance(row, UserCurve)]
    assert len(out) == frame.height
    return out


def test_each_row_is_a_star_with_its_own_points() -> None:
    frame = rows(757450, 11442793, flux=[FLUX, (2 * np.array(FLUX)).tolist()], label=[1, 0])
    one, two = sound(frame)
    assert (one.name, one.curve.target, two.curve.target) == (
        "many.parquet, row 1 (KIC 757450)",
        "KIC 757450",
        "KIC 11442793",
    )
    assert (one.curve.mission, one.curve.flux_kind, one.has_segment) == ("kepler", "flux (flat)", False)
    np.testing.assert_array_equal(one.curve.time_bjd, np.array(TIME) + ZERO)
    np.testing.assert_allclose(two.curve.flux - 1, 2 * (one.curve.flux - 1), atol=1e-15)


@pytest.mark.parametrize(
    ("column", "values", "star"),
    [
        ("KIC", [7], "KIC 7"),
        ("epic", [201367065], "EPIC 201367065"),
        ("tic_id", [261136679.0], "TIC 261136679"),
        ("star_id", ["epic 201367065"], "EPIC 201367065"),
        (" Target", ["TIC 7"], "TIC 7"),
    ],
)
def test_the_star_is_named_by_any_of_the_columns(column: str, values: list[Any], star: str) -> None:
    zero = {"KIC": ZERO, "EPIC": ZERO + 2000, "TIC": ZERO + 3500}[star.partition(" ")[0]]
    (found,) = sound(rows(1, kepid=None, **{column: values}), Told(time_zero_bjd=zero, is_flat=True))
    assert found.curve.target == star


def test_errors_flags_and_segments_are_taken_along() -> None:
    errors, flags = [1e-3] * 39 + [None], [8] * 40
    one, two = sound(rows(7, 7, flux_err=[errors, None], quality=[None, flags], segment=[3, 4]))
    assert (set(one.curve.segment), set(two.curve.segment), one.has_segment) == ({3}, {4}, True)
    assert np.isnan(one.curve.flux_err[39]) and one.curve.flux_err[0] == 1e-3 and np.isnan(two.curve.flux_err).all()
    assert set(two.curve.quality) == {8} and set(one.curve.quality) == {0}
    (told,) = sound(rows(7), Told(time_zero_bjd=ZERO, is_flat=True, segment=5))
    assert told.has_segment and set(told.curve.segment) == {5}


@pytest.mark.parametrize(
    ("broken", "reason", "says"),
    [
        ({"time": None}, "no_light_curve", "has no time"),
        ({"time": None, "flux": None}, "no_light_curve", "has no time and no flux"),
        ({"time": TIME[:-1]}, "no_light_curve", "lists of unequal length: 39 of time, 40 of flux"),
        ({"time": [], "flux": []}, "no_light_curve", "no point with a time and a flux"),
        ({"flux": [float("nan")] * 40}, "no_light_curve", "no point with a time and a flux"),
        ({"time": [7.0] * 40}, "no_light_curve", "fewer than two points at different times"),
        ({"time": [float("inf")] * 39 + [7.0]}, "no_light_curve", "fewer than two points"),
        ({"time": [1e9 + t for t in TIME]}, "time_zero", "no barycentric Julian dates"),
        ({"time": [180 + i * 1e-6 for i in range(40)]}, "no_light_curve", "its times are not in days"),
        ({"flux": [900.0 + f for f in FLUX]}, "flux_level", "is not relative"),
        ({"flux": [1e6 * f for f in FLUX]}, "flux_level", "divide it by its level"),
        ({"kepid": None}, "no_target", r"row 2 \(no star\): does not name a star"),
        ({"kepid": 0}, "no_target", r"row 2 \(KIC 0\): does not name a star"),
        ({"kepid": -5}, "no_target", "does not name a star"),
        ({"kepid": 12_345_678_901}, "no_target", "does not name a star"),
        ({"segment": -1}, "no_segment", "segment -1, which is no whole number"),
        ({"segment": 10_000}, "no_segment", "segment 10000"),
    ],
)
def test_a_broken_row_is_named_and_the_others_are_read(broken: dict[str, Any], reason: str, says: str) -> None:
    plain = {"kepid": 5, "time": TIME, "flux": FLUX, "segment": 1}
    kinds = {"kepid": pl.Int64, "time": pl.List(pl.Float64), "flux": pl.List(pl.Float64), "segment": pl.Int64}
    before, found, after = read(
        pl.DataFrame([plain, plain | {"kepid": 7} | broken, plain | {"kepid": 6}], schema=kinds)
    )
    assert isinstance(found, LightCurveFileError) and found.reason == reason
    assert str(found).startswith("many.parquet, row 2 (")
    with pytest.raises(LightCurveFileError, match=says):
        raise found
    assert isinstance(before, UserCurve) and isinstance(after, UserCurve) and after.curve.target == "KIC 6"


def test_points_without_time_or_flux_are_left_out() -> None:
    time, flux = [None, *TIME[1:]], [*FLUX[:-1], float("nan")]
    (found,) = sound(rows(7, time=[time], flux=[flux]))
    assert len(found.curve) == 38


@pytest.mark.parametrize("segments", [None, [1, 1, 2], [1, None, 2]])
def test_a_star_twice_is_refused_unless_each_row_has_its_segment(segments: list[int | None] | None) -> None:
    one, other, two = read(rows(7, 8, 7, segment=segments and [segments[0], segments[2], segments[1]]))
    assert isinstance(other, UserCurve) and other.curve.target == "KIC 8"
    for row in (one, two):
        assert isinstance(row, LightCurveFileError) and row.reason == "star_twice"
        assert "is one of several of KIC 7 (1, 3)" in str(row)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"flux": None}, "has no column flux"),
        ({"kepid": None}, "does not say whose"),
        ({"star_id": ["KIC 7"]}, "in kepid and star_id whose"),
        ({"kepid": ["7"]}, "column kepid holds .*string.*, not a number"),
        ({"kepid": None, "target": [7]}, "column target holds int64, not names"),
        ({"time": [180.0]}, "column time holds double, not a list of numbers"),
        ({"flux": [[[1.0]]]}, "column flux holds .*list.*, not a list of numbers"),
        ({"flux": [["1.0"]]}, "column flux holds .*string.*, not a list of numbers"),
        ({"quality": [0]}, "column quality holds int64, not a list"),
        ({"segment": [[1]]}, "column segment holds .*, not a number"),
        ({"Time": [TIME]}, "more than one column time"),
    ],
)
def test_what_is_wrong_with_a_column_is_wrong_with_the_file(columns: dict[str, Any], says: str) -> None:
    data = packed(rows(7, **columns))
    assert holds_many(data)
    with pytest.raises(LightCurveFileError, match=rf"many\.parquet: .*{says}"):
        many_stars(data, "many.parquet")


def test_an_empty_file_and_options_that_contradict_it_are_refused() -> None:
    with pytest.raises(LightCurveFileError, match="has no rows"):
        user_curves(packed(rows(7).clear()), "many.parquet")
    with pytest.raises(LightCurveFileError, match="leave --target out"):
        user_curves(packed(rows(7)), "many.parquet", Told("KIC 7"))
    with pytest.raises(LightCurveFileError, match="leave --segment out"):
        user_curves(packed(rows(7, segment=[1])), "many.parquet", Told(segment=1))
    with pytest.raises(LightCurveFileError, match="'jwst'"):
        user_curves(packed(rows(7)), "many.parquet", Told(mission="jwst"))
    (wrong,) = read(rows(7), Told(mission="tess", time_zero_bjd=ZERO, is_flat=True))
    assert isinstance(wrong, LightCurveFileError) and wrong.reason == "wrong_mission"


def test_files_of_one_star_are_not_taken_for_one_of_many() -> None:
    one = packed(pl.DataFrame({"time": TIME, "flux": FLUX}))
    assert not any(map(holds_many, (one, b"time,flux\n1,2\n", b"", b"PAR1 and no more", one[:-9])))


def test_lists_of_every_kind_are_read_over_many_batches() -> None:
    n = 600
    points = pa.array(np.tile(TIME, n), pa.float32())
    fixed, large = pa.FixedSizeListArray.from_arrays(points, 40), pa.array([FLUX] * n, pa.large_list(pa.float32()))
    out = io.BytesIO()
    table = pa.table({"tic": pa.array(range(1, n + 1), pa.uint32()), "time": fixed, "flux": large})
    pq.write_table(table, out, row_group_size=170)
    found = many_stars(out.getvalue(), "x")
    got = [row for row in found.rows if isinstance(row, StarRow)]
    assert [row.star_id for row in got] == [f"TIC {i}" for i in range(1, n + 1)]
    assert got[-1].points["time"].to_list() == pytest.approx(TIME, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_is_named_or_still_read(data: st.DataObject) -> None:
    whole = bytearray(packed(rows(7, 8, segment=[1, 2]), compression="uncompressed"))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    if not holds_many(bytes(whole)):
        return
    try:
        found = user_curves(bytes(whole), "x.parquet", Told(time_zero_bjd=ZERO, is_flat=True))
        for row in found.curves:
            assert isinstance(row, UserCurve | LightCurveFileError)
    except LightCurveFileError as error:
        assert str(error).startswith("x.parquet: ")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(100, 1600), st.floats(-0.05, 0.05)), min_size=2, max_size=20),
        min_size=1,
        max_size=8,
    )
)
def test_what_is_written_is_read(stars: list[list[tuple[float, float]]]) -> None:
    frame = rows(
        *range(1, len(stars) + 1),
        time=[[t for t, _ in star] for star in stars],
        flux=[[f for _, f in star] for star in stars],
    )
    for star, found in zip(stars, read(frame), strict=True):
        if isinstance(found, UserCurve):
            expected = sorted((t + ZERO, f + 1) for t, f in star)
            assert sorted(zip(found.curve.time_bjd.tolist(), found.curve.flux.tolist(), strict=True)) == expected
        else:
            times = sorted({t + ZERO for t, _ in star})
            assert len(times) < 2 or np.median([b - a for a, b in pairwise(times)]) * 86_400 < 1


@pytest.mark.archive
def test_real_flat_curves_in_bins_of_72_minutes_are_read(archive_mirror: Path) -> None:
    data = (archive_mirror / "curves" / "kepler_flat_binned.parquet").read_bytes()
    found = user_curves(data, "kepler_flat_binned.parquet", Told(time_zero_bjd=ZERO, is_flat=True))
    first = list(islice(found.curves, 100))
    curves = [row.curve for row in first if isinstance(row, UserCurve)]
    assert len(curves) == 100 and found.total > 1000 and len({curve.target for curve in curves}) == 100
    assert all(abs(np.median(curve.flux) - 1) < 2e-3 and curve.flux.min() > 0 for curve in curves)
    steps = [np.median(np.diff(curve.time_bjd)) * 24 for curve in curves]
    assert min(steps) == pytest.approx(1.2, abs=0.01) and max(steps) == pytest.approx(2.4, abs=0.01)
    measured = list(islice(user_curves(data, "x", Told(time_zero_bjd=ZERO)).curves, 100))
    assert all(isinstance(row, LightCurveFileError) and row.reason == "flux_level" for row in measured)
