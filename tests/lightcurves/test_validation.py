"""Which stars trials are made on, and that a trial does not see the star's own planets."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import numpy as np
import polars as pl
from simulated import curve as simulated
from simulated import light_curve

from exo_assets.lightcurves.curve import as_flat
from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.injection import Host, planned
from exo_assets.lightcurves.limb_darkening import quadratic
from exo_assets.lightcurves.planet_grid import Cell, Grid
from exo_assets.lightcurves.planning import SUN_LOGG_CGS
from exo_assets.lightcurves.star_contracts import CORE_SEARCHED_STARS
from exo_assets.lightcurves.stored import to_parquet
from exo_assets.lightcurves.validation import (
    PLANS,
    QuietStar,
    TrialWork,
    alarms,
    host_of,
    make_trial,
    quiet_stars,
    trials,
)

ZERO = 2_454_833.0
OWN = Ephemeris(6.1, 102.0 + ZERO, 0.2)


def searched(**stars: dict[str, object]) -> pl.DataFrame:
    plain = {
        "mission": "kepler", "n_points": 3000, "cdpp_6h_ppm": 50.0, "is_searched": True, "n_found": 0,
        "n_catalogued": 0, "is_varying": False, "first_bjd": ZERO + 100,
        "flux_kind": "PDCSAP_FLUX",
    }  # fmt: skip
    rows = [plain | {"star_id": name.replace("_", " ")} | more for name, more in stars.items()]
    return CORE_SEARCHED_STARS.conform(pl.DataFrame(rows))


def test_transits_are_put_into_stars_without_signals_alone() -> None:
    known = pl.DataFrame({"light_curve_star": ["KIC 3"], "signal_id": ["a"]})
    rows = searched(KIC_1={"n_found": 1}, KIC_2={}, KIC_3={"n_found": 1, "n_catalogued": 1})
    assert quiet_stars(rows, known, PLANS["full"], with_signals=False)["star_id"].to_list() == ["KIC 2"]
    assert PLANS["full"].stars >= 30


def test_a_host_is_what_its_header_says_and_a_sun_where_it_says_nothing() -> None:
    dwarf = {"star_radius_sun": 0.5, "star_logg_cgs": SUN_LOGG_CGS, "star_teff_k": 3900.0}
    rows = searched(KIC_1=dwarf, KIC_2=dwarf | {"star_logg_cgs": None})
    (own, source), (sun, other) = (host_of(row) for row in rows.sort("star_id").iter_rows(named=True))
    assert (own.radius_sun, own.density_sun, own.teff_k, source) == (0.5, 2.0, 3900.0, "header")
    assert (sun.radius_sun, sun.density_sun, other) == (1.0, 1.0, "assumed")
    stars = {name: QuietStar((("k", "n", "s"),), ()) for name in rows["star_id"]}
    work = trials(rows, stars, PLANS["fast"], seed=1)
    of_dwarf = [w.injection for w in work if w.star_id == "KIC 1"]
    assert {w.star_source for w in work if w.star_id == "KIC 1"} == {"header"}
    assert {(p.radius_sun, p.density_sun, p.limb_1, p.limb_2) for p in of_dwarf if p} == {
        (0.5, 2.0, *quadratic(3900.0, "kepler"))
    }


def test_stars_without_signals_come_first_and_those_that_cannot_be_cleared_never() -> None:
    known = pl.DataFrame({"light_curve_star": ["KIC 3", "KIC 4", "KIC 4"], "signal_id": ["a", "b", "c"]})
    rows = searched(
        KIC_1={"n_found": 2, "cdpp_6h_ppm": 10.0},
        KIC_2={"cdpp_6h_ppm": 90.0},
        KIC_3={"n_found": 1, "n_catalogued": 1, "cdpp_6h_ppm": 20.0},
        KIC_4={"n_found": 1, "n_catalogued": 1},
        KIC_5={"is_varying": True},
        KIC_6={"is_searched": False},
        KIC_7={"cdpp_6h_ppm": 0.0},
        KIC_8={"n_points": 10**8},
        KIC_9={"n_found": 5},
        KIC_10={"flux_kind": as_flat("flux"), "cdpp_6h_ppm": 1.0},
    )
    plan = replace(PLANS["fast"], stars=9)
    assert quiet_stars(rows, known, plan)["star_id"].to_list() == ["KIC 2", "KIC 1", "KIC 3"]
    assert quiet_stars(rows, known, replace(plan, stars=1))["star_id"].to_list() == ["KIC 2"]


class Blobs:
    """A light curve with a planet of its own."""

    def __init__(self) -> None:
        time, flux, _ = simulated((Ephemeris(6.1, 102.0, 0.2), 4e-3), noise=2e-4)
        self.data = to_parquet(light_curve(time + ZERO, 1000 * flux))

    def get(self, key: str) -> bytes:
        assert key == "k"
        return self.data


def test_a_trial_recovers_what_is_put_in_and_not_what_was_there() -> None:
    blobs = Blobs()
    star = QuietStar((("k", "x.parquet", sha256(blobs.data).hexdigest()),), (OWN,))
    cell = Cell(2.0, 3.0, 6.0, 8.0)
    grid = Grid((cell.period_low_days, cell.period_high_days), (cell.radius_low_earth, cell.radius_high_earth))
    (planet,) = planned(Host("KIC 1", "kepler", 1.0, 1.0, 5772.0), grid, 1, 3, ZERO + 100)
    row = make_trial(blobs, TrialWork("KIC 1", "kepler", star, planet))
    assert row["is_recovered"] and (row["rank"], row["n_signals"]) == (1, 1) and row["is_injected"]
    assert make_trial(blobs, TrialWork("KIC 1", "kepler", star, planet)) == row
    upside_down = make_trial(blobs, TrialWork("KIC 1", "kepler", star, None, "inverted", 0, 1))
    assert upside_down["n_alarms"] == 0


def test_plans_give_every_star_its_trials() -> None:
    quiet = searched(KIC_1={}, KIC_2={})
    stars = {name: QuietStar((("k", "n", "s"),), ()) for name in quiet["star_id"]}
    plan = PLANS["fast"]
    work = trials(quiet, stars, plan, seed=1)
    assert {w.star_id for w in work} == {"KIC 1", "KIC 2"} and len(work) <= 2 * plan.injections
    assert work == trials(quiet, stars, plan, seed=1) != trials(quiet, stars, plan, seed=2)
    upside = alarms(quiet, stars, plan, seed=1)
    assert [w.kind for w in upside].count("scrambled") == 2 * plan.scrambles and len(upside) == 2 * (1 + plan.scrambles)
    assert np.unique([w.number for w in upside]).size == plan.scrambles
