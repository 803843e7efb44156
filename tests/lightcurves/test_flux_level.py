"""Flux that came flat, about one or about zero, and flux that has no level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import light_curve

from exo_assets.lightcurves.curve import is_flat
from exo_assets.lightcurves.fits_file import LightCurveFileError
from exo_assets.lightcurves.flux_level import at_level, came_flat

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
