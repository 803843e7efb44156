"""Flux that came flat, about one or about zero, and flux that has no level."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import BTJD, IN_BTJD, TESS, fits_file, noisy, planet, spoc, times
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


@every_reader
@pytest.mark.parametrize("kind", ["noisy", "variable", "eclipsing", "pulsating", "two zeros"])
def test_exact_zeros_are_missing_on_noisy_and_on_variable_stars(read: Read, kind: str) -> None:
    random = np.random.default_rng(5)
    noise = random.normal(0, 1, DAYS.size)
    flux = {
        "noisy": 1 + 0.3 * noise,
        "variable": 1 + 0.7 * np.sin(7 * DAYS) + 1e-3 * noise,
        "eclipsing": planet(DAYS, depth=0.9) + 0.15 * noise,
        "pulsating": 1 + 0.5 * np.abs(np.sin(9 * DAYS)) + 0.02 * noise,
        "two zeros": 1 + 0.25 * noise,
    }[kind]
    flux[:: 11 if kind != "two zeros" else 300] = 0.0
    curve = read(1e3 * flux)
    np.testing.assert_array_equal(np.isnan(curve.flux), flux == 0)
    assert f"{int((flux == 0).sum())} fluxes of exactly 0" in curve.origin.notes[0]


@every_reader
def test_zeros_that_were_counted_are_kept(read: Read) -> None:
    counts = np.random.default_rng(6).poisson(4, DAYS.size).astype(float)
    assert (counts == 0).sum() > 3
    np.testing.assert_array_equal(read(counts).flux, counts)


def test_zeros_in_more_than_half_of_a_flat_curve_are_missing() -> None:
    flux = noisy(planet(DAYS))
    flux[np.arange(DAYS.size) % 5 < 3] = 0
    data = fits_file({"TIME": DAYS, "DET_FLUX": flux}, first={**TESS, "ORIGIN": "MIT/QLP"}, header=IN_BTJD)
    text = "time,flux\n" + "".join(f"{t + BTJD},{f!r}\n" for t, f in zip(DAYS.tolist(), flux.tolist(), strict=True))
    for curve in (any_curve(data, "x"), any_curve(text.encode(), "x", Told(mission="tess", is_flat=True))):
        assert np.isfinite(curve.flux).sum() == (flux != 0).sum()
        assert np.nanmedian(curve.flux) == pytest.approx(1, abs=1e-3)


@every_reader
@pytest.mark.parametrize(
    "magnitudes",
    [
        12.3 + 0.4 * np.sin(12 * DAYS),  # varies by 3 % of its median
        23.7 - 2.5 * np.log10(noisy(planet(DAYS))),  # faint
        14.2 - 2.5 * np.log10(noisy(planet(DAYS, depth=0.6), 0.05)),
        np.round(11 - 2.5 * np.log10(noisy(planet(DAYS, depth=0.05))), 2),
        4.1 + np.where(np.sin(3 * DAYS) > 0.9, 0.7, 0.0) + noisy(0 * DAYS, 0.01),
    ],
)
def test_every_reader_notices_magnitudes(read: Read, magnitudes: np.ndarray) -> None:
    with pytest.raises(LightCurveFileError, match=r"looks like magnitudes.*10 \*\* \(-0\.4"):
        read(magnitudes)


def _flat(flux: np.ndarray) -> tuple[str, ...]:
    text = "time,flux\n" + "".join(f"{t + BTJD},{f!r}\n" for t, f in zip(DAYS.tolist(), flux.tolist(), strict=True))
    return any_curve(text.encode(), "x", Told(mission="tess", is_flat=True)).origin.notes


def test_differential_magnitudes_that_are_said_to_be_flat_are_noticed_and_flares_are_none() -> None:
    flux = noisy(planet(DAYS))
    (note,) = _flat(-2.5 * np.log10(flux))
    assert "if it is a difference of magnitudes, make them a flux" in note
    flares = sum(np.where(at < DAYS, 0.05 * np.exp(-(DAYS - at) / 0.08), 0) for at in (1355.0, 1357.5, 1361.2, 1363.0))
    assert _flat(flux - 1) == _flat(flux) == _flat(noisy(0 * DAYS) + flares) == _flat(noisy(0 * DAYS)) == ()


def test_a_column_that_is_called_magnitudes_is_made_a_flux() -> None:
    flux = noisy(planet(DAYS))
    for name, scale in (("mag", 1.0), ("delta_mag", 1.0), ("Vmag", 1.0), ("mmag", 1e-3)):
        values = -2.5 * np.log10(flux) / scale
        text = f"time,{name}\n" + "".join(f"{t + BTJD},{m!r}\n" for t, m in zip(DAYS, values.tolist(), strict=True))
        data = fits_file({"TIME": DAYS, name: values}, first=TESS, header=IN_BTJD)
        told = Told(mission="tess", flux_column=name)
        for of_file, said in ((text.encode(), told), (text.encode(), replace(told, is_flat=True)), (data, told)):
            curve = any_curve(of_file, "x", said)
            np.testing.assert_allclose(curve.flux, flux / np.median(flux), rtol=2e-6)


def test_magnitudes_with_their_unit_are_made_a_flux() -> None:
    flux = noisy(planet(DAYS))
    curve = any_curve(spoc(DAYS, 12.3 - 2.5 * np.log10(flux), units={"PDCSAP_FLUX": "mag"}), "x")
    np.testing.assert_allclose(curve.flux, flux / np.median(flux), rtol=2e-6)
