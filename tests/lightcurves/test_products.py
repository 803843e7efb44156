"""Layouts of public products: each is recognised, its best column read, its times and star right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
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
    is_k2 = product in ("K2SFF", "EVEREST", "K2SC")
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
    fits = fits_file({"MID_TIME": time, "BEST_FLUX": flux, "BAD": bad}, first=TESS, header=IN_BTJD)
    with pytest.raises(LightCurveFileError, match=r"MID_TIME, BEST_FLUX, BAD.*--time-column"):
        any_curve(fits, "x.fits")
    text = "Mid_Time,Best_Flux,bad\n" + "".join(
        f"{t + BTJD},{f},{b}\n" for t, f, b in zip(time, flux, bad, strict=True)
    )
    for curve in (any_curve(fits, "x.fits", told), any_curve(text.encode(), "x.csv", told)):
        np.testing.assert_allclose(curve.flux, flux)
        np.testing.assert_array_equal(~usable(curve), bad == 1)
        assert set(curve.quality) == {0, EXCLUDED}
    with pytest.raises(LightCurveFileError, match="no table with the columns mid_time and nothing"):
        any_curve(fits, "x.fits", Told(time_column="mid_time", flux_column="nothing"))
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
