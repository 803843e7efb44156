"""Light curves come in a few stars at a time: resolved ones first, within the night's budget, and nothing twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.features.curves_wanted import curves_wanted
from exo_assets.lightcurves.buckets import bucket_of
from exo_assets.lightcurves.records import Record
from exo_resources.archive.errors import Attempt
from exo_resources.lake import Lake
from exo_resources.mast.growth import FETCHED, MOST_A_NIGHT, Growth, spent_on, wanted_tonight
from exo_resources.mast.ledger import TABLE, Ledger
from exo_resources.mast.night import nightly_records
from exo_resources.mast.source import LightCurveSource
from exo_resources.settings import Settings
from exo_resources.star_tables import StarTables
from tests.resources.mast_files import at_archive, contents, kepler_name
from tests.resources.mast_server import MastServer

LOG = logging.getLogger("growth")
STARS = range(1_000_001, 1_000_013)
TODAY, TOMORROW = "2026-03-07", "2026-03-08"
FOUR_STARS = 2 * FETCHED * len(contents(kepler_name(STARS[0], 2))) / 1e9
"""GB of two quarters of as many stars as are fetched between two looks at the budget."""


def catalogue(numbers: Sequence[int], resolved: Callable[[int], bool] = lambda _: True) -> pl.DataFrame:
    """One Kepler signal a star; of the resolved ones every other is a planet."""
    rows = [
        {
            "mission": "kepler", "signal_id": f"K{n}", "mission_star_id": f"KIC {n}", "star_id": f"KIC {n}",
            "kic_id": n, "disposition": ("CONFIRMED" if n % 2 else "FALSE POSITIVE") if resolved(n) else "CANDIDATE",
        }
        for n in numbers
    ]  # fmt: skip
    return CORE_SIGNALS.conform(pl.DataFrame(rows))


@pytest.fixture
def server() -> Iterator[MastServer]:
    names = [kepler_name(star, quarter) for star in STARS for quarter in (2, 3)]
    with MastServer(at_archive(*names)) as running:
        yield running


class Nights:
    """Nights of the download stage, each with the budget and on the day that is asked for."""

    def __init__(self, home: Path, server: MastServer, signals: pl.DataFrame, **settings: object) -> None:
        self.home, self.server, self.signals, self.settings = home, server, signals, settings
        self.lake = Lake(str(home / "lake"))
        self.tables = StarTables(self.lake)
        self.trouble: list[Attempt] = []

    def night(self, budget: float, day: str = TODAY, most: int | None = None) -> list[str]:
        """Stars that are new after a night; one that ends after `most` writes was killed."""
        before = self.have()
        settings = Settings(
            home=self.home, archive="live", mast_url=self.server.url, mast_api_url=self.server.url,
            archive_attempts=1, light_curve_gb_a_night=budget, **self.settings,
        )  # fmt: skip
        source = LightCurveSource(settings, self.lake)
        ledger = Ledger(self.tables, sorted({bucket_of(f"KIC {n}") for n in self.signals["kic_id"]}))
        ledger.replace(nightly_records(source, self.signals, ledger.before(), LOG, self.trouble))
        growth = Growth(source, ledger.buckets, day, spent_on(ledger.records, day))
        for written, records in enumerate(growth.records(self.signals, self.have(), LOG, self.trouble)):
            if written == most:
                break
            ledger.add([replaced(record, day) for record in records])
        return sorted(self.have() - before)

    def have(self) -> set[str]:
        return self.tables.processed(TABLE)

    def files(self) -> dict[str, int]:
        """How many files of each star are kept."""
        rows = self.tables.read(TABLE).filter(status="kept")
        return dict(rows.group_by("star_id").len().iter_rows())


def replaced(record: Record, day: str) -> Record:
    """The record as if it was made on `day`."""
    return replace(record, retrieved_at=f"{day}T03:00:00+00:00")


def test_nights_fetch_within_their_budget_until_all_is_there(tmp_path: Path, server: MastServer) -> None:
    nights = Nights(tmp_path, server, catalogue(STARS))
    first = nights.night(FOUR_STARS)
    assert len(first) == FETCHED
    assert nights.night(FOUR_STARS) == [], "the budget of the day is spent"
    second = nights.night(FOUR_STARS, TOMORROW)
    assert len(second) == FETCHED and not set(first) & set(second)
    assert len(nights.night(1.0, "2026-03-09")) == len(STARS) - 2 * FETCHED
    assert set(nights.files().values()) == {2}, "a star comes with all of its files"
    fetched = {name: times for name, times in server.asked.items() if name.endswith(".fits")}
    assert len(fetched) == 2 * len(STARS) and set(fetched.values()) == {1}, "nothing is fetched twice"
    assert nights.night(0.0, "2026-03-10") == [] and len(nights.have()) == len(STARS)
    assert nights.trouble == []


def test_a_killed_night_keeps_what_it_wrote_and_the_next_goes_on(tmp_path: Path, server: MastServer) -> None:
    nights = Nights(tmp_path, server, catalogue(STARS))
    assert len(nights.night(1.0, most=2)) == 2 * FETCHED
    assert set(nights.files().values()) == {2}
    assert len(nights.night(1.0)) == len(STARS) - 2 * FETCHED
    assert all(times == 1 for name, times in server.asked.items() if name.endswith(".fits"))


def test_resolved_stars_come_first_and_absent_ones_stand_in_nobodys_way(tmp_path: Path, server: MastServer) -> None:
    absent = range(2_000_001, 2_000_041)
    signals = catalogue([*STARS, *absent], resolved=lambda n: n in STARS[:6] or n in absent)
    nights = Nights(tmp_path, server, signals, light_curve_stars=None)
    assert {f"KIC {n}" for n in STARS[:6]} <= set(nights.night(1.0)), "all resolved ones are within one night's stars"
    state, tonight = wanted_tonight(Settings(home=tmp_path), signals, "kepler", nights.have(), TOMORROW)
    left = [star for star in tonight if int(star[4:]) in absent]
    assert tonight[: len(left)] == tuple(left) and len(left) == len(absent)
    other = wanted_tonight(Settings(home=tmp_path), signals, "kepler", nights.have(), "2026-03-09")[1]
    assert set(other) == set(tonight) and other != tonight, "another night, another order"
    assert not state.enough


def test_an_outage_ends_the_growth_and_loses_nothing(tmp_path: Path, server: MastServer) -> None:
    nights = Nights(tmp_path, server, catalogue(STARS))
    nights.night(FOUR_STARS)
    server.fault("", always="500")
    assert nights.night(1.0, TOMORROW) == [] and len(nights.have()) == FETCHED
    assert nights.trouble and all(one.source == "kepler" for one in nights.trouble)
    server.fault("")
    assert len(nights.night(1.0, "2026-03-09")) == len(STARS) - FETCHED


def test_enough_is_what_the_vetter_needs_and_then_no_more_are_asked_for(tmp_path: Path) -> None:
    signals = catalogue(range(1, 1_001))
    stars = [f"KIC {n}" for n in range(1, 1_001)]
    none = curves_wanted(signals, "kepler", [])
    assert not none.enough and none.resolved == 0 and len(none.without) == 1_000
    every = curves_wanted(signals, "kepler", stars)
    assert every.enough and every.without == () and every.needed == 220
    settings = Settings(home=tmp_path)
    half = stars[:400]
    assert wanted_tonight(settings, signals, "kepler", half, TODAY)[1] == ()
    assert len(wanted_tonight(settings, signals, "kepler", half[:100], TODAY)[1]) == MOST_A_NIGHT
    full = settings.model_copy(update={"profile": "full"})
    assert len(wanted_tonight(full, signals, "kepler", half, TODAY)[1]) == 600
    some = settings.model_copy(update={"light_curve_stars": 5})
    asked = wanted_tonight(some, signals, "kepler", [], TODAY)[1]
    assert len(asked) == 5 and wanted_tonight(some, signals, "kepler", asked[:2], TOMORROW)[1] == asked[2:]
    assert "0 of 220 resolved training signals" in str(none) and "do not count yet" in str(none)


@given(st.sets(st.integers(1, 400), min_size=1), st.sets(st.integers(1, 400)), st.text(max_size=5))
@examples(max_examples=50, deadline=None)
def test_every_star_without_light_curves_is_named_once_resolved_ones_first(
    numbers: set[int], have: set[int], order: str
) -> None:
    signals = catalogue(sorted(numbers), resolved=lambda n: n % 3 == 0)
    found = curves_wanted(signals, "kepler", [f"KIC {n}" for n in have], order)
    assert sorted(found.without) == sorted(f"KIC {n}" for n in numbers - have)
    kinds = [int(star[4:]) % 3 == 0 for star in found.without]
    assert kinds == sorted(kinds, reverse=True)
    assert found.resolved <= len({n for n in numbers & have if n % 3 == 0})
