"""Limb darkening by temperature."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.lightcurves.limb_darkening import TABLES, quadratic


def test_between_and_beyond_the_lines_of_the_table() -> None:
    assert quadratic(6000, "kepler") == (0.4703, 0.1893)
    assert quadratic(5750, "kepler") == pytest.approx(((0.5226 + 0.4703) / 2, (0.1650 + 0.1893) / 2))
    assert quadratic(20_000, "tess") == (0.1602, 0.2331)
    assert quadratic(5750, "k2") == quadratic(5750, "kepler")


@given(st.floats(2000, 12_000), st.sampled_from(sorted(TABLES)))
def test_every_star_is_darker_at_its_limb_and_nowhere_dark(teff: float, mission: str) -> None:
    """The conditions of Kipping (2013): u1 > 0, u1 + u2 < 1."""
    u1, u2 = quadratic(teff, mission)
    assert u1 > 0
    assert u1 + u2 < 1


@pytest.mark.parametrize(("teff", "mission"), [(5000.0, "cheops"), (float("nan"), "tess"), (-1.0, "tess")])
def test_what_is_no_star_is_named(teff: float, mission: str) -> None:
    with pytest.raises(ValueError, match=r"no limb darkening|is none"):
        quadratic(teff, mission)
