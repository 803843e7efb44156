"""Whether two ephemerides are of one signal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.matching import match, matches, period_sigma

SPAN = (2_455_000.0, 2_456_400.0)
PLANET = Ephemeris(12.3456, 2_454_970.1, 0.2)


def _kind(found: Ephemeris, catalogue: Ephemeris = PLANET, span: tuple[float, float] = SPAN) -> str | None:
    hit = match(found, [catalogue], span)
    return hit.kind if hit else None


@given(st.integers(-300, 300), st.floats(-3e-4, 3e-4), st.floats(-0.9, 0.9))
def test_the_same_signal_wherever_its_epoch_is_given(cycles: int, relative: float, late_durations: float) -> None:
    period = PLANET.period_days * (1 + relative)
    middle = PLANET.t0 + PLANET.period_days * round((sum(SPAN) / 2 - PLANET.t0) / PLANET.period_days)
    found = Ephemeris(period, middle + cycles * period + late_durations * PLANET.duration_days, 0.2)
    hit = match(found, [PLANET], SPAN)
    assert hit is not None
    assert (hit.index, hit.kind) == (0, "same")
    assert hit.epoch_durations == pytest.approx(abs(late_durations), abs=0.01)


@pytest.mark.parametrize(
    ("ratio", "kind"), [(1 / 2, "1/2"), (2, "2"), (1 / 3, "1/3"), (3, "3"), (2 / 3, "2/3"), (3 / 2, "3/2")]
)
def test_harmonics_are_told_apart(ratio: float, kind: str) -> None:
    found = Ephemeris(PLANET.period_days * ratio, PLANET.t0 + 30 * PLANET.period_days, 0.2)
    assert _kind(found) == f"harmonic {kind}"


@pytest.mark.parametrize(
    "found",
    [
        Ephemeris(PLANET.period_days * 1.002, PLANET.t0 + 57 * PLANET.period_days, 0.2),  # another period
        Ephemeris(PLANET.period_days, PLANET.t0 + PLANET.period_days / 2, 0.2),  # half an orbit later
        Ephemeris(PLANET.period_days, PLANET.t0 + 3 * PLANET.duration_days, 0.2),  # three durations later
        Ephemeris(PLANET.period_days * 2, PLANET.t0 + PLANET.period_days / 2, 0.2),  # between the transits
        Ephemeris(PLANET.period_days * 5 / 4, PLANET.t0, 0.2),  # no simple ratio
    ],
)
def test_others_do_not_match(found: Ephemeris) -> None:
    assert _kind(found) is None


def test_a_short_stretch_of_data_does_not_tell_periods_so_well() -> None:
    sector = (2_458_325.0, 2_458_352.0)
    catalogue, found = Ephemeris(10.0, 2_458_330.0, 0.2), Ephemeris(10.03, 2_458_330.01, 0.2)
    assert _kind(found, catalogue, sector) == "same"
    assert _kind(found, catalogue, (2_458_325.0, 2_459_000.0)) is None


def test_the_best_of_several_is_taken() -> None:
    double = Ephemeris(PLANET.period_days * 2, PLANET.t0, 0.2)
    hit = match(PLANET, [double, PLANET], SPAN)
    assert hit is not None
    assert (hit.index, hit.kind) == (1, "same")
    hits = matches([double, PLANET, Ephemeris(3.0, PLANET.t0, 0.1)], [double, PLANET], SPAN)
    assert [(h.index, h.kind) if h else None for h in hits] == [(0, "same"), (1, "same"), None]


def test_unknown_entries_never_match() -> None:
    nan = float("nan")
    assert _kind(PLANET, Ephemeris(nan, PLANET.t0, 0.2)) is None
    assert _kind(PLANET, Ephemeris(PLANET.period_days, nan, 0.2)) is None
    assert _kind(PLANET, Ephemeris(PLANET.period_days, PLANET.t0, nan)) == "same"
    assert matches([], [PLANET], SPAN) == []
    assert matches([PLANET], [], SPAN) == [None]


def test_the_significance_is_that_of_the_definition() -> None:
    """The two-sided tail of a normal distribution beyond sigma is the relative difference."""
    from scipy.stats import norm

    relative = np.array([0.5, 0.1, 4.65e-4, 1e-8])
    assert 2 * norm.sf(period_sigma(relative)) == pytest.approx(relative)
    assert period_sigma(np.array([0.0, 2.0])) == pytest.approx([8.30, 0.0], abs=0.01)


@given(st.floats(0.5, 300), st.floats(0, 1), st.floats(0.5, 300), st.floats(0, 1))
def test_same_is_symmetric(period: float, phase: float, other: float, other_phase: float) -> None:
    a = Ephemeris(period, SPAN[0] + phase * period, 0.1)
    b = Ephemeris(other, SPAN[0] + other_phase * other, 0.1)
    assert (_kind(a, b) == "same") == (_kind(b, a) == "same")
