"""One answer whichever door: the release, `exo score`, the endpoint's tables and its single signals.

The catalogue here is the shipped DR25 KOI table twice: in full, and cut to the columns that the cumulative table has.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from deployments.serve.answers import judge_requests, judge_table
from deployments.serve.model import Loaded, Pin, load
from deployments.serve.request import parse_signal
from exo_assets.catalogs.contracts import CORE_PLANET_IDENTITY
from exo_assets.catalogs.harmonise import DR25_SUPPLIES, harmonise_koi
from exo_assets.catalogs.layouts import LAYOUTS
from exo_assets.catalogs.signals import accepted, harmonised_signals
from exo_assets.features.from_light_curves import CURVE_NAMES, with_diagnostics
from exo_assets.features.seen_views import VIEW_BINS
from exo_assets.features.signal_contracts import FEAT_SIGNAL_DIAGNOSTICS, FEAT_VIEW_INDEX
from exo_assets.features.view_arrays import array_key, npy_bytes
from exo_assets.scoring.contracts import JUDGEMENT
from exo_assets.scoring.files import file_signals, with_judgement
from exo_assets.scoring.found import as_signals, named_stars
from exo_assets.scoring.known import CONFIRMED, DR25, LIGHT_CURVE, NAMELESS, Known
from exo_assets.scoring.measured import MEASURED, TELLING
from exo_assets.scoring.read_file import read_catalogue_bytes
from exo_assets.scoring.score import JOINED, judge, prepare
from exo_assets.training.model_ref import MODEL_NAME, ModelRef
from exo_resources.known_signals import KnownSignals
from exo_resources.lake import Lake
from exo_resources.signal_views import SignalViews
from tests.features.synthetic import diagnostics_of
from tests.seeing_vetter import seeing_vetter
from tests.tiny_vetter import koi_table

NUMBERS = [name for name in JUDGEMENT if name.startswith(("probability", "disposition"))]
TOLERANCE = 1e-6
"""The network answers in single precision: its last digits depend on how many signals are judged together."""
TOI = {
    **{"tid": "50365310", "pl_tranmid": "2459229.63", "pl_trandurh": "2.0", "st_teff": "6100", "st_rad": "1.2"},
    **{"ra": "112.35", "dec": "-12.69", "tfopwg_disp": "PC"},
}


def _cumulative(dr25: pl.DataFrame) -> pl.DataFrame:
    """The table without what only DR25 supplies."""
    only = {s for q in LAYOUTS["koi"].quantities if q.column in DR25_SUPPLIES for s in q.sources}
    return dr25.drop(name for name in dr25.columns if name in only)


def _toi() -> pl.DataFrame:
    """Three signals of one star, the last with one transit alone."""
    rows = [("1000.01", "2.171", "656"), ("1000.02", "7.3", "900"), ("1000.03", None, "4000")]
    return pl.DataFrame([{"toi": n, "pl_orbper": p, "pl_trandep": d, **TOI} for n, p, d in rows])


TESS, KEPLER, K2 = "Transiting Exoplanet Survey Satellite (TESS)", "Kepler", "K2"
PLANETS = {"HD 1 b": "TOI-1000.01", "HD 1 c": "TOI-1000.02", "Exo-7 A b": None}
"""Planets that their own catalogue does not name, and the signals that they are: the last is the first KOI of two."""


def _identity(signals: pl.DataFrame) -> pl.DataFrame:
    """Of PLANETS, and of what the KOI table itself calls a planet."""
    of_two = signals.filter(pl.col("mission") == "kepler", pl.len().over("mission_star_id") == 2)
    unnamed = of_two.filter(pl.col("planet_name").is_null())["signal_id"][0]
    names = {signal or unnamed: planet for planet, signal in PLANETS.items()}
    own = signals.with_columns(
        planet_name=pl.coalesce(pl.col("signal_id").replace_strict(names, default=None), "planet_name")
    )
    rows = own.filter(pl.col("planet_name").is_not_null()).with_columns(
        planet_group_id="planet_name", match_kind=pl.lit("period"), counterparts="planet_name"
    )
    return CORE_PLANET_IDENTITY.conform(rows)


def _planet(name: str | None, facility: str, period: str | None, depth: str | None, host: str | None) -> dict[str, Any]:
    """A row of the archive's table of planets, with the star and the duration of TOI-1000."""
    said = {"pl_name": name, "hostname": host, "disc_facility": facility, "pl_orbper": period, "pl_trandep": depth}
    star = {"pl_trandur": "2.0", "st_teff": "6100", "st_rad": "1.2", "discoverymethod": "Transit"}
    return {**said, **star}


