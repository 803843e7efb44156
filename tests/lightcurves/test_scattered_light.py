"""Points flagged for scattered light: what hangs on them is told so by the night and by `exo vet` in the same words."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from layouts import BTJD, DEPTH, DURATION, PERIOD, T0, noisy, planet, spoc, times
from typer.testing import CliRunner

from deployments.cli.main import app
from exo_assets.features.curve_in_hand import seen_of_found
from exo_assets.features.diagnostics import COLUMNS
from exo_assets.features.plans import view_quanta
from exo_assets.features.seen_views import SEEN_VIEWS, stacked_views
from exo_assets.features.signal_tasks import SignalWork, diagnose_star, places, view_star
from exo_assets.lightcurves import page_tasks
from exo_assets.lightcurves.chain import Star
from exo_assets.lightcurves.clean import CleanCurve, CleanError
from exo_assets.lightcurves.curve_rows import of_rows, to_rows
from exo_assets.lightcurves.flags import FLAGS, OTHER_PERIODS, in_words
from exo_assets.lightcurves.page_tasks import PageWork, draw_star, with_flags
from exo_assets.lightcurves.scattered_light import with_and_without
from exo_assets.lightcurves.star_contracts import CORE_SEARCH, CORE_SINGLE_SEARCH, WITH_SCATTERED, WITHOUT_SCATTERED
from exo_assets.lightcurves.star_tasks import CleanWork, SearchWork, clean_star, search_one, single_one
from exo_resources.lake import Lake
from exo_resources.star_tables import StarEntry, StarRows, StarTables

STAR, BUCKET = "TIC 999000100", "tess-00"
NAN = float("nan")
FLAG = 4096


def flagged_file(kind: str, **place: float) -> bytes:
    """A TESS file of a star with one planet.

    Flagged are its dips (`hangs`), a week (`stands`), no point (`bare`), every other point in transit, which scattered
    light lifts by as much as the planet takes (`hides`), or three dips as deep as the planet's (`rivals`).
    """
    time = times(step_s=600.0)
    inside = planet(time, **place) < 1 - DEPTH / 10
    if kind == "hides":
        lifted = inside & (np.arange(time.size) % 2 == 0)
        depth = DEPTH / 2
        flux = noisy(planet(time, depth=depth, **place) + np.where(lifted, 2 * depth, 0.0), 1e-3)
        return spoc(time, 1e4 * flux, quality=np.where(lifted, FLAG, 0))
    if kind == "rivals":
        other = np.abs(time[:, None] - T0 - np.array([10.3, 15.0, 20.9])).min(axis=1) < DURATION / 2
        flux = noisy(planet(time, **place) - np.where(other, DEPTH, 0.0))
        return spoc(time, 1e4 * flux, quality=np.where(other, FLAG, 0))
    flags = {"hangs": inside, "stands": time < time[0] + 7, "bare": np.zeros(time.size, bool)}[kind]
    return spoc(time, 1e4 * noisy(planet(time, **place)), quality=np.where(flags, FLAG, 0))


def night(data: bytes) -> dict[str, pl.DataFrame]:
    """`core_light_curves` and `core_search` of the star."""
    files = (("key", "star.fits", hashlib.sha256(data).hexdigest()),)
    curves = clean_star(SimpleNamespace(get=lambda _key: data), CleanWork(STAR, files, ()))
    found = search_one(Tables(core_light_curves=curves), SearchWork(STAR, BUCKET, NAN, ()))
    return {"core_light_curves": curves, "core_search": CORE_SEARCH.check(found)}


class Tables(dict[str, pl.DataFrame]):
    """Rows of one star, as the lake has them."""

    def star(self, table: str, *_: str) -> pl.DataFrame:
        return self[table]


@pytest.fixture(scope="module")
def hidden() -> Tables:
    """The star whose planet is found only without the flagged points."""
    return Tables(night(flagged_file("hides")))


def vetted(data: bytes, folder: Path, kind: str = "signal") -> list[dict[str, Any]]:
    (folder / "star.fits").write_bytes(data)
    done = CliRunner().invoke(app, ["vet", str(folder / "star.fits"), "--json"], env={"EXO_HOME": str(folder / "home")})
    assert done.exit_code == 0, done.stderr
    return [row for row in json.loads(done.stdout) if row["kind"] == kind]


def of_the_planet(rows: list[dict[str, Any]]) -> dict[str, Any]:
    def is_it(row: dict[str, Any]) -> bool:
        away = (row["t0_bjd"] - BTJD - T0 + PERIOD / 2) % PERIOD - PERIOD / 2
        return abs(row["period_days"] / PERIOD - 1) < 2e-3 and abs(away) < DURATION / 4

    (row,) = filter(is_it, rows)
    return row


@pytest.mark.parametrize(
    ("kind", "told"), [("hangs", WITH_SCATTERED), ("hides", WITHOUT_SCATTERED), ("stands", None), ("bare", None)]
)
def test_the_night_and_exo_vet_tell_the_same_of_a_signal(
    kind: str, told: str | None, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    data = flagged_file(kind)
    tables = request.getfixturevalue("hidden") if kind == "hides" else night(data)
    by_night, by_hand = tables["core_search"].to_dicts(), vetted(data, tmp_path)
    assert of_the_planet(by_night)["scattered_light"] == of_the_planet(by_hand)["scattered_light"] == told
    assert of_the_planet(by_night)["below_threshold_reason"] == of_the_planet(by_hand)["below_threshold_reason"] == told
    for rows in (by_night, by_hand):
        assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    night_stored = tables["core_light_curves"]["is_scattered"].item()
    assert (night_stored is None) == (kind == "bare")


@pytest.mark.parametrize(("kind", "told"), [("hangs", WITH_SCATTERED), ("stands", None), ("rivals", WITHOUT_SCATTERED)])
def test_a_transit_that_happens_once_tells_it_too(kind: str, told: str | None, tmp_path: Path) -> None:
    data = flagged_file(kind, period=100.0, t0=T0 + 6)
    tables = Tables(night(data))
    alone = single_one(tables, SearchWork(STAR, BUCKET, NAN, ()))
    by_night = CORE_SINGLE_SEARCH.check(alone).to_dicts()
    by_hand = vetted(data, tmp_path, "single transit")
    for rows, zero in ((by_night, "time_bjd"), (by_hand, "t0_bjd")):
        (row,) = (row for row in rows if abs(row[zero] - BTJD - T0 - 6) < DURATION / 4)
        assert row["scattered_light"] == told


def test_what_is_found_only_without_flagged_points_is_measured_and_drawn_without_them(
    hidden: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = of_the_planet(hidden["core_search"].to_dicts())
    found = pl.DataFrame([rows], schema=CORE_SEARCH.schema)
    whole = of_rows(hidden["core_light_curves"])
    calm = whole.without_scattered()
    assert calm is not None
    unmarked = found.with_columns(scattered_light=pl.lit(None, pl.String))
    alone = Tables(core_light_curves=to_rows(calm, STAR, 1), core_search=unmarked)
    tables = Tables(hidden | {"core_search": found})

    def measured(tables: Tables) -> tuple[pl.DataFrame, pl.DataFrame]:
        signals = places((), tables["core_search"].to_dicts())
        diagnosed = diagnose_star(tables, SignalWork(STAR, BUCKET, 1.0, signals))
        (quantum,) = view_quanta(BUCKET, {STAR: "digest"}, diagnosed)
        return diagnosed, view_star(tables, quantum.work)

    diagnosed, viewed = measured(tables)
    same, seen = measured(alone)
    names = ["period_days", "reason", *(column.name for column in COLUMNS)]
    assert diagnosed.select(names).equals(same.select(names)) and viewed.equals(seen)
    assert diagnosed["scattered_light"].to_list() == [WITHOUT_SCATTERED] and diagnosed["snr_red"].item() > 7.1
    with_them, _ = measured(Tables(tables | {"core_search": unmarked}))
    assert (with_them["snr_red"].item() or 0.0) < diagnosed["snr_red"].item() / 2
    (in_hand,) = seen_of_found(whole, (), [rows], 1.0)
    assert {n: in_hand.diagnostics[n] for n in names[2:]} == diagnosed.select(names[2:]).row(0, named=True)
    views = stacked_views({n: viewed[n].to_numpy() for n in SEEN_VIEWS}, np.zeros(1, dtype=np.int64))[0]
    np.testing.assert_array_equal(in_hand.views, views)
    (row,) = found.with_columns(flags=in_words(FLAGS), period_alternatives_days=[7.2, 28.8]).to_dicts()
    below = with_flags("title", row | {"flags": [*row["flags"], OTHER_PERIODS]}).split("\n")[1:]
    not_ranked = "below the thresholds of the search: not ranked"
    assert " ".join(below) == f"{not_ranked}; {WITHOUT_SCATTERED}; {OTHER_PERIODS} (7.2, 28.8 d)"
    monkeypatch.setattr(page_tasks, "with_flags", lambda title, row: title)
    pages = [draw_star(one, PageWork(STAR, BUCKET))["png"].item() for one in (tables, alone)]
    assert pages[0] == pages[1]


def test_flagged_points_that_leave_nothing_are_told_and_a_star_without_any_is_searched_once(hidden: Tables) -> None:
    whole = of_rows(hidden["core_light_curves"])
    searched: list[CleanCurve] = []

    def search(curve: CleanCurve) -> Star:
        searched.append(curve)
        if len(searched) > 1:
            raise CleanError("7 points are left")
        return Star(curve, ())

    tried = with_and_without(whole, whole.without_scattered(), search)
    assert len(searched) == 2 and tried.calm is None and tried.problem == "7 points are left"
    bare = whole.where(~whole.is_scattered)
    searched.clear()
    tried = with_and_without(bare, bare.without_scattered(), search)
    assert len(searched) == 1 and tried.problem is None and tried.signals == ()


def test_a_file_whose_every_point_is_flagged_is_searched_all_the_same(tmp_path: Path) -> None:
    time = times(step_s=1800.0)
    data = spoc(time, quality=np.full(time.size, FLAG))
    for rows in (night(data)["core_search"].to_dicts(), vetted(data, tmp_path)):
        assert of_the_planet(rows)["scattered_light"] == WITH_SCATTERED


def test_rows_from_before_there_was_a_column_are_read(hidden: Tables, tmp_path: Path) -> None:
    """A home goes on: one bucket as an earlier version wrote it, one as this one does."""
    old = hidden["core_light_curves"].drop("is_scattered")
    assert not of_rows(old).is_scattered.any() and of_rows(old).without_scattered() is None
    tables = StarTables(Lake(str(tmp_path)))
    for bucket, rows in (
        ("tess-00", hidden["core_search"].drop("scattered_light")),
        ("tess-01", hidden["core_search"]),
    ):
        arrow = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        tables.write("core_search", bucket, rows.schema, [StarRows(StarEntry(bucket, "f"), arrow)])
    told = CORE_SEARCH.conform(tables.read("core_search"))["scattered_light"].to_list()
    half = len(told) // 2
    assert told[:half] == [None] * half and WITHOUT_SCATTERED in told[half:]
    before = tables.partition("core_search", "tess-00", CORE_SEARCH.empty())
    assert not any(place.is_calm for place in places((), before.to_dicts()))
