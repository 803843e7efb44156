"""Flux that came flat, about one or about zero, and flux that has no level."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import BTJD, noisy, planet, spoc, times
from simulated import light_curve

from exo_assets.lightcurves.curve import LightCurve, is_flat
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.flux_level import at_level, came_flat
from exo_assets.lightcurves.told import Told
from exo_assets.lightcurves.user_file import any_curve, user_curves

TIME = np.arange(200) / 48
NOISE = np.random.default_rng(2).normal(0, 1, TIME.size)


@given(st.sampled_from([0.0, 1.0]), st.floats(1e-6, 0.05), st.floats(-0.05, 0.05))
def test_flat_flux_is_brought_to_about_one_and_keeps_its_dips(about: float, noise: float, off: float) -> None:
    flux = about + off + noise * NOISE
    found = came_flat(light_curve(TIME, flux), "x")
    np.testing.assert_allclose(found.flux - 1, flux - about, atol=1e-15)
    assert is_flat(found.flux_kind) and is_flat(came_flat(found, "x").flux_kind)
    assert came_flat(found, "x").flux_kind == "PDCSAP_FLUX (flat)"


@pytest.mark.parametrize(("level", "noise"), [(0.5, 1e-3), (1000, 1), (0, 300), (1, 0.3), (-1, 1e-3), (2, 1e-4)])
def test_flux_in_other_units_is_not_flat(level: float, noise: float) -> None:
    with pytest.raises(LightCurveFileError, match="not relative") as caught:
        came_flat(light_curve(TIME, level + noise * NOISE), "x")
    assert caught.value.reason == "flux_level"


@given(st.floats(-0.5, 0.5), st.floats(1e-6, 1e6))
def test_flux_about_zero_has_no_level(level: float, noise: float) -> None:
    with pytest.raises(LightCurveFileError, match=r"about zero .*--flat"):
        at_level(light_curve(TIME, noise * (level + NOISE)), "x")
    curve = light_curve(TIME, noise * (2 + NOISE))
    assert at_level(curve, "x") is curve


DAYS = times(days=10)
"""In BTJD."""


def in_fits(flux: np.ndarray) -> LightCurve:
    return any_curve(spoc(DAYS, flux, units={"PDCSAP_FLUX": ""}), "x")


def in_a_table(flux: np.ndarray) -> LightCurve:
    text = "time,flux\n" + "".join(f"{t},{f!r}\n" for t, f in zip(DAYS.tolist(), flux.tolist(), strict=True))
    return any_curve(text.encode(), "x", Told(mission="tess", time_zero_bjd=BTJD))


def among_many(flux: np.ndarray) -> LightCurve:
    out = io.BytesIO()
    pl.DataFrame({"tic": [7], "time": [DAYS.tolist()], "flux": [flux.tolist()]}).write_parquet(out)
    (one,) = user_curves(out.getvalue(), "x", Told(mission="tess", time_zero_bjd=BTJD)).curves
    if isinstance(one, LightCurveFileError):
        raise one
    return one.curve


every_reader = pytest.mark.parametrize("read", [in_fits, in_a_table, among_many])
Read = Callable[[np.ndarray], LightCurve]


@every_reader
@pytest.mark.parametrize(
    ("flux", "says"),
    [
        (2 * (1 + np.random.default_rng(3).normal(0, 15, DAYS.size)), "about zero"),  # the median is barely above it
        (-500 * noisy(planet(DAYS)), "below zero"),
        (1e6 * (noisy(planet(DAYS)) - 1), "about zero"),  # parts per million
        (12.3 - 2.5 * np.log10(noisy(planet(DAYS))), "looks like magnitudes"),
    ],
)
def test_every_reader_refuses_what_is_no_flux(read: Read, flux: np.ndarray, says: str) -> None:
    with pytest.raises(LightCurveFileError, match=says) as caught:
        read(flux)
    assert caught.value.reason == "flux_level"


@every_reader
@pytest.mark.parametrize("level", [1.0, 250.0, 1e4])
def test_every_reader_takes_exact_zeros_for_missing_and_says_so(read: Read, level: float) -> None:
    flux = level * noisy(planet(DAYS))
    flux[::11] = 0.0
    curve = read(flux)
    np.testing.assert_array_equal(np.isnan(curve.flux), flux == 0)
    assert f"{int((flux == 0).sum())} fluxes of exactly 0" in curve.origin.notes[0]
    np.testing.assert_allclose(curve.flux[flux != 0], flux[flux != 0], rtol=1e-6)


@every_reader
def test_deep_eclipses_and_faint_stars_are_fluxes(read: Read) -> None:
    eclipsing = planet(DAYS, depth=0.97)
    np.testing.assert_allclose(read(1e4 * eclipsing).flux, 1e4 * eclipsing, rtol=1e-6)
    assert read(10 * noisy(planet(DAYS), 0.05)).origin.notes == (), "ten electrons per second are that noisy"


def test_magnitudes_with_their_unit_are_made_a_flux() -> None:
    flux = noisy(planet(DAYS))
    curve = any_curve(spoc(DAYS, 12.3 - 2.5 * np.log10(flux), units={"PDCSAP_FLUX": "mag"}), "x")
    np.testing.assert_allclose(curve.flux, flux / np.median(flux), rtol=2e-6)