@dataclass(frozen=True)
class World:
    """A catalogue, its release, and the doors to it."""

    lake: Lake
    release: pl.DataFrame
    loaded: Loaded
    raw: pl.DataFrame

    def cli(self, raw: pl.DataFrame) -> pl.DataFrame:
        """As `exo score` does."""
        read = read_catalogue_bytes(raw.write_csv().encode(), "mine.csv")
        signals = file_signals(read)
        return with_judgement(read, signals, self.loaded.vetter, KnownSignals(self.lake).read(signals))

    def table(self, raw: pl.DataFrame) -> bytes:
        """As /v1/predict_batch does."""
        text, _ = judge_table(raw.write_csv().encode(), "mine.csv", self.loaded)
        return text

    def one(self, request: dict[str, Any]) -> dict[str, Any]:
        """As /v1/predict does."""
        (reply,) = judge_requests([parse_signal(json.dumps(request).encode())], self.loaded)
        return reply

    def requests(self, raw: pl.DataFrame) -> list[dict[str, Any] | None]:
        """The rows as requests; None for one of which nothing is measured."""
        return [_request(row) for row in file_signals(raw).iter_rows(named=True)]


def _request(row: dict[str, Any]) -> dict[str, Any] | None:
    known = {n: row[n] for n in ("signal_id", "mission_star_id", *MEASURED) if row[n] is not None}
    return {"mission": row["mission"], **known} if any(name in known for name in TELLING) else None


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    dr25 = koi_table()[:600]
    raw = _cumulative(dr25)
    none = pl.DataFrame()
    signals = accepted(harmonised_signals(raw, dr25, _toi(), none))
    kois = signals.filter(pl.col("mission") == "kepler")
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    diagnostics = diagnostics_of(kois, share=0.5, telling=3.0)
    index = kois.gather_every(3).select("signal_id", "star_id", "mission").with_row_index("row")
    rng = np.random.default_rng(5)
    for name, bins in VIEW_BINS.items():
        views = rng.normal(0, 0.4, (index.height, bins)).astype(np.float32)
        lake.put(array_key("d", name), npy_bytes(views))
    lake.write("core_signals", signals)
    lake.write("core_planet_identity", _identity(signals))
    lake.write("feat_signal_diagnostics", FEAT_SIGNAL_DIAGNOSTICS.conform(diagnostics))
    lake.write("feat_view_index", FEAT_VIEW_INDEX.conform(index.with_columns(digest=pl.lit("d"))))
    vetter, folder = seeing_vetter(), tmp_path_factory.mktemp("model")
    vetter.save(folder)
    known = KnownSignals(lake).put(tmp_path_factory.mktemp("known"))
    assert known is not None
    loaded = load(Pin(ModelRef(MODEL_NAME, "1", "r", vetter.digest), folder, "d", {}, known))
    # As the asset out_scores_all judges them.
    whole = with_diagnostics(lake.read("core_signals"), lake.read("feat_signal_diagnostics")).sort("signal_id")
    ready = prepare(SignalViews(lake).beside(whole, lake.read("feat_view_index")), vetter)
    judged = ready.judged(vetter.score_features(ready.features))
    counted = judged["n_signals_known"].drop_nulls()
    assert counted.to_list() == ready.features["n_signals"].to_list() and counted.max() > 2  # type: ignore[operator]
    return World(lake, whole.select("signal_id").hstack(judged), loaded, raw)


