"""Light-curve files: whole ones are read, all others are refused with a reason."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.lightcurves.curve import ARRAYS
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.fits_file import BLOCK, ones_sum, read_fits
from tests.lightcurves.layouts import IN_BTJD, TESS, fits_file, noisy, planet, times

POINTS = 200


def a_file(
    target: str = "KIC 11442793", *, sap_only: bool = False, columns: tuple[str, ...] = (), **header: Any
) -> bytes:
    """A simulated light-curve file in the archive's layout, with checksums."""
    from astropy.io import fits

    is_tess = header.get("MISSION") == "TESS"
    time = (1400 if is_tess else 100) + np.arange(POINTS) * 0.02
    time[[3, 50]] = np.nan
    flux = np.full(POINTS, 1000.0, np.float32)
    flux[7] = np.nan
    values = {
        "TIME": time,
        "SAP_FLUX": flux + 1,
        "SAP_FLUX_ERR": flux * 1e-4,
        "PDCSAP_FLUX": np.full(POINTS, np.nan, np.float32) if sap_only else flux,
        "PDCSAP_FLUX_ERR": flux * 1e-4,
        "SAP_QUALITY": np.arange(POINTS, dtype=np.int32) % 2 * 128,
        "MOM_CENTR1": np.full(POINTS, 12.5),
        "MOM_CENTR2": np.full(POINTS, 40.5),
    }
    chosen = columns or tuple(values)
    kinds = {np.dtype(np.float64): "D", np.dtype(np.float32): "E", np.dtype(np.int32): "J"}
    table = fits.BinTableHDU.from_columns(
        [fits.Column(n, kinds[np.asarray(values[n]).dtype], array=values[n]) for n in chosen], name="LIGHTCURVE"
    )
    table.header["BJDREFI"], table.header["BJDREFF"] = 2457000 if is_tess else 2454833, 0.0
    first = fits.PrimaryHDU()
    first.header["OBJECT"], first.header["MISSION"], first.header["QUARTER"] = target, "Kepler", 5
    for name, value in header.items():
        first.header[name] = value
    out = io.BytesIO()
    fits.HDUList([first, table]).writeto(out, checksum=True)
    return out.getvalue()


def test_a_whole_file_is_read() -> None:
    curve = read_fits(a_file(), "q5.fits", "KIC 11442793")
    assert (curve.target, curve.mission, curve.flux_kind, len(curve)) == (
        *("KIC 11442793", "kepler", "PDCSAP_FLUX"),
        POINTS - 2,
    )
    assert curve.time_bjd[0] == 2454933.0 and (np.diff(curve.time_bjd) > 0).all()
    assert set(curve.segment) == {5} and np.isnan(curve.flux).sum() == 1
    assert curve.quality[1] == 128 and curve.column[0] == 12.5 and curve.row[0] == 40.5


def test_sap_stands_in_for_pdcsap_and_says_so() -> None:
    curve = read_fits(a_file(sap_only=True), "q5.fits")
    assert curve.flux_kind == "SAP_FLUX" and curve.flux[0] == 1001


@pytest.mark.parametrize(
    ("target", "mission", "shown"),
    [
        ("EPIC 201367065", "k2", "EPIC 201367065"),
        ("TIC 0149603524", "kepler", "TIC 149603524"),  # a star's name says nothing of who observed it
        ("unknown", "kepler", ""),
    ],
)
def test_the_star_is_told_by_the_header(target: str, mission: str, shown: str) -> None:
    curve = read_fits(a_file(target), "x.fits")
    assert (curve.target, curve.mission) == (shown, mission)


def _damaged() -> dict[str, tuple[bytes, str]]:
    whole = a_file()
    flipped = bytearray(whole)
    flipped[-BLOCK - 100] ^= 4
    return {
        "empty": (b"", "not_fits"),
        "page": (b"<html>error 503</html>", "not_fits"),
        "cut in a block": (whole[:-100], "truncated"),
        "cut between blocks": (whole[:-BLOCK], "truncated"),
        "longer": (whole + b"\0" * BLOCK, "trailing_bytes"),
        "flipped": (bytes(flipped), "checksum"),
        "no times": (a_file(columns=("SAP_FLUX",)), "no_light_curve"),
        "no flux": (a_file(columns=("TIME", "MOM_CENTR1")), "no_light_curve"),
        "another star": (a_file("KIC 8006161"), "wrong_target"),
    }


@pytest.mark.parametrize("kind", list(_damaged()))
def test_what_does_not_count_is_refused_with_its_reason(kind: str) -> None:
    data, reason = _damaged()[kind]
    with pytest.raises(LightCurveFileError, match=r"^bad") as caught:
        read_fits(data, "bad.fits", "KIC 11442793")
    assert caught.value.reason == reason


