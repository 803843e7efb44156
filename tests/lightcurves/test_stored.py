"""Light curves in the lake: what is read is what was written, or an error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from exo_assets.lightcurves.curve import ARRAYS, LightCurve
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.stored import content_digest, notes_of, read_curve, to_parquet
from tests.lightcurves.test_fits_file import a_file

STAR = "EPIC 201367065"


def same(one: LightCurve, other: LightCurve) -> bool:
    return (one.target, one.mission, one.flux_kind) == (other.target, other.mission, other.flux_kind) and all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name not in ("quality", "segment"))
        and getattr(one, name).dtype == getattr(other, name).dtype
        for name in ARRAYS
    )


def a_curve(flux: np.ndarray, segment: int = 3) -> LightCurve:
    n, unknown = flux.size, np.full(flux.size, np.nan)
    return LightCurve(
        target=STAR,
        mission="k2",
        flux_kind="flux",
        time_bjd=2_456_800.0 + 0.02 * np.arange(n),
        flux=flux,
        flux_err=unknown,
        quality=np.arange(n, dtype=np.int64),
        segment=np.full(n, segment, np.int32),
        column=unknown,
        row=unknown,
    )


@given(hnp.arrays(np.float64, st.integers(1, 60)))
def test_a_curve_comes_back_as_it_was(flux: np.ndarray) -> None:
    curve = a_curve(flux)
    data = to_parquet(curve, {"name": "mine.csv"})
    assert same(read_curve(data, "x.parquet", STAR), curve)
    assert notes_of(data, "x.parquet") == {"name": "mine.csv"}


def test_fits_and_tables_are_told_apart() -> None:
    fits = read_curve(a_file(STAR), "x.fits", STAR)
    assert same(read_curve(to_parquet(fits), "x.parquet", STAR), fits)


@pytest.mark.parametrize("data", [a_file("EPIC 2"), to_parquet(a_curve(np.ones(5)))], ids=["fits", "table"])
def test_another_star_is_refused(data: bytes) -> None:
    with pytest.raises(LightCurveFileError, match="not EPIC 1") as caught:
        read_curve(data, "x", "EPIC 1")
    assert caught.value.reason == "wrong_target"


_WHOLE = to_parquet(a_curve(np.linspace(0.99, 1.01, 80)))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 8 * len(_WHOLE) - 1))
def test_no_flipped_bit_is_read_as_other_data(bit: int) -> None:
    data = bytearray(_WHOLE)
    data[bit // 8] ^= 1 << bit % 8
    try:
        curve = read_curve(bytes(data), "x.parquet", STAR)
    except LightCurveFileError:
        return
    assert same(curve, read_curve(_WHOLE, "x.parquet", STAR))


@given(st.integers(0, len(_WHOLE) - 1))
def test_a_cut_table_is_damaged(length: int) -> None:
    with pytest.raises(LightCurveFileError):
        read_curve(_WHOLE[:length], "x.parquet", STAR)


def test_a_foreign_table_is_refused() -> None:
    import io

    import polars as pl

    sink = io.BytesIO()
    pl.DataFrame({"time": [1.0], "flux": [1.0]}).write_parquet(sink)
    with pytest.raises(LightCurveFileError, match="no light curve that Exo wrote"):
        read_curve(sink.getvalue(), "x.parquet", STAR)


def test_the_digest_is_of_the_points_and_whose_they_are() -> None:
    curve = a_curve(np.ones(5))
    assert content_digest(curve) == content_digest(read_curve(to_parquet(curve, {"a": "b"}), "x", STAR))
    assert content_digest(curve) != content_digest(a_curve(np.ones(5), segment=4))