def _close(a: dict[str, Any], b: dict[str, Any]) -> bool:
    numbers = [(a[name], b[name]) for name in NUMBERS]
    return all(
        (x is None and y is None) or (x is not None and y is not None and math.isclose(x, y, abs_tol=TOLERANCE))
        for x, y in numbers
    ) and (a["verdict"], a["prediction_set"]) == (b["verdict"], b["prediction_set"])


def test_the_release_s_rows_are_answered_alike_at_every_door(world: World) -> None:
    for raw, released in ((world.raw, "K"), (_toi(), "TOI")):
        by_file = world.cli(raw)
        assert by_file.write_csv().encode() == world.table(raw)
        release = world.release.filter(pl.col("signal_id").str.starts_with(released))
        by_name = by_file.with_columns(signal_id=file_signals(raw)["signal_id"])
        named = by_name.join(release, on="signal_id", suffix="_r")
        assert named.height == release.height
        gap = named.select(pl.max_horizontal((pl.col(n) - pl.col(f"{n}_r")).abs().max() for n in NUMBERS)).item()
        assert gap < TOLERANCE
        assert (named["n_signals_known"] == named["n_signals_known_r"]).all()
        assert (named["known_as"] == named["signal_id"]).all()
    kois = world.cli(world.raw)
    assert kois["completed_from"].value_counts().height == 3  # nothing, DR25, or a light curve too
    alone = world.cli(world.raw.drop("kepid").with_columns(kepoi_name=pl.lit("mine")))
    assert set(alone["unknown_because"]) == {NAMELESS} and set(alone["n_signals_known"]) == {1}
    flips = (alone["verdict"] != kois["verdict"]).sum()
    assert flips > 10, "the join moves nothing: the test proves nothing"


@st.composite
def changed_rows(draw: st.DrawFn) -> list[tuple[int, dict[str, str | None]]]:
    """Rows of the table by number, in any order and repeated, some with other values, names or without any."""
    texts = st.one_of(
        st.none(),
        st.floats(1e-3, 1e5).map(repr),
        st.sampled_from(["", "three", "-1", "1e400", "nan"]),
    )
    measured = st.sampled_from(["koi_period", "koi_duration", "koi_depth", "koi_prad", "koi_steff", "koi_impact"])
    names = st.sampled_from([None, "K99999.01", "mine", "K00001.01"])
    values = st.dictionaries(measured, texts, max_size=3)
    named = st.fixed_dictionaries({}, optional={"kepoi_name": names})
    change: st.SearchStrategy[dict[str, str | None]] = st.one_of(
        st.just({}), st.tuples(values, named).map(lambda both: {**both[0], **both[1]})
    )
    return draw(st.lists(st.tuples(st.integers(0, 599), change), min_size=1, max_size=12))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=changed_rows())
def test_any_rows_are_answered_alike_at_every_door(world: World, rows: list[tuple[int, dict[str, str | None]]]) -> None:
    _is_answered_alike(
        world,
        pl.concat([world.raw[at].with_columns(**{n: pl.lit(v, pl.String) for n, v in c.items()}) for at, c in rows]),
    )


PERIODS = ("2.171", "7.3", "7.302", "3.65", None)
DEPTHS = ("0.09", "0.0656", None)
planets = st.builds(
    _planet,
    st.sampled_from([*PLANETS, "hd1c", "HD 1 d", "Kepler-227 b", "HD 2 b", None]),
    st.sampled_from([TESS, KEPLER, K2]),
    *(
        st.sampled_from(PERIODS),
        st.sampled_from(DEPTHS),
        st.sampled_from([None, "HD 1", "Exo-7 A", "Kepler-227", "HD 9"]),
    ),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(planets, min_size=1, max_size=8))
def test_any_planets_are_answered_alike_at_every_door(world: World, rows: list[dict[str, Any]]) -> None:
    _is_answered_alike(
        world, pl.DataFrame(rows, schema=dict.fromkeys(_planet(None, TESS, None, None, None), pl.String))
    )


