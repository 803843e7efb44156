"""One bad source does not stop the night: whatever a table's source sends, the other tables and what is made of them
come out as if nothing had happened, and what happened is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exo_assets.archive.assets import ASSETS
from exo_assets.archive.checks import CHECKS
from exo_assets.archive.contracts import CUMULATIVE, DR25_TCE, PSCOMPPARS, RAW_CONTRACTS, TOI
from exo_assets.archive.parse import to_csv
from exo_assets.archive.refused import REFUSED_COPIES
from exo_assets.archive.rows import separated
from exo_assets.archive.snapshot.shipped import shipped_frame
from exo_assets.catalogs.assets import ASSETS as CATALOGUE
from exo_assets.catalogs.checks import CHECKS as CATALOGUE_CHECKS
from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.contracts import TableContract
from exo_assets.events.core import core_events
from exo_resources.archive import ArchiveError, ArchiveSource
from exo_resources.archive.content import checked_rows
from tests.archive.conftest import MakeSource
from tests.archive.replica import Replica

KOIS, TOIS = 120, 80
TRANSIT = {"pl_orbper": "9.5", "pl_trandurh": "3.1", "pl_trandep": "900.5", "pl_rade": "2.2", "st_teff": "5700"}
MADE = [contract.name for contract in RAW_CONTRACTS.values()] + [a.key.to_user_string() for a in CATALOGUE]


def _filled(contract: TableContract, rows: int, **values: pl.Expr) -> pl.DataFrame:
    known = {"st_rad": "1.02", "st_tmag": "10.5", "ra": "100.25", "dec": "20.5", "tfopwg_disp": "PC", **TRANSIT}
    frame = pl.select(row=pl.int_range(rows))
    names = dict.fromkeys([*(c.name for c in contract.columns), *values])
    columns = [values.get(name, pl.lit(known.get(name))).cast(pl.String).alias(name) for name in names]
    return frame.with_columns(columns).drop("row")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of four small tables that a catalogue is made of."""
    folder = tmp_path_factory.mktemp("tables") / "tap"
    folder.mkdir()
    kois, row = shipped_frame("q1_q17_dr25_koi").head(KOIS), pl.col("row")
    toi = _filled(TOI, TOIS, toi=pl.format("{}.01", row + 100), tid=row + 1000, ra=row / 4, rowupdate=pl.lit("x"))
    planets = _filled(PSCOMPPARS, 20, pl_name=pl.format("Star-{} b", row), hostname=pl.format("Star-{}", row))
    for name, frame in {
        "q1_q17_dr25_koi": kois,
        "cumulative": kois.select(c.name for c in CUMULATIVE.columns),
        "toi": toi,
        "pscomppars": planets,
    }.items():
        (folder / f"{name}.csv").write_bytes(to_csv(frame))
    return folder.parent


@pytest.fixture
def live(tables: Path) -> Iterator[Replica]:
    with Replica(tables) as running:
        yield running


def night(archive: ArchiveSource) -> dg.ExecuteInProcessResult:
    result = dg.materialize(
        [*ASSETS, *CHECKS, *CATALOGUE, *CATALOGUE_CHECKS],
        resources={"lake": archive.lake, "archive": archive},
        raise_on_error=False,
    )
    assert result.success
    assert made(result) >= set(MADE)
    return result


def made(result: dg.ExecuteInProcessResult) -> set[str]:
    return {e.asset_key.to_user_string() for e in result.get_asset_materialization_events() if e.asset_key}


def told(result: dg.ExecuteInProcessResult, table: str) -> dg.AssetCheckEvaluation:
    [found] = [
        e
        for e in result.get_asset_check_evaluations()
        if e.check_name == "source_is_fresh" and e.asset_key.to_user_string() == f"raw_nea__{table}"
    ]
    return found


def rows(archive: ArchiveSource) -> dict[str, int]:
    """Rows of the catalogue by mission."""
    counts = archive.lake.read(CORE_SIGNALS.name).group_by("mission").len()
    return dict(counts.iter_rows())


