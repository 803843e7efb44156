"""Simulated planets: drawn where they should be, and put into the flux as it was measured."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from quiet_star import HOST, START_BJD, quiet

from exo_assets.lightcurves.clean import cleaned
from exo_assets.lightcurves.ephemeris import phase_days
from exo_assets.lightcurves.injection import (
    Injection,
    InjectionError,
    depth_ppm,
    draw,
    generator,
    inject,
    is_injected,
    planned,
    transit_model,
)
from exo_assets.lightcurves.planet_grid import GRIDS, Cell, Grid

LONG_CADENCE_DAYS = 29.4244 / 1440
PLANET = Injection(
    target=HOST.target,
    number=0,
    period_days=5.0,
    t0_bjd=START_BJD + 1.3,
    radius_ratio=0.1,
    impact=0.2,
    density_sun=1.0,
    radius_sun=1.0,
    limb_1=0.5,
    limb_2=0.2,
)


@given(
    st.integers(0, 2**31),
    st.sampled_from([c for grid in GRIDS.values() for c in grid.cells()]),
    st.floats(0.2, 3),
    st.floats(0.1, 5),
)
def test_drawn_planets_are_in_their_cell(seed: int, cell: Cell, radius: float, density: float) -> None:
    host = replace(HOST, radius_sun=radius, density_sun=density)
    try:
        planet = draw(np.random.default_rng(seed), host, cell, START_BJD)
    except InjectionError:
        assume(False)
    assert cell.period_low_days <= planet.period_days < cell.period_high_days
    assert cell.radius_low_earth <= planet.radius_earth * (1 + 1e-12)
    assert planet.radius_earth < cell.radius_high_earth * (1 + 1e-12)
    assert 0 <= planet.impact < 1
    assert 0 <= planet.t0_bjd - START_BJD <= planet.period_days


def test_periods_and_radii_are_even_in_their_logarithm() -> None:
    random, cell = np.random.default_rng(0), Cell(1.0, 16.0, 0.5, 8.0)
    planets = [draw(random, HOST, cell, START_BJD) for _ in range(2000)]
    for values in (np.log2([p.period_days for p in planets]), 1 + np.log2([p.radius_earth for p in planets])):
        assert np.histogram(values, 4, (0, 4))[0] == pytest.approx(500, abs=90)
    for values in ([p.impact for p in planets], [(p.t0_bjd - START_BJD) / p.period_days for p in planets]):
        assert np.histogram(values, 4, (0, 1))[0] == pytest.approx(500, abs=90)


def test_a_plan_covers_the_grid_and_does_not_depend_on_its_length() -> None:
    grid = Grid((1.0, 2.0, 5.0, 10.0), (1.0, 2.0, 4.0))
    plan = planned(HOST, grid, 12, 7, START_BJD)
    cells = [next(c for c in grid.cells() if _holds(c, p)) for p in plan]
    assert len(set(cells[:6])) == 6
    assert cells[6:] == cells[:6]
    assert planned(HOST, grid, 3, 7, START_BJD) == plan[:3]
    assert planned(replace(HOST, target="KIC 2"), grid, 3, 7, START_BJD)[0].period_days != plan[0].period_days
    assert planned(HOST, grid, 3, 8, START_BJD) != plan[:3]


def _holds(cell: Cell, planet: Injection) -> bool:
    return (
        cell.period_low_days <= planet.period_days < cell.period_high_days
        and cell.radius_low_earth <= planet.radius_earth * (1 + 1e-12) < cell.radius_high_earth
    )


def test_random_numbers_of_a_trial_are_its_own() -> None:
    assert generator(1, "KIC 1", 2).random() == generator(1, "KIC 1", 2).random()
    assert len({generator(s, t, n).random() for s in (1, 2) for t in ("KIC 1", "TIC 1") for n in (0, 1)}) == 8


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"radius_ratio": 1.2}, "must be below 1"),
        ({"impact": 1.2}, "nothing crosses"),
        ({"period_days": 0.05}, "touches the star"),
        ({"t0_bjd": float("nan")}, "no planet and star"),
    ],
)
def test_what_cannot_be_is_named(change: dict[str, float], says: str) -> None:
    with pytest.raises(InjectionError, match=says):
        replace(PLANET, **change)


def test_a_cell_without_a_possible_planet_is_named() -> None:
    with pytest.raises(InjectionError, match="holds no planet"):
        draw(np.random.default_rng(0), replace(HOST, density_sun=1e-3), Cell(0.5, 0.6, 1.0, 2.0), START_BJD)


@settings(deadline=None)
@given(st.floats(0.01, 0.2), st.floats(0.0, 0.7), st.floats(1.0, 100.0))
def test_the_depth_is_the_radius_ratio_squared_within_limb_darkening(
    ratio: float, impact: float, period: float
) -> None:
    """At mid-transit I(mu) / mean I times the area, for small planets: Mandel & Agol (2002)."""
    planet = replace(PLANET, radius_ratio=ratio, impact=impact, period_days=period)
    mu = np.sqrt(1 - impact**2)
    there = 1 - planet.limb_1 * (1 - mu) - planet.limb_2 * (1 - mu) ** 2
    expected = ratio**2 * there / (1 - planet.limb_1 / 3 - planet.limb_2 / 6)
    assert depth_ppm(planet) * 1e-6 == pytest.approx(expected, rel=0.03)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.01, 0.4), st.floats(0.0, 1.0), st.floats(0.7, 300.0), st.floats(0.3, 3.0))
def test_transits_are_those_of_batman(ratio: float, impact: float, period: float, density: float) -> None:
    """Kreidberg (2015), a model of its own; where z is nearly p it is a tenth off, so those points are left out."""
    import batman

    try:
        planet = replace(PLANET, radius_ratio=ratio, impact=impact, period_days=period, density_sun=density)
    except InjectionError:
        assume(False)
    offset = np.linspace(-0.7, 0.7, 201) * planet.duration_hours / 24
    turn = 2 * np.pi * offset / period
    apart = np.hypot(planet.orbit_radii * np.sin(turn), impact * np.cos(turn))
    away = np.abs(apart - ratio) > 1e-3
    star = batman.TransitParams()
    star.t0, star.per, star.rp, star.a = 0.0, period, ratio, planet.orbit_radii
    star.inc, star.ecc, star.w = float(np.degrees(np.arccos(impact / planet.orbit_radii))), 0.0, 90.0
    star.u, star.limb_dark = [planet.limb_1, planet.limb_2], "quadratic"
    theirs = batman.TransitModel(star, offset).light_curve(star)
    ours = transit_model(planet.t0_bjd + offset, planet)
    assert ours[away] == pytest.approx(theirs[away], abs=2e-6)


@settings(deadline=None)
@given(st.floats(0.6, 200.0), st.floats(0.0, 0.9), st.floats(0.02, 0.3), st.floats(0.2, 3.0))
def test_the_duration_is_that_of_the_model(period: float, impact: float, ratio: float, density: float) -> None:
    try:
        planet = replace(PLANET, period_days=period, impact=impact, radius_ratio=ratio, density_sun=density)
    except InjectionError:
        assume(False)
    half = planet.duration_hours / 48
    flux = transit_model(planet.t0_bjd + np.array([-1.01, -0.97, 0.97, 1.01]) * half, planet)
    assert flux[[0, 3]].tolist() == [1, 1]
    assert (flux[1:3] < 1).all()


def test_a_long_exposure_smears_the_ingress() -> None:
    time = PLANET.t0_bjd + np.linspace(-0.15, 0.15, 3001)
    sharp, smeared = transit_model(time, PLANET), transit_model(time, PLANET, LONG_CADENCE_DAYS)
    width = round(LONG_CADENCE_DAYS / (time[1] - time[0]))
    averaged = np.convolve(sharp, np.ones(width) / width, mode="same")
    inner = slice(width, -width)
    assert smeared[inner] == pytest.approx(averaged[inner], abs=1e-4)
    assert (smeared < 1).sum() > (sharp < 1).sum()


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 100), st.floats(1.0, 20.0))
def test_only_the_flux_in_transit_changes(seed: int, period: float) -> None:
    segments = quiet(seed=seed)
    planet = replace(PLANET, period_days=period)
    for before, after in zip(segments, inject(segments, planet), strict=True):
        offset = np.abs(phase_days(before.time_bjd, period, planet.t0_bjd))
        outside = offset > planet.duration_hours / 48 + LONG_CADENCE_DAYS
        known = np.isfinite(before.flux)
        assert (after.flux[outside & known] == before.flux[outside & known]).all()
        assert (np.isnan(after.flux) == ~known).all()
        deep = known & (offset < planet.duration_hours / 48 - LONG_CADENCE_DAYS)
        assert (after.flux[deep] < before.flux[deep] * 0.995).all()
        assert (after.quality == before.quality).all()
        assert is_injected(after.flux_kind) and not is_injected(before.flux_kind)


def test_the_label_stays_on_the_clean_curve() -> None:
    assert is_injected(cleaned(inject(quiet(), PLANET)).flux_kind)
    assert not is_injected(cleaned(quiet()).flux_kind)


def test_another_stars_planet_is_refused() -> None:
    with pytest.raises(InjectionError, match="cannot go into"):
        inject(quiet(), replace(PLANET, target="KIC 2"))


def test_planets_can_be_sent_to_workers() -> None:
    assert pickle.loads(pickle.dumps(PLANET)) == PLANET