def _is_answered_alike(world: World, raw: pl.DataFrame) -> None:
    by_file = world.cli(raw)
    assert by_file.write_csv().encode() == world.table(raw)
    asked: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for said, request in zip(by_file.iter_rows(named=True), world.requests(raw), strict=True):
        if request is None:
            assert said["probability_planet"] is None
        elif (valid := _valid(request)) is not None:
            asked.append((said, parse_signal(json.dumps(valid).encode())))
    replies = judge_requests([request for _, request in asked], world.loaded)
    for (said, _), reply in zip(asked, replies, strict=True):
        if said["known_as"] is None and said["n_signals_known"] > reply["n_signals_known"]:
            continue  # other rows of the file are on its star, and no signals of the catalogue either
        assert _close(said, reply)
        assert [said[name] for name in JOINED] == [reply[name] for name in JOINED]


def _valid(request: dict[str, Any]) -> dict[str, Any] | None:
    """The request without the values that no door uses: the endpoint refuses what a file's problems tell."""
    frame = pl.DataFrame([request])
    broken = {
        name: frame.select(pl.any_horizontal(expr for _, expr in MEASURED[name].broken())).item()
        for name in request
        if name in MEASURED
    }
    kept = {name: value for name, value in request.items() if not broken.get(name)}
    return kept if any(name in kept for name in TELLING) else None


def test_what_a_row_has_is_never_replaced_and_another_period_takes_nothing(world: World) -> None:
    full = world.cli(world.raw)
    full = full.filter(completed_from=f"{DR25}, {LIGHT_CURVE}")
    measured = full.join(world.lake.read("feat_signal_diagnostics"), left_on="kepoi_name", right_on="signal_id")
    row = world.raw.filter(kepoi_name=measured["kepoi_name"][0])
    name = row["kepoi_name"][0]
    own = world.cli(row.with_columns(koi_max_mult_ev=pl.lit("7.5")))
    assert own["completed_from"][0] == f"{DR25}, {LIGHT_CURVE}"
    signals = file_signals(row.with_columns(koi_max_mult_ev=pl.lit("7.5")))
    ready = prepare(signals, world.loaded.vetter, known=world.loaded.known).rows
    dr25 = harmonise_koi(koi_table()[:600].filter(kepoi_name=name))
    assert ready["mes"][0] == 7.5 and ready["ses"][0] == dr25["ses"][0] is not None
    assert ready.select(CURVE_NAMES).row(0) != (None,) * len(CURVE_NAMES)
    double = world.cli(row.with_columns((pl.col("koi_period").cast(pl.Float64) * 2).cast(pl.String)))
    assert double["known_as"][0] == name and double["completed_from"][0] is None
    assert f"{name} has a period of" in double["problems"][0]
    request = world.requests(row)[0]
    assert request is not None
    reply = world.one({**request, "lc_shape_v": 0.25})
    assert reply["completed_from"] == DR25, "measurements of two light curves are not mixed"


def test_a_signal_is_found_by_any_name_of_it_or_of_its_star(world: World) -> None:
    two = world.lake.read("core_signals").filter(pl.len().over("mission_star_id") == 2)
    first = two.row(0, named=True)
    values = {"mission": "kepler", "period_days": first["period_days"], "depth_ppm": first["depth_ppm"]}
    name, star, number = first["signal_id"], first["mission_star_id"], first["kic_id"]
    ways: list[dict[str, Any]] = [{"signal_id": name}, {"mission_star_id": star}, {"kepid": number}]
    named = [world.one({**values, **way}) for way in ways]
    assert {reply["known_as"] for reply in named} == {name}
    assert {reply["n_signals_known"] for reply in named} == {2}
    assert len({reply["probability_planet"] for reply in named}) == 1
    other = world.one({**values, "period_days": first["period_days"] * 1.37, "mission_star_id": star})
    assert other["known_as"] is None and other["n_signals_known"] == 3
    assert other["unknown_because"] == f"the catalogue knows 2 signals of {star}, none of this name or period"
    alone = world.one(values)
    assert (alone["unknown_because"], alone["n_signals_known"]) == (NAMELESS, 1)
    assert world.one({**values, "signal_id": name, "mission": "tess"})["known_as"] is None
    stranger = world.one({**values, "mission_star_id": "KIC 1", "n_signals_on_star": 4})
    assert stranger["unknown_because"] == "the catalogue has no signals of KIC 1" and stranger["n_signals_known"] == 4
    mixed = world.one({**values, "signal_id": name, "mission_star_id": "KIC 1"})
    assert mixed["known_as"] is None, "a name on another star is another signal"