_WHOLE = a_file()
DATA = 4 * BLOCK
"""Bytes of its table's data, which end the file."""


def test_a_header_that_was_edited_over_sound_data_is_read_with_a_warning() -> None:
    data = _WHOLE.replace(b"QUARTER =                    5", b"QUARTER =                    6")
    curve = read_fits(data, "edited.fits", "KIC 11442793")
    (note,) = curve.origin.notes
    assert set(curve.segment) == {6} and "header of unit PRIMARY was changed" in note and "data are sound" in note
    assert read_fits(_WHOLE, "whole.fits").origin.notes == ()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 8 * len(_WHOLE) - 1))
def test_no_flipped_bit_is_read_as_other_data(bit: int) -> None:
    data = bytearray(_WHOLE)
    data[bit // 8] ^= 1 << bit % 8
    try:
        curve = read_fits(bytes(data), "bad.fits", "KIC 11442793")
    except LightCurveFileError:
        return
    # A header that was changed is told of; otherwise only the name of the checksum's own keyword can change unseen.
    if any("changed after its checksum was taken" in note for note in curve.origin.notes):
        assert bit // 8 < len(_WHOLE) - DATA, "no bit of the data"
        return
    sound = read_fits(_WHOLE, "sound.fits")
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(curve, name), getattr(sound, name))


@given(st.binary(min_size=4, max_size=400).map(lambda b: b[: len(b) // 4 * 4]))
def test_the_sum_is_the_standards(data: bytes) -> None:
    total = 0
    for i in range(0, len(data), 4):
        total += int.from_bytes(data[i : i + 4], "big")
        total = (total & 0xFFFFFFFF) + (total >> 32)
    assert ones_sum(data) % 0xFFFFFFFF == total % 0xFFFFFFFF


@pytest.mark.archive
def test_every_file_of_the_mirror_is_read_or_refused_with_a_reason(archive_mirror: Path) -> None:
    """The three asteroseismic products are no light curves in the archive's layout; all others are."""
    refused = {}
    for path in sorted((archive_mirror / "mast").glob("*.fits")):
        try:
            curve = read_fits(path.read_bytes(), path.name)
            assert len(curve) > 1000 and curve.mission and np.isfinite(curve.flux).mean() > 0.8
        except LightCurveFileError as error:
            refused[path.name] = error.reason
    assert set(refused.values()) == {"no_light_curve"}
    assert all(name.startswith("starprivateer_0") for name in refused) and len(refused) == 3


def test_a_header_that_asks_for_a_billion_columns_is_refused_before_they_are_made() -> None:
    data = a_file()
    start = data.index(b"TFIELDS =")
    huge = data[:start] + b"TFIELDS =            999999999" + data[start + 30 :]
    with pytest.raises(LightCurveFileError, match="999,999,999 columns"):
        read_fits(huge, "x.fits")


@pytest.mark.parametrize("axes", [1000, 999_999_999_999])
def test_a_header_that_asks_for_endless_axes_is_refused_before_they_are_counted(axes: int) -> None:
    data = a_file()
    start = data.rindex(b"NAXIS   =")
    with pytest.raises(LightCurveFileError, match=f"{axes:,} axes") as caught:
        read_fits(data[:start] + b"NAXIS   = %20d" % axes + data[start + 30 :], "x.fits")
    assert caught.value.reason == "damaged"


def test_what_is_beside_time_and_flux_does_not_refuse_a_file_and_is_not_made_up() -> None:
    time = times(days=2)
    flux = noisy(planet(time))
    words = np.array(["x"] * time.size)
    for sector, known in ((2**40, 0), (-1, 0), (True, 0), ("one", 0), (12, 12)):
        data = fits_file({"TIME": time, "FLUX": flux, "MOM_CENTR1": words}, first={**TESS, "SECTOR": sector})
        curve = read_fits(data, "x.fits")
        assert set(curve.segment) == {known} and np.isnan(curve.column).all()


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("QUALITY", np.full(96, 1e30), "no_quality"),
        ("QUALITY", np.full(96, 0.5), "no_quality"),
        ("QUALITY", np.full(96, np.nan), "no_quality"),
        ("QUALITY", np.array(["G"] * 96), "no_quality"),
        ("FLUX", np.array(["bright"] * 96), "not_a_number"),
        ("TIME", np.array(["2018-08-23T14:24:00"] * 96), "not_a_number"),
    ],
)
def test_columns_of_another_kind_are_named(column: str, values: np.ndarray, reason: str) -> None:
    time = times(days=3)[:96]
    data = fits_file({"TIME": time, "FLUX": noisy(planet(time)), column: values}, first=TESS, header=IN_BTJD)
    with pytest.raises(LightCurveFileError) as caught:
        read_fits(data, "x.fits")
    assert caught.value.reason == reason