BAD = {
    "renamed": "missing columns ['pl_orbper']",
    "words": "pl_orbper is not a number in 1 of 1 rows",
    "html": "The archive is in maintenance",
    "truncated": "the connection broke after",
    "short": "the service counts 80",
    "empty": "no rows",
    "ragged": "Expected",
    "not_utf8": "is not UTF-8",
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_table_is_empty_on_the_first_night_and_stale_afterwards(
    source: MakeSource, live: Replica, fault: str
) -> None:
    archive = source("live", archive_url=live.url, archive_attempts=1)
    live.fault("toi", fault)
    first = told(night(archive), "toi")
    assert rows(archive) == {"kepler": KOIS}
    assert archive.lake.read(TOI.name).is_empty()
    whole = night(archive) if fault == "renamed" else None
    assert whole is None or told(whole, "toi").description == first.description
    live.heal()
    assert told(night(archive), "toi").passed
    assert rows(archive) == {"kepler": KOIS, "tess": TOIS}
    good = archive.lake.version(TOI.name)
    live.fault("toi", fault)
    second = told(night(archive), "toi")
    kept = archive.lake.version(TOI.name)
    assert rows(archive) == {"kepler": KOIS, "tess": TOIS}
    assert good and kept and kept.digest == good.digest and kept.notes["source"] == "last_good"
    for evaluation, state in ((first, "it is empty"), (second, "the last good copy was kept")):
        refused = fault != "truncated"
        assert not evaluation.passed and not evaluation.blocking
        assert evaluation.severity == (dg.AssetCheckSeverity.ERROR if refused else dg.AssetCheckSeverity.WARN)
        assert state in str(evaluation.description) and BAD[fault] in str(evaluation.description)
        assert "Remedy: " in str(evaluation.description)
    refused_rows = archive.lake.read(REFUSED_COPIES.name)
    assert set(refused_rows["archive_table"]) == ({"toi"} if fault != "truncated" else set())


@pytest.mark.parametrize("fault", ["doubled", "same_keys"])
def test_repeated_rows_are_set_aside_on_the_first_night(source: MakeSource, live: Replica, fault: str) -> None:
    live.fault("toi", fault)
    archive = source("live", archive_url=live.url)
    assert told(night(archive), "toi").passed
    assert rows(archive) == {"kepler": KOIS, "tess": TOIS}
    assert archive.lake.read("core_archive_quarantine").height == TOIS


def test_a_column_in_another_unit_keeps_the_last_good_copy(source: MakeSource, live: Replica, tables: Path) -> None:
    archive = source("live", archive_url=live.url)
    night(archive)
    path = tables / "tap" / "toi.csv"
    before = path.read_bytes()
    try:
        path.write_bytes(before.replace(b",900.5,", b",0.09005,"))
        bad = told(night(archive), "toi")
    finally:
        path.write_bytes(before)
    assert "its median depth_ppm of 0.09005 is not that of transits" in str(bad.description)
    assert bad.severity == dg.AssetCheckSeverity.ERROR
    assert rows(archive) == {"kepler": KOIS, "tess": TOIS}


def test_a_refused_live_table_is_told_although_the_mirror_stands_in(
    source: MakeSource, live: Replica, tables: Path
) -> None:
    live.fault("toi", "renamed")
    archive = source("auto", archive_url=live.url, archive_mirror=str(tables))
    evaluation = told(night(archive), "toi")
    assert archive.lake.version(TOI.name).notes["source"] == "mirror"  # type: ignore[union-attr]
    assert not evaluation.passed and "missing columns ['pl_orbper']" in str(evaluation.description)
    assert rows(archive) == {"kepler": KOIS, "tess": TOIS}


def test_without_any_catalogue_only_what_is_made_of_it_is_not_made(source: MakeSource, live: Replica) -> None:
    for table in RAW_CONTRACTS:
        live.fault(table, "status_500")
    archive = source("live", archive_url=live.url, archive_attempts=1)
    result = dg.materialize(
        [*ASSETS, *CHECKS, *CATALOGUE, *CATALOGUE_CHECKS],
        resources={"lake": archive.lake, "archive": archive},
        raise_on_error=False,
    )
    assert not result.success
    failed = [e for e in result.get_asset_check_evaluations() if not e.passed and e.blocking]
    assert [e.check_name for e in failed] == ["has_signals"]
    assert "raw_nea__toi: live: ArchiveStatusError: HTTP status 500" in str(failed[0].description)
    assert made(result) >= {c.name for c in RAW_CONTRACTS.values()} and CORE_SIGNALS.name not in made(result)


def test_events_without_a_number_or_there_twice_are_set_aside() -> None:
    row = pl.col("row")
    kepid = pl.when(row == 3).then(None).when(row == 4).then(2).otherwise(row + 1)
    raw = _filled(DR25_TCE, 6, kepid=kepid, tce_plnt_num=pl.lit("1"))
    events, notes = core_events(raw, RAW_CONTRACTS["q1_q17_dr25_koi"].empty(), CUMULATIVE.empty())
    assert events["star_id"].to_list() == ["KIC 1", "KIC 2", "KIC 3", "KIC 6"]
    assert (notes["rows_without_number"], notes["rows_repeated"]) == (1, 1)


SMALL = to_csv(_filled(TOI, 5, toi=pl.format("{}.01", pl.col("row") + 100), tid=pl.col("row") + 1000))


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(SMALL)), st.integers(0, 40), st.binary(max_size=30))
def test_whatever_bytes_come_they_are_a_table_or_a_named_error(at: int, cut: int, new: bytes) -> None:
    data = SMALL[:at] + new + SMALL[at + cut :]
    try:
        frame = checked_rows(TOI, data)
    except ArchiveError as error:
        assert error.is_content and error.sent == data and error.cure
    else:
        assert TOI.problems(separated(TOI, frame).rows) == []