def test_a_planet_is_the_signal_that_the_catalogue_knows_it_by(world: World) -> None:
    raw = pl.DataFrame(
        [_planet("HD 1 c", TESS, "7.3", "0.09", "HD 1"), _planet("HD 1 b", TESS, "2.171", "0.0656", None)]
    )
    said = world.cli(raw).with_columns(signal_id="known_as")
    assert said["known_as"].to_list() == ["TOI-1000.02", "TOI-1000.01"] and said["n_signals_known"].to_list() == [3, 3]
    both = said.join(world.release, on="signal_id", suffix="_r").to_dicts()
    for one in both:
        assert _close(one, {name: one[f"{name}_r"] for name in (*NUMBERS, "verdict", "prediction_set")})
    # At another facility it is the same planet on the same star, measured by another mission: nothing is taken.
    rows = [_planet("HD 1 c", KEPLER, "7.3", "0.09", "HD 1"), _planet("Exo-7 A b", K2, "9.9", "0.09", "Exo-7 A")]
    other = world.cli(pl.DataFrame(rows))
    koi = world.lake.read("core_planet_identity").filter(planet_name="Exo-7 A b")["signal_id"][0]
    assert other["known_as"].to_list() == ["TOI-1000.02", koi] and other["n_signals_known"].to_list() == [3, 2]
    assert other["completed_from"].to_list() == [None, None]
    assert "TOI-1000.02 is a signal of tess: its star's signals count, nothing is taken" in other["problems"][0]
    elsewhere = world.cli(pl.DataFrame([_planet("HD 1 c", KEPLER, "7.3", "0.09", "HD 9")]))
    assert elsewhere["known_as"][0] is None, "a planet of that name on another star is another planet"
    new = world.cli(pl.DataFrame([_planet("HD 1 d", TESS, "31.1", "0.09", "HD 1")]))
    assert new["known_as"][0] is None and new["n_signals_known"][0] == 4


def test_a_file_of_an_older_version_says_what_it_has(world: World) -> None:
    old = Known.of_file(world.loaded.known.signals.drop(CONFIRMED))
    asked = pl.DataFrame({"mission": ["tess"] * 2, "signal_id": ["TOI-1000.02", "HD 1 c"]}).with_columns(
        mission_star_id=pl.lit(None, pl.String), period_days=7.3
    )
    assert [place.name for place in old.places(asked)] == ["TOI-1000.02", None]


def test_names_are_known_however_they_are_spelt(world: World) -> None:
    named = world.lake.read("core_signals").filter(
        pl.col("planet_name").is_not_null() & (pl.len().over("mission_star_id") > 1), mission="kepler"
    )
    first = named.row(0, named=True)
    values = {"mission": "kepler", "period_days": first["period_days"], "depth_ppm": first["depth_ppm"]}
    name, planet, kic = first["signal_id"], first["planet_name"], first["kic_id"]
    koi = f"{float(name[1:]):.2f}"
    signals = [name, name.lower(), f" {name} ", f"KOI-{koi}", f"koi {koi}", koi, planet, planet.upper()]
    signals += [planet.replace(" ", ""), f"KOI-{koi[:-3]} b"]
    stars = [f"KIC {kic}", f"kic{kic}", f"KIC-{kic:09d}", f"{kic}", f"KOI-{koi[:-3]}", planet[:-2].lower()]
    ways: list[dict[str, Any]] = [{"signal_id": one} for one in signals] + [{"mission_star_id": one} for one in stars]
    ways.append({"kepid": kic, "mission_star_id": f"kic {kic:09d}"})
    replies = [world.one({**values, **way}) for way in ways]
    assert [reply["known_as"] for reply in replies] == [name] * len(ways)
    assert len({(reply["n_signals_known"], reply["probability_planet"]) for reply in replies}) == 1
    other = world.one({**values, "signal_id": f"KOI-{koi[:-3]}.77", "period_days": first["period_days"] * 1.37})
    assert other["known_as"] is None and other["n_signals_known"] == replies[0]["n_signals_known"] + 1
    tess = {"mission": "tess", "period_days": 2.171, "depth_ppm": 656.0}
    for way in ({"signal_id": "toi 1000.01"}, {"signal_id": "1000.01"}, {"mission_star_id": "TOI-1000"}):
        assert world.one({**tess, **way})["known_as"] == "TOI-1000.01"
    row = world.raw.filter(kepoi_name=name)
    written = world.cli(row.with_columns(kepid=pl.format("KIC {}", "kepid"), kepoi_name=pl.lit(f"KOI-{koi}")))
    assert _close(written.row(0, named=True), world.cli(row).row(0, named=True)) and written["problems"][0] is None
    alone = world.cli(row.drop("kepid").with_columns(kepoi_name=pl.lit(f"koi-{koi}")))
    assert alone["known_as"].to_list() == [name]


