"""Layouts of public products: each is recognised, its best column read, its times and star right."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import BTJD, IN_BTJD, K2, TESS, fits_file, layouts, noisy, planet, spoc, times

from exo_assets.lightcurves.chain import search_star
from exo_assets.lightcurves.curve import EXCLUDED, usable
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.fits_file import read_fits
from exo_assets.lightcurves.joining import ORDER
from exo_assets.lightcurves.products import PRODUCTS
from exo_assets.lightcurves.search import SearchSettings
from exo_assets.lightcurves.told import Told
from exo_assets.lightcurves.user_file import any_curve

FILES = layouts()


@pytest.mark.parametrize("layout", FILES)
def test_a_layout_is_read_and_its_planet_found(layout: str) -> None:
    data, product, column = FILES[layout]
    curve = read_fits(data, "x.fits")
    assert (curve.origin.product, curve.flux_kind) == (product, column)
    is_k2 = product in ("K2SFF", "EVEREST", "K2SC", "K2SC program")
    assert curve.mission == ("k2" if is_k2 else "tess") and curve.target.startswith("EPIC " if is_k2 else "TIC 9990001")
    (signal,) = search_star([curve], SearchSettings(signals_max=1)).signals
    period, t0, depth = (10.05, 2_454_833 + 1980.4, 1300e-6) if is_k2 else (3.47, BTJD + 1355.3, 4000e-6)
    place = signal.transit.ephemeris
    assert place.period_days == pytest.approx(period, rel=1e-3)
    assert (place.t0 - t0 + 0.02) % period < 0.04, "the time zero is right"
    assert signal.transit.depth == pytest.approx(depth, rel=0.05)


def test_every_product_has_its_place_in_the_order() -> None:
    names = {name for p in PRODUCTS for name in ([called for _, called in p.cadences] or [p.name])}
    assert names <= set(ORDER) and all(p.document for p in PRODUCTS)


@pytest.mark.parametrize(
    ("step_s", "first", "product"),
    [
        (20, TESS, "SPOC 20 s"),
        (120, TESS, "SPOC 2 min"),
        (600, TESS, "TESS-SPOC"),
        (58.85, {"TELESCOP": "Kepler", "OBJECT": "KIC 7"}, "Kepler short cadence"),
        (1765.5, {"TELESCOP": "Kepler", "OBJECT": "KIC 7"}, "Kepler long cadence"),
        (1765.5, K2, "Kepler long cadence"),
    ],
)
def test_a_missions_product_is_told_by_its_cadence(step_s: float, first: dict[str, object], product: str) -> None:
    time = times(1354.1, 3, step_s)
    assert read_fits(spoc(time, first=first), "x.fits").origin.product == product


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_column_names_are_read_in_any_case(data: st.DataObject) -> None:
    names = {n: "".join(data.draw(st.sampled_from([c.lower(), c.upper()])) for c in n) for n in ("time", "flux")}
    time = times(days=2)
    flux = noisy(planet(time))
    curve = read_fits(fits_file({names["flux"]: flux, names["time"]: time}, first=TESS, header=IN_BTJD), "x.fits")
    np.testing.assert_array_equal(curve.flux, flux)


def test_other_columns_are_read_when_they_are_named_in_fits_and_in_tables() -> None:
    time = times(days=3)
    flux, bad = noisy(planet(time)), (np.arange(time.size) % 10 == 0).astype(np.int32)
    told = Told(flux_column="Best_Flux", time_column="Mid_Time", quality_column="Bad")
    data = fits_file({"MID_TIME": time, "BEST_FLUX": flux, "BAD": bad}, first=TESS, header=IN_BTJD)
    with pytest.raises(LightCurveFileError, match=r"MID_TIME, BEST_FLUX, BAD.*--time-column"):
        any_curve(data, "x.fits")
    text = "Mid_Time,Best_Flux,bad\n" + "".join(
        f"{t + BTJD},{f},{b}\n" for t, f, b in zip(time, flux, bad, strict=True)
    )
    for curve in (any_curve(data, "x.fits", told), any_curve(text.encode(), "x.csv", told)):
        np.testing.assert_allclose(curve.flux, flux)
        np.testing.assert_array_equal(~usable(curve), bad == 1)
        assert set(curve.quality) == {0, EXCLUDED}
    with pytest.raises(LightCurveFileError, match="no table with the columns mid_time and nothing"):
        any_curve(data, "x.fits", Told(time_column="mid_time", flux_column="nothing"))
    with pytest.raises(LightCurveFileError, match="no column worst"):
        any_curve(text.encode(), "x.csv", Told(time_column="mid_time", flux_column="worst"))


def test_a_table_without_a_flux_that_is_known_names_its_columns_and_the_option() -> None:
    data = fits_file({"TIME": times(days=1), "BRIGHTNESS": times(days=1)}, first=TESS, header=IN_BTJD)
    with pytest.raises(LightCurveFileError, match=r"TIME, BRIGHTNESS.*--flux-column"):
        read_fits(data, "x.fits")


def test_a_target_pixel_file_is_named_as_one() -> None:
    time = times(days=2)
    cube = np.ones((time.size, 25), np.float32)
    data = fits_file({"TIME": time, "FLUX": cube, "QUALITY": np.zeros(time.size, np.int32)}, first=TESS, name="PIXELS")
    with pytest.raises(LightCurveFileError, match="target pixel file") as caught:
        read_fits(data, "x.fits")
    assert caught.value.reason == "pixel_file"


def _rolled(columns: dict[str, np.ndarray], *, is_variable: bool = False) -> bytes:
    """A table of one row whose cells are arrays, of fixed or of variable length."""
    made = []
    for name, values in columns.items():
        kind = "D" if values.dtype == np.float64 else "J"
        cell = np.array([values], object) if is_variable else values[None]
        made.append(fits.Column(name, f"P{kind}()" if is_variable else f"{values.size}{kind}", array=cell))
    made.append(fits.Column("RA", "D", array=[290.0]))
    first, table, out = fits.PrimaryHDU(), fits.BinTableHDU.from_columns(made), io.BytesIO()
    first.header.update(TESS)
    table.header.update(IN_BTJD)
    fits.HDUList([first, table]).writeto(out)
    return out.getvalue()


@pytest.mark.parametrize("is_variable", [False, True])
def test_a_table_of_one_row_of_arrays_is_read(is_variable: bool) -> None:
    time = times(days=5)
    flux, flags = 1e4 * noisy(planet(time)), (np.arange(time.size) % 7 == 0) * 128
    data = _rolled({"TIME": time, "FLUX": flux, "QUALITY": flags.astype(np.int32)}, is_variable=is_variable)
    curve = read_fits(data, "x.fits")
    np.testing.assert_array_equal(curve.flux, flux)
    np.testing.assert_allclose(curve.time_bjd, time + BTJD)
    assert usable(curve).sum() == (flags == 0).sum()


def test_what_has_several_values_a_point_is_called_what_it_is() -> None:
    time = times(days=2)
    n = time.size
    flux = np.ones((n, 5), np.float32)
    apertures = fits_file({"TIME": time, "FLUX": flux}, first=TESS)
    curves = fits_file({"TIME": np.ones((4, n)), "FLUX": np.ones((4, n))}, first=TESS)
    cube = fits.BinTableHDU.from_columns(
        [fits.Column("TIME", "D", array=time[:1]), fits.Column("FLUX", "25E", dim="(5,5)", array=np.ones((1, 5, 5)))]
    )
    pixels = fits_file({"X": time}, first=TESS, more=[cube])
    for data, reason, says in (
        (apertures, "several_curves", "has 5 values a point in FLUX: .*--flux-column"),
        (curves, "several_curves", "4 rows of arrays .TIME, FLUX., a light curve a row"),
        (pixels, "pixel_file", "target pixel file"),
    ):
        with pytest.raises(LightCurveFileError, match=says) as caught:
            read_fits(data, "x.fits")
        assert caught.value.reason == reason


def test_a_light_curve_beside_the_picture_of_its_aperture_is_read() -> None:
    time = times(days=2)
    picture = fits.ImageHDU(np.ones((5, 5), np.int32), name="APERTURE")
    data = fits_file({"TIME": time, "FLUX": noisy(planet(time))}, first=TESS, header=IN_BTJD, more=[picture])
    assert len(read_fits(data, "x.fits")) == time.size


def test_a_packed_table_is_named_as_one() -> None:
    data = fits_file({"COMPRESSED_DATA": times(days=2)}, header={"ZTABLE": True})
    with pytest.raises(LightCurveFileError, match="unpack it with funpack"):
        read_fits(data, "x.fits")


def test_the_best_of_a_products_tables_is_read_wherever_it_lies() -> None:
    time = np.arange(1977.3, 1990.3, 1765.5 / 86_400)
    flux = noisy(planet(time))
    columns = [fits.Column(c, "D", array=v) for c, v in (("T", time), ("FRAW", flux), ("FCOR", 2 * flux))]
    best = fits.BinTableHDU.from_columns(columns, name="BESTAPER")
    data = fits_file({"T": time, "FRAW": flux, "FCOR": flux}, first=K2, name="CIRC_APER1", more=[best])
    np.testing.assert_allclose(read_fits(data, "x.fits").flux, 2 * flux)


def test_the_next_flux_is_read_where_the_preferred_has_no_level_and_that_is_said() -> None:
    time = times(days=5)
    sound, random = 1e4 * noisy(planet(time)), np.random.default_rng(1)
    for bad, says in (
        (random.normal(0, 300, time.size), "PDCSAP_FLUX has a flux about zero"),
        (-sound, "PDCSAP_FLUX has a flux below zero"),
        (np.zeros(time.size), "PDCSAP_FLUX has a flux about zero"),
        (np.full(time.size, np.nan), "PDCSAP_FLUX has no value"),
    ):
        both = {"TIME": time, "PDCSAP_FLUX": bad, "SAP_FLUX": sound}
        curve = read_fits(fits_file(both, first=TESS, header=IN_BTJD), "x.fits")
        np.testing.assert_array_equal(curve.flux, sound)
        assert curve.flux_kind == "SAP_FLUX" and f"SAP_FLUX is read: {says}" in curve.origin.notes[0]
        neither = {"TIME": time, "PDCSAP_FLUX": bad, "SAP_FLUX": bad, "BEST": sound}
        with pytest.raises(LightCurveFileError, match=r"--flux-column .tried PDCSAP_FLUX, SAP_FLUX; it has TIME, BEST"):
            read_fits(fits_file(neither, first=TESS, header=IN_BTJD), "x.fits")
        with pytest.raises(LightCurveFileError, match="--flux-column"):
            read_fits(fits_file(both, first=TESS, header=IN_BTJD), "x.fits", told=Told(flux_column="pdcsap_flux"))
    data = fits_file(neither, first=TESS, header=IN_BTJD)
    assert read_fits(data, "x.fits", told=Told(flux_column="best")).flux_kind == "BEST"


def test_a_number_that_stands_for_no_value_is_none_and_whole_numbers_are_fluxes() -> None:
    time = times(days=2)
    flux = (1e4 * noisy(planet(time))).astype(np.int32)
    flux[::9] = -99999
    columns = [fits.Column("TIME", "D", array=time), fits.Column("FLUX", "J", null=-99999, array=flux)]
    first, out = fits.PrimaryHDU(), io.BytesIO()
    first.header.update(TESS)
    fits.HDUList([first, fits.BinTableHDU.from_columns(columns)]).writeto(out)
    curve = read_fits(out.getvalue(), "x.fits")
    np.testing.assert_array_equal(np.isnan(curve.flux), flux == -99999)
    np.testing.assert_array_equal(curve.flux[flux > 0], flux[flux > 0])


def test_points_that_k2sc_found_low_are_kept() -> None:
    time = np.arange(1977.3, 1990.3, 1765.5 / 86_400)
    flux = 2e4 * noisy(planet(time))
    flags = np.where(np.arange(time.size) % 7 == 0, 16, 0) | np.where(np.arange(time.size) % 11 == 0, 32, 0)
    table = {"time": time, "flux": flux, "error": flux, "mflags": flags.astype(np.int32), "trend_p": 0 * time}
    curve = read_fits(fits_file(table | {"trend_t": 0 * time}, first=K2), "x.fits")
    assert usable(curve).sum() == (flags & 32 == 0).sum()


def test_flags_of_a_products_own_exclude_and_are_counted() -> None:
    time = times(days=5)
    flags = (np.arange(time.size) % 7 == 0).astype(np.int32)
    flux = 1000 * noisy(planet(time))
    columns = {"time": time, "aperture_flux": flux, "cal_psf_flux": flux, "TESS_flags": flags * 0, "TGLC_flags": flags}
    curve = read_fits(fits_file(columns, first=TESS, header=IN_BTJD), "x.fits")
    assert curve.origin.left_out == (("flagged in TGLC_FLAGS", int(flags.sum())),)
    assert usable(curve).sum() == (flags == 0).sum()
    marked = read_fits(spoc(time, quality=128 * flags), "x.fits")
    assert marked.origin.left_out == (("flagged as unusable by the mission", int(flags.sum())),)
    qlp = {"TIME": time, "SAP_FLUX": flux / 1000, "QUALITY": flags * (1 << 29) + 4096}
    curve = read_fits(fits_file(qlp, first={**TESS, "ORIGIN": "MIT/QLP"}, header=IN_BTJD), "x.fits")
    assert usable(curve).sum() == (flags == 0).sum() and (curve.quality & 4096).all()


def test_the_document_has_every_product_its_columns_and_whether_real_files_were_tried() -> None:
    text = (Path(__file__).parents[2] / "docs" / "light_curve_files.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(PRODUCTS) + 1, "and the line below the heads"
    for product, row in zip(PRODUCTS, rows[1:], strict=True):
        name, _, _, flux, _, tried, document = (cell.strip() for cell in row.strip("|").split("|"))
        assert name == (", ".join(called for _, called in product.cadences) or product.name)
        assert [f.split(" ")[0] for f in flux.split(", ")] == [f.name.upper() for f in product.flux]
        assert tried == ("yes" if product.is_tried else "no") and document == product.document
    assert ", ".join(ORDER) in text
