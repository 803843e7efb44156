"""Simulated signals: pairs that only their shape tells apart, in noise that holds no real transit, of no test star."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import dagster as dg
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.features.seen_views import SEEN_VIEWS
from exo_assets.features.signal_contracts import FEAT_SIMULATED_VIEWS
from exo_assets.features.simulated import KINDS, PLANET_RATIO, injected, pair
from exo_assets.features.simulated_assets import _plan, feat_simulated_index
from exo_assets.features.simulated_tasks import PAIRS, SimulationWork, hosts, simulate_star, simulation_quanta
from exo_assets.lightcurves.clean import CleanCurve, cleaned
from exo_assets.lightcurves.curve_rows import to_rows
from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit, phase_days
from exo_assets.lightcurves.injection import InjectionError, is_injected
from exo_assets.training.assets import training_settings
from exo_assets.training.splits import in_test
from exo_resources.lake import Lake
from exo_resources.settings import Settings
from exo_resources.star_tables import StarTables
from tests.lightcurves.simulated import curve as simulated
from tests.lightcurves.simulated import light_curve

ZERO = 2_454_833.0
OWN = Ephemeris(3.21, ZERO + 101.5, 0.13)


def noisy(star: str = "KIC 1", span_days: float = 120.0) -> CleanCurve:
    time, flux, _ = simulated((Ephemeris(3.21, 101.5, 0.13), 5e-3), span_days=span_days, noise=2e-4)
    return cleaned([replace(light_curve(time + ZERO, flux), target=star)], [OWN])


CURVE = noisy()


@pytest.mark.parametrize(("weight", "why"), [(0.0, "EXO_SIMULATED_WEIGHT is 0"), (0.1, "no mission has so many")])
def test_where_nothing_is_simulated_the_table_says_why(weight: float, why: str, lake: Lake) -> None:
    lake.write("core_signals", CORE_SIGNALS.empty())
    chosen = Settings(simulated_weight=weight)
    resources = {"lake": lake, "star_tables": StarTables(lake), "settings": chosen}
    assert list(_plan(SimpleNamespace(**resources))("kepler-01")) == []
    done = dg.materialize([feat_simulated_index], resources=resources)
    [made] = done.asset_materializations_for_node("feat_simulated_index")
    assert why in str(made.metadata["note"].value)
    assert lake.read("feat_simulated_index").is_empty()
    assert training_settings(chosen).neural.simulated == weight


class Stored:
    """The clean curve of one star, as the lake has it."""

    def __init__(self, curve: CleanCurve = CURVE) -> None:
        self.rows = to_rows(curve, "KIC 1", 1)

    def star(self, table: str, partition: str, star_id: str) -> pl.DataFrame:
        assert (table, partition, star_id) == ("core_light_curves", "kepler-01", "KIC 1")
        return self.rows


@given(number=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_a_pair_differs_in_nothing_but_its_light(number: int) -> None:
    planet, binary = pair(CURVE, number)
    assert (planet.kind, binary.kind) == (KINDS[0], binary.kind) and binary.kind in KINDS[1:]
    assert (planet.period_days, planet.t0_bjd) == (binary.period_days, binary.t0_bjd)
    assert 0 < planet.primary.radius_ratio <= PLANET_RATIO and 0 < binary.light <= 1
    assert 3 * planet.period_days <= np.ptp(CURVE.time_bjd)
    assert pair(CURVE, number) == (planet, binary)
    for one in (planet, binary):
        flux = one.flux(CURVE.time_bjd)
        assert (flux <= 1 + 1e-12).all() and (flux > 0).all()


def test_the_eclipses_of_a_binary_are_where_its_kind_says() -> None:
    kinds = {b.kind: b for b in (pair(CURVE, number)[1] for number in range(40))}
    assert set(kinds) == set(KINDS[1:])

    def depth(kind: str, phase: float) -> float:
        one = kinds[kind]
        return float(1 - one.flux(np.array([one.t0_bjd + phase * one.period_days]))[0])

    assert 0 < depth("binary_secondary", 0.5) < depth("binary_secondary", 0.0)
    assert depth("binary_half_period", 0.5) == 0
    assert 0 < depth("binary_half_period", 1.0) < depth("binary_half_period", 0.0)
    assert depth("binary_half_period", 2.0) == pytest.approx(depth("binary_half_period", 0.0))
    assert depth("binary_v_shape", 0.5) == 0 and depth("binary_v_shape", 1.0) == pytest.approx(
        depth("binary_v_shape", 0.0)
    )


def test_the_curve_says_what_was_put_in_and_has_lost_its_own_transits() -> None:
    one = pair(CURVE, 3)[0]
    with_signal = injected(CURVE, (OWN,), one)
    assert is_injected(with_signal.flux_kind) and not is_injected(CURVE.flux_kind)
    assert not in_transit(with_signal.time_bjd, (OWN,)).any()
    kept = ~in_transit(CURVE.time_bjd, (OWN,))
    beside = np.abs(phase_days(with_signal.time_bjd, one.period_days, one.t0_bjd)) > one.ephemeris.duration_days
    np.testing.assert_array_equal(with_signal.flux[beside], CURVE.flux[kept][beside])


def test_rows_of_a_star_keep_their_contract_and_name_what_failed() -> None:
    work = SimulationWork("KIC 1", "kepler-01", "kepler:1", (OWN,))
    rows = simulate_star(Stored(), work)
    assert rows.schema == FEAT_SIMULATED_VIEWS.schema and FEAT_SIMULATED_VIEWS.problems(rows) == []
    made = rows.filter(pl.col("reason").is_null())
    assert rows.height == 2 * PAIRS and made.height >= PAIRS and made["host_id"].unique().to_list() == ["kepler:1"]
    assert made.select(pl.col(SEEN_VIEWS).is_not_null().all()).row(0) == (True,) * len(SEEN_VIEWS)
    assert made["simulated_id"].str.starts_with("simulated KIC 1 ").all()
    assert simulate_star(Stored(), work).equals(rows)
    short = CURVE.where(np.arange(CURVE.time_bjd.size) < 60)
    lost = simulate_star(Stored(short), work)
    assert lost.height == PAIRS and lost["reason"].str.contains("hold no three transits").all()


def test_noise_that_is_not_known_is_named() -> None:
    with pytest.raises(InjectionError, match="noise of the curve is not known"):
        pair(replace(CURVE, cdpp_ppm=(float("nan"),) * 3), 0)


def test_hosts_are_labelled_training_stars_of_seen_missions() -> None:
    numbers = range(1, 400)
    core = pl.DataFrame(
        {
            "signal_id": [f"s{n}" for n in numbers],
            "star_id": [f"kepler:{n}" for n in numbers],
            "mission_star_id": [f"KIC {n}" for n in numbers],
            "mission": ["kepler"] * len(numbers),
            "kic_id": list(numbers),
            "disposition": [None if n % 10 == 0 else "CONFIRMED" for n in numbers],
        },
        schema_overrides={"kic_id": pl.Int64, "disposition": pl.String},
    ).with_columns(pl.lit(None, pl.Int64).alias(n) for n in ("tic_id", "epic_id"))
    chosen = hosts(core, ["kepler"])
    assert 200 < len(chosen) < 360
    assert not any(in_test(star) for star in chosen) and not any(int(s.split()[1]) % 10 == 0 for s in chosen)
    assert hosts(core, ["tess"]) == {}
    quanta = list(simulation_quanta("kepler-01", {"KIC 1": "a", next(iter(chosen)): "b"}, {}, chosen))
    assert {q.star_id for q in quanta} <= set(chosen)
