"""Found signals: what is judged of them, in the night as by `exo vet`, and what their table says."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from seeing_vetter import seeing_vetter
from tiny_vetter import koi_signals, tiny_vetter

from deployments.cli import score as score_command
from deployments.cli.output import read_settings
from deployments.cli.vet import _found
from deployments.cli.vet_judge import KnownStars, judge_found
from exo_assets.catalogs.contracts import CORE_SIGNALS, STAR_COLUMNS
from exo_assets.features.plans import view_quanta
from exo_assets.features.seen_views import SEEN_VIEWS, with_views
from exo_assets.features.signal_contracts import FEAT_SIGNAL_DIAGNOSTICS
from exo_assets.features.signal_tasks import SignalWork, diagnose_star, places, view_star
from exo_assets.lightcurves.chain import Star, search_curve
from exo_assets.lightcurves.clean import cleaned
from exo_assets.lightcurves.curve_rows import of_rows, to_rows
from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.injection import INJECTED
from exo_assets.lightcurves.planning import known_stars
from exo_assets.lightcurves.scattered_light import Tried
from exo_assets.lightcurves.search import SearchSettings
from exo_assets.lightcurves.star_contracts import CORE_FOUND_SIGNALS, WITH_SCATTERED, WITHOUT_SCATTERED
from exo_assets.lightcurves.star_tasks import found_rows
from exo_assets.scoring.contracts import JUDGEMENT, OUT_FOUND_SCORES
from exo_assets.scoring.explain import judge_and_explain
from exo_assets.scoring.found import (
    FITTED,
    NAMED,
    SIMULATED,
    SUN_RADIUS_EARTH,
    as_signals,
    first_found,
    found_scores,
    in_no_catalogue,
    named_stars,
    views_of_found,
    with_measurements,
)
from exo_assets.scoring.known import Known
from exo_resources.lake import Lake
from tests.lightcurves.simulated import curve as simulated
from tests.lightcurves.simulated import light_curve

ZERO = 2_454_833.0
INNER, OUTER, HIDDEN = Ephemeris(3.21, 101.5, 0.13), Ephemeris(11.87, 105.0, 0.21), Ephemeris(7.77, 103.1, 0.15)
STAR = "KIC 1"


class Stored:
    """One star's clean curve, as the lake has it; `planets` are in it. Points of the first `scattered_days` are flagged
    for scattered light."""

    def __init__(self, *planets: tuple[Ephemeris, float], scattered_days: float = 0.0) -> None:
        time, flux, _ = simulated(*planets, span_days=90.0, noise=1.5e-4)
        curve = cleaned([light_curve(time + ZERO, flux)])
        curve = replace(curve, is_scattered=curve.time_bjd < curve.time_bjd[0] + scattered_days)
        self.rows = to_rows(curve, STAR, 1)

    def star(self, *_: str) -> pl.DataFrame:
        return self.rows


def entry(signal: str, place: Ephemeris, **more: Any) -> dict[str, Any]:
    """A row of the catalogue on STAR."""
    known = {
        **{"signal_id": signal, "mission": "kepler", "mission_star_id": STAR, "star_id": STAR, "kic_id": 1},
        **{"period_days": place.period_days, "t0_bjd": place.t0 + ZERO, "duration_hours": place.duration_days * 24},
        **{"depth_ppm": 900.0, "snr": 30.0, "star_radius_sun": 0.8, "star_mass_sun": 0.82, "star_teff_k": 5200.0},
        **{"star_logg_cgs": 4.5, "ra_deg": 290.0, "dec_deg": 44.0, "source_table": "cumulative"},
        "has_diagnostics": False,
    }
    return known | more


def catalogue(*rows: dict[str, Any]) -> pl.DataFrame:
    return CORE_SIGNALS.conform(
        pl.DataFrame(list(rows), schema_overrides=CORE_SIGNALS.schema) if rows else CORE_SIGNALS.empty()
    )


def night(stored: Stored, tried: Tried, core_signals: pl.DataFrame, vetter: Any) -> pl.DataFrame:
    """The judgement of each found signal, through the tables of a night."""
    known = known_stars(core_signals, "kepler-01").get(STAR)
    catalogued, density = (known.signals, known.density_sun) if known else ((), math.nan)
    rows = [{**row, "density_sun": 1.0} for row in found_rows(tried, STAR, catalogued)]
    found = CORE_FOUND_SIGNALS.check(pl.DataFrame(rows, schema=CORE_FOUND_SIGNALS.schema))
    work = SignalWork(STAR, "kepler-01", density, places(catalogued, rows))
    diagnosed = FEAT_SIGNAL_DIAGNOSTICS.conform(diagnose_star(stored, work)).sort("signal_id")
    (quantum,) = view_quanta("kepler-01", {STAR: "digest"}, diagnosed)
    viewed = view_star(stored, quantum.work).sort("signal_id").with_row_index("row")
    stars = named_stars(core_signals)
    signals = with_measurements(as_signals(found, stars), diagnosed)
    index = views_of_found(viewed.select("signal_id", "star_id", "mission", "row"), diagnosed)
    signals = with_views(signals, index, {name: viewed[name].to_numpy() for name in SEEN_VIEWS})
    judged, _ = judge_and_explain(signals, vetter, Known.of(core_signals, diagnosed))
    return judged


def vet(tried: Tried, core_signals: pl.DataFrame, lake: Lake) -> list[dict[str, Any]]:
    """The rows of `exo vet` of the same signals in the same curve."""
    lake.write("core_signals", core_signals)
    here = read_settings()
    known = KnownStars(here)
    rows = _found(tried, STAR, known.known(STAR))
    judge_found(rows, known, here)
    return [one.row for one in rows]


CATALOGUES = {
    "unknown star": catalogue(),
    "both planets": catalogue(entry("K1.01", INNER), entry("K1.02", OUTER)),
    "one of them and one that is not found": catalogue(entry("K1.02", OUTER), entry("K1.07", HIDDEN)),
    "one at half its period": catalogue(entry("K1.02", Ephemeris(OUTER.period_days / 2, OUTER.t0, 0.2))),
    "a star without a radius": catalogue(entry("K1.01", INNER, star_radius_sun=None, star_logg_cgs=None)),
}


Searched = tuple[Stored, Tried]


@pytest.fixture(scope="module")
def searched() -> Searched:
    stored = Stored((INNER, 1e-3), (OUTER, 2e-3))
    curve = of_rows(stored.rows)
    star = search_curve(curve, SearchSettings(signals_max=4))
    assert len(star.signals) >= 2
    # The curve in hand is what was measured; what the lake has of it is in single precision.
    return stored, Tried(Star(curve, star.signals), (None,) * len(star.signals))


@pytest.fixture(scope="module")
def searched_twice(searched: Searched) -> Searched:
    """The same star with flagged points, and its second signal as if it were found only without them."""
    stored = Stored((INNER, 1e-3), (OUTER, 2e-3), scattered_days=30.0)
    curve, signals = of_rows(stored.rows), searched[1].star.signals[:2]
    calm = curve.without_scattered()
    assert calm is not None and 0.5 < calm.flux.size / curve.flux.size < 0.8
    return stored, Tried(Star(curve, signals[:1]), (WITH_SCATTERED,), Star(calm, signals[1:]))


@pytest.mark.parametrize("which", CATALOGUES)
@pytest.mark.parametrize("how", ["searched", "searched_twice"])
def test_exo_vet_and_the_night_say_the_same_of_a_signal(
    how: str, which: str, request: pytest.FixtureRequest, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXO_HOME", str(tmp_path))
    monkeypatch.setattr(score_command, "load_champion", lambda _: (None, seeing_vetter()))
    stored, tried = request.getfixturevalue(how)
    by_night = night(stored, tried, CATALOGUES[which], seeing_vetter())
    by_hand = vet(tried, CATALOGUES[which], Lake(str(tmp_path / "lake")))
    told = pl.DataFrame([{n: row[n] for n in ("probability_planet", "verdict", "prediction_set")} for row in by_hand])
    assert_frame_equal(told, by_night.select(told.columns), check_exact=True)
    assert [row["reasons"] for row in by_hand] == by_night["reasons"].to_list()
    assert all(row["probability_planet"] is not None and row["views"] for row in by_hand)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_same_numbers_get_the_same_judgement_whatever_their_names_and_order(data: st.DataObject) -> None:
    """Any fitted values, any number of stars that the catalogue has or does not have."""
    pool = koi_signals().filter(pl.col("star_radius_sun").is_not_null()).head(40)
    stars = [f"KIC {n}" for n in pool["kic_id"].unique().sort().to_list()[:6]] + ["KIC 5", "KIC 6"]
    number = st.floats(0.01, 1e5, allow_nan=False)
    rows = data.draw(
        st.lists(
            st.tuples(st.sampled_from(stars), number, number, st.floats(-1e3, 1e6), number),
            min_size=1,
            max_size=6,
            unique_by=lambda row: row[:2],
        )
    )
    found = pl.DataFrame(
        [(f"s-{i}", star, "kepler", *values) for i, (star, *values) in enumerate(rows)],
        schema={"tce_id": pl.String, "star_id": pl.String, "mission": pl.String, **dict.fromkeys(FITTED, pl.Float64)},
        orient="row",
    )
    known = named_stars(pool)

    def said(frame: pl.DataFrame) -> dict[str, tuple[Any, ...]]:
        judged, _ = judge_and_explain(as_signals(frame, known), tiny_vetter(), Known.of(pool))
        names = frame["tce_id"].to_list()
        return dict(zip(names, judged.select("probability_planet", "verdict", "problems").rows(), strict=True))

    shuffled = found.sample(fraction=1, shuffle=True, seed=data.draw(st.integers(0, 99)))
    assert said(found) == said(shuffled)
    others = named_stars(pool.sample(fraction=1, shuffle=True, seed=3))
    assert_frame_equal(known, others)  # a row order is no news


def test_a_star_is_found_by_each_of_its_names_with_the_values_of_the_mission_whose_name_it_is() -> None:
    toi = entry("TOI-1.01", INNER, mission="tess", mission_star_id="TIC 9", tic_id=9, magnitude=10.0)
    koi = [entry(f"K1.0{n}", OUTER, tic_id=9, magnitude=12.0) for n in (2, 1)]
    stars = named_stars(catalogue(toi, *koi)).select(NAMED, "magnitude", "star_id")
    assert stars.rows() == [("KIC 1", 12.0, "KIC 1"), ("TIC 9", 10.0, "KIC 1")]


def test_the_radius_is_that_of_the_depth_and_absent_where_the_star_is_unknown() -> None:
    found = pl.DataFrame(
        {
            "tce_id": ["a", "b", "c"],
            "star_id": [STAR, "KIC 2", STAR],
            "mission": ["kepler"] * 3,
            **{"period_days": [1.0] * 3, "duration_hours": [2.0] * 3, "depth_ppm": [1e4, 1e4, -5.0], "snr": [9.0] * 3},
        }
    )
    rows = as_signals(found, named_stars(CATALOGUES["both planets"]))
    assert rows["radius_earth"].to_list() == [pytest.approx(0.8 * SUN_RADIUS_EARTH * 0.1), None, 0.0]
    assert rows["mission_star_id"].to_list() == found["star_id"].to_list()
    assert set(STAR_COLUMNS) <= set(rows.columns)


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    """`out_found_scores` of found signals that say what is special about them."""
    plain = {
        **{
            "star_id": STAR,
            "mission": "kepler",
            "number": 1,
            "period_days": 3.0,
            "t0_bjd": ZERO,
            "sde": 9.0,
            "snr": 9.0,
        },
        **{"duration_hours": 2.0, "below_threshold": False, "is_variable": False, "match": "none", "density_sun": 1.0},
        **{"period_alternatives_days": [], "p": 0.5, "n_transits": 3},
    }
    whole = [plain | {"tce_id": f"{STAR}-{n:02d}"} | row for n, row in enumerate(rows, start=1)]
    found = CORE_FOUND_SIGNALS.conform(pl.DataFrame(whole))
    judged = pl.DataFrame(
        {"probability_planet": [row["p"] for row in whole]}, schema={"probability_planet": pl.Float64}
    )
    named = {name: OUT_FOUND_SCORES.schema[name] for name in JUDGEMENT if name != "probability_planet"}
    judged = judged.with_columns(pl.lit(None, kind).alias(name) for name, kind in named.items()).with_columns(
        problems=pl.lit(None, pl.String),
        n_signals_known=pl.lit(1, pl.Int64),
        completed_from=pl.lit(None, pl.String),
        stage=pl.lit(None, pl.String),
        reason=pl.when(pl.col("probability_planet").is_null()).then(pl.lit("no measured quantity")),
    )
    curves = pl.DataFrame({"star_id": [STAR], "flux_kind": ["PDCSAP_FLUX"], "curve_source": ["mirror"]})
    told = pl.DataFrame(whole)
    if "flux_kind" in told.columns:
        curves = curves.with_columns(flux_kind=pl.lit(told["flux_kind"][0]), curve_source=pl.lit("snapshot"))
    signals = as_signals(found, named_stars(CATALOGUES["both planets"]))
    scored = found_scores(found, signals, judged, named_stars(CATALOGUES["both planets"]), curves)
    more = {"model_version": "m", "data_version": "d", "first_found_at": "2026-01-01T00:00:00+00:00"}
    return OUT_FOUND_SCORES.check(scored.with_columns(**{name: pl.lit(value) for name, value in more.items()}))


def test_what_is_weak_or_not_judged_has_no_rank_and_says_why() -> None:
    rows = table({"p": 0.2}, {"p": 0.9, "below_threshold": True}, {"p": None}, {"p": 0.9}, {"p": 0.9, "snr": 12.0})
    assert rows["rank"].to_list() == [3, None, None, 2, 1]
    assert "below the thresholds of the search: not ranked" in rows["flags"][1]
    assert rows["reason"].to_list() == [None, None, "no measured quantity", None, None]
    assert in_no_catalogue(rows)["tce_id"].to_list() == ["KIC 1-05", "KIC 1-04", "KIC 1-01"]


def test_flags_are_told_where_they_hold() -> None:
    rows = table(
        {},
        {"is_variable": True, "period_alternatives_days": [1.5]},
        {"match": "harmonic", "signal_id": "K1.01"},
        {"match": "same", "signal_id": "K1.01", "star_id": "KIC 77", "tce_id": "KIC 77-01"},
        {"scattered_light": WITH_SCATTERED},
        {"scattered_light": WITHOUT_SCATTERED},
    )
    said = dict(rows.select("tce_id", "flags").iter_rows())
    blind = "no diagnostics of its light curve"
    assert said["KIC 1-01"] == [blind]
    assert said["KIC 1-02"] == [
        "the star varies at this period by more than the signal's depth",
        "the data allow other periods",
        blind,
    ]
    assert said["KIC 1-03"] == ["found at a harmonic of the catalogued period", blind]
    assert said["KIC 77-01"] == ["the catalogue does not know the star", blind]
    assert said["KIC 1-05"] == [WITH_SCATTERED, blind] and said["KIC 1-06"] == [WITHOUT_SCATTERED, blind]
    assert in_no_catalogue(rows)["tce_id"].to_list() == ["KIC 1-01", "KIC 1-02", "KIC 1-05", "KIC 1-06"]


def test_shipped_and_simulated_curves_are_labelled() -> None:
    (flags,) = table({"flux_kind": f"PDCSAP_FLUX ({INJECTED})"})["flags"].to_list()
    assert SIMULATED in INJECTED
    assert "the light curve ships with the package" in flags and any(f.startswith("SIMULATED") for f in flags)


def test_a_signal_that_was_found_before_keeps_its_day_whatever_its_number() -> None:
    names = {"tce_id": ["A-01", "A-02", "B-01"], "star_id": ["A", "A", "B"]}
    found = pl.DataFrame(names | {"period_days": [3.0, 7.0, 3.0]})
    days = {"star_id": ["A", "A", "C"], "first_found_at": ["monday", "sunday", "friday"]}
    before = pl.DataFrame(days | {"period_days": [3.0005, 14.0, 3.0]})
    assert first_found(found, before).to_list() == ["monday", None, None]
    assert first_found(found, before.clear()).to_list() == [None] * 3


def test_nothing_found_is_an_empty_table() -> None:
    empty = CORE_FOUND_SIGNALS.empty()
    stars = named_stars(CORE_SIGNALS.empty())
    judged, argued = judge_and_explain(as_signals(empty, stars), tiny_vetter())
    assert judged.is_empty() and argued == []
