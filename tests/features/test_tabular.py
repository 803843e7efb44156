"""Formulas of the features against computations of their own."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.catalogs.contracts import MEASURED_COLUMNS
from exo_assets.features.from_light_curves import CURVE_NAMES
from exo_assets.features.registry import BANNED, FEATURE_NAMES, FEATURES
from exo_assets.features.tabular import build_features, count_signals

EARTH_IN_SUN = 6.3781e6 / 6.957e8


def one(**values: float | str | None) -> dict[str, float]:
    row = {"mission": "kepler", "signal_id": "K1.01", "mission_star_id": "KIC 1", **values}
    return build_features(pl.DataFrame([row])).row(0, named=True)


def test_every_feature_is_made_and_named_once() -> None:
    made = build_features(pl.DataFrame({"mission": ["tess"]}))
    assert made.columns == ["signal_id", "mission_star_id", *FEATURE_NAMES]
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)


def test_features_come_from_measured_columns_only() -> None:
    for feature in FEATURES:
        assert set(feature.inputs) <= {*MEASURED_COLUMNS, *CURVE_NAMES, "mission"}, feature.name
        assert not [b for b in BANNED for name in (feature.name, *feature.inputs) if name.startswith(b)], feature.name


def test_earth_around_the_sun() -> None:
    earth = one(period_days=365.25636, star_mass_sun=1.0, star_radius_sun=1.0, star_teff_k=5772.0, radius_earth=1.0)
    assert 10 ** earth["log_semi_major_axis"] == pytest.approx(1.0, abs=1e-4)
    assert 10 ** earth["log_insolation"] == pytest.approx(1.0, abs=1e-3)
    assert earth["teq"] == pytest.approx(278.3, abs=0.3)  # zero albedo, full redistribution
    assert 10 ** earth["log_star_density"] == pytest.approx(1.41, abs=0.01)
    assert 10 ** earth["log_a_over_rs"] == pytest.approx(215.03, abs=0.2)
    assert earth["radius_ratio_catalogue"] == pytest.approx(0.00916785, rel=1e-4)


def test_density_from_gravity_agrees_with_density_from_mass() -> None:
    by_mass = one(star_mass_sun=1.0, star_radius_sun=1.0)
    by_gravity = one(star_logg_cgs=4.438068, star_radius_sun=1.0)  # IAU nominal solar gravity
    assert by_gravity["log_star_density"] == pytest.approx(by_mass["log_star_density"], abs=1e-4)


@given(
    period=st.floats(0.5, 500),
    mass=st.floats(0.2, 2),
    radius=st.floats(0.2, 2),
    depth=st.floats(10, 20_000),
)
@settings(max_examples=60, deadline=None)
def test_a_central_transit_on_a_circular_orbit_has_duration_ratio_one(
    period: float, mass: float, radius: float, depth: float
) -> None:
    axis = (mass * (period / 365.25) ** 2) ** (1 / 3) * 1.495978707e11  # m, Kepler's third law
    sine = radius * 6.957e8 * (1 + math.sqrt(depth / 1e6)) / axis
    hours = period * 24 / math.pi * math.asin(min(1.0, sine))
    row = one(period_days=period, star_mass_sun=mass, star_radius_sun=radius, depth_ppm=depth, duration_hours=hours)
    # 365.25 d at 1 AU misses the Gaussian year by 2e-5, hence the tolerance.
    assert row["log_duration_ratio"] == pytest.approx(0.0, abs=1e-3)
    assert row["duty_cycle"] == pytest.approx(hours / 24 / period)


@given(radius=st.floats(0.3, 30), star=st.floats(0.1, 10), dilution=st.floats(0.05, 1))
@settings(max_examples=60, deadline=None)
def test_blend_measures_dilution(radius: float, star: float, dilution: float) -> None:
    depth = dilution * (radius * EARTH_IN_SUN / star) ** 2 * 1e6
    row = one(radius_earth=radius, star_radius_sun=star, depth_ppm=depth)
    assert 10 ** row["log_blend"] == pytest.approx(dilution, rel=1e-6)


def test_published_insolation_and_temperature_win_over_computed() -> None:
    row = one(
        insolation_earth=100.0, teq_k=500.0, star_teff_k=5000.0, star_radius_sun=1.0, star_mass_sun=1.0, period_days=3.0
    )
    assert (row["log_insolation"], row["teq"]) == (2.0, 500.0)


def test_neptune_desert() -> None:
    # Mazeh et al. 2016: at 2 days the desert lies between 1.6 and 13 Earth radii.
    assert one(period_days=2.0, radius_earth=5.0)["desert_distance"] > 0.3
    assert one(period_days=2.0, radius_earth=1.0)["desert_distance"] < 0
    assert one(period_days=2.0, radius_earth=20.0)["desert_distance"] < 0


def test_snr_per_transit_prefers_the_counted_transits() -> None:
    assert one(snr=50.0, period_days=10.0, n_transits=25.0)["snr_per_transit"] == pytest.approx(10.0)
    assert one(snr=50.0, period_days=1459.8)["snr_per_transit"] == pytest.approx(50.0)


@pytest.mark.parametrize("bad", [0.0, -3.0, math.nan, math.inf, None])
def test_what_is_outside_physics_is_unknown_never_infinite(bad: float | None) -> None:
    row = build_features(
        pl.DataFrame(
            {"mission": ["k2"], **{c: pl.Series([bad], dtype=pl.Float64) for c in (*MEASURED_COLUMNS, *CURVE_NAMES)}}
        )
    )
    numbers = row.select(pl.col(pl.Float64)).row(0)
    assert all(v is None or math.isfinite(v) for v in numbers)


def test_unknown_mission_is_named() -> None:
    with pytest.raises(ValueError, match=r"unknown mission \['plato'\]"):
        build_features(pl.DataFrame({"mission": ["plato"]}))
    with pytest.raises(ValueError, match="mission"):
        build_features(pl.DataFrame({"period_days": [1.0]}))


def test_neighbours_are_found_on_the_same_star_only() -> None:
    signals = pl.DataFrame(
        {
            "signal_id": ["a", "b", "c", "d", "e"],
            "mission": ["kepler"] * 5,
            "mission_star_id": ["s1", "s2", "s1", "s1", "s3"],
            "period_days": [1.0, 2.0, 10.0, 12.0, 1.0],
            "depth_ppm": [100.0, 5.0, 1000.0, 10.0, 7.0],
        }
    )
    features = build_features(signals)
    assert features["n_signals"].to_list() == [3, 1, 3, 3, 1]
    ratio = features["log_neighbour_period_ratio"].to_list()
    assert ratio[1] is None and ratio[4] is None
    assert ratio[0] == pytest.approx(-1.0)
    assert ratio[2] == pytest.approx(math.log10(10 / 12)) and ratio[3] == pytest.approx(math.log10(12 / 10))
    assert features["log_neighbour_depth_ratio"][2] == pytest.approx(2.0)
    shuffled = build_features(signals.sample(fraction=1.0, shuffle=True, seed=3)).sort("signal_id")
    assert shuffled.equals(features.sort("signal_id"))


def test_the_catalogue_may_know_of_more_signals() -> None:
    signals = pl.DataFrame({"mission": ["tess"], "mission_star_id": ["TIC 1"]})
    counts = pl.DataFrame({"mission_star_id": ["TIC 1", "TIC 2"], "n_signals": [4, 9]})
    assert build_features(signals, counts)["n_signals"].to_list() == [4.0]
    assert build_features(signals, count_signals(signals))["n_signals"].to_list() == [1.0]