def test_a_found_signal_is_judged_as_a_row_of_a_file_is(world: World) -> None:
    """Of each star one signal is found, at a catalogued period or at another."""
    catalogue = world.lake.read("core_signals").filter(mission="kepler").unique("kic_id", maintain_order=True).head(60)
    other = pl.int_range(pl.len()) % 2 == 1
    found = catalogue.select(
        "mission",
        "snr",
        tce_id=pl.format("KIC {}-01", "kic_id"),
        star_id=pl.format("KIC {}", "kic_id"),
        period_days=pl.col("period_days") * pl.when(other).then(1.37).otherwise(1.0003),
        duration_hours=pl.col("duration_hours") * 1.1,
        depth_ppm=pl.col("depth_ppm") * 0.9,
    )
    signals = as_signals(found, named_stars(world.lake.read("core_signals")))
    judged = judge(signals, world.loaded.vetter, known=KnownSignals(world.lake).read(signals))
    assert set(judged["known_as"].is_null()) == set(judged["completed_from"].is_null()) == {True, False}
    assert judged["n_signals_known"].n_unique() > 2
    asked = [_valid(request) for row in signals.iter_rows(named=True) if (request := _request(row))]
    requests = [parse_signal(json.dumps(request).encode()) for request in asked if request]
    assert len(requests) == judged.height
    for said, reply in zip(judged.iter_rows(named=True), judge_requests(requests, world.loaded), strict=True):
        assert _close(said, reply)
        assert [said[name] for name in JOINED] == [reply[name] for name in JOINED]


def test_requests_judged_together_are_no_companions(world: World) -> None:
    star = world.lake.read("core_signals")["mission_star_id"][0]
    asked = [
        parse_signal(json.dumps({"mission": "kepler", "period_days": p, "mission_star_id": star}).encode())
        for p in (0.77, 0.78, 0.79)
    ]
    together = judge_requests(asked, world.loaded)
    assert [judge_requests([one], world.loaded)[0] for one in asked] == together


def test_the_endpoint_s_file_is_what_the_lake_says(world: World, tmp_path: Path) -> None:
    known = KnownSignals(world.lake)
    file = known.put(tmp_path)
    assert file is not None and file.stem == known.version()
    written = file.stat().st_mtime_ns
    assert known.put(tmp_path) == file and len(list(tmp_path.iterdir())) == 1
    assert_frame_equal(pl.read_parquet(file), known.read().signals)
    assert file.stat().st_mtime_ns >= written
    signals = world.lake.read("core_signals")
    other = Lake(str(tmp_path / "lake"))
    assert KnownSignals(other).put(tmp_path) is None and KnownSignals(other).read().signals.is_empty()
    for number in range(6):
        other.write("core_signals", signals[number:])
        newest = KnownSignals(other).put(tmp_path)
    assert newest is not None and newest.exists() and len(list(tmp_path.glob("*.parquet"))) == 4
