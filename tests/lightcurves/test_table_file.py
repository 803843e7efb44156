"""Light curves that users bring as tables."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.table_file import read_table

SOUND = (
    b"# mine\nTime, Flux,flux_err,quality,note\n2455000.2,1.001,0.001,0,x\n2455000.1,0.999,,4,\n2455000.3,nan,1,0,\n"
)


def test_a_csv_is_read_sorted_and_without_empty_points() -> None:
    curve = read_table(SOUND, "mine.csv", mission="kepler")
    assert curve.time_bjd.tolist() == [2455000.1, 2455000.2] and curve.flux.tolist() == [0.999, 1.001]
    assert np.isnan(curve.flux_err[0]) and curve.flux_err[1] == 0.001 and curve.quality.tolist() == [4, 0]
    assert (curve.target, curve.mission, curve.flux_kind) == ("mine.csv", "kepler", "flux")


def test_a_parquet_file_is_read_and_its_times_are_moved() -> None:
    out = io.BytesIO()
    pl.DataFrame({"time": [1325.5, 1325.6], "flux": [1.0, None], "x": [1, 2]}).write_parquet(out)
    curve = read_table(out.getvalue(), "t.parquet", time_zero_bjd=2_457_000.0)
    assert curve.time_bjd.tolist() == [2458325.5] and curve.quality.tolist() == [0]


@given(st.lists(st.tuples(st.floats(2_400_001, 2_499_999), st.floats(-1e6, 1e6)), min_size=1, max_size=30))
def test_what_is_written_is_read(points: list[tuple[float, float]]) -> None:
    frame = pl.DataFrame(points, schema={"time": pl.Float64, "flux": pl.Float64}, orient="row")
    curve = read_table(frame.write_csv().encode(), "t.csv")
    assert sorted(zip(curve.time_bjd.tolist(), curve.flux.tolist(), strict=True)) == sorted(points)


@pytest.mark.parametrize(
    ("data", "reason", "says"),
    [
        (b"", "damaged", "no readable CSV"),
        (b"PAR1 and no more", "damaged", "no readable CSV"),
        (b"1.0,2.0\n3.0,4.0\n", "no_light_curve", "no column time and no column flux .*1.0, 2.0.*header"),
        (b"time,brightness\n2455000,1\n", "no_light_curve", "no column flux"),
        (b"time,flux\n2455000,1\n2455001,one\n", "not_a_number", "column flux has 'one' in row 2"),
        (b"time,flux\n,\n", "no_light_curve", "no point"),
        (b"time,flux\n1325.5,1\n", "time_zero", "2457000"),
        (b"time,Time,flux\n2455000,1,1\n", "no_light_curve", "more than one column time"),
        (b"time,flux,quality\n2455000,1,1e30\n", "not_a_number", "'1e30' in row 1, which is no whole number"),
        (b"time,flux,quality\n2455000,1,nan\n", "not_a_number", "'nan' in row 1, which is no whole number"),
    ],
)
def test_what_is_no_light_curve_is_refused_with_its_reason(data: bytes, reason: str, says: str) -> None:
    with pytest.raises(LightCurveFileError, match=says) as caught:
        read_table(data, "mine.csv")
    assert caught.value.reason == reason and "mine.csv" in str(caught.value)


def test_a_column_of_words_in_parquet_is_named() -> None:
    out = io.BytesIO()
    pl.DataFrame({"time": [2455000.0], "flux": [[1.0]]}).write_parquet(out)
    with pytest.raises(LightCurveFileError, match="column flux holds List"):
        read_table(out.getvalue(), "t.parquet")


def test_two_columns_of_the_same_name_are_refused() -> None:
    with pytest.raises(LightCurveFileError, match="more than one column flux"):
        read_table(b"time,flux,flux\n2456800.1,1,5\n2456800.2,1,5\n", "x.csv")
