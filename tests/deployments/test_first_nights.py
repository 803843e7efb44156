"""First nights from an empty home, whatever the archive gives: zero buckets of stars are a normal night."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from rich.console import Console

from deployments.cli.execute import execute
from deployments.dagster.instance import open_instance
from exo_assets.archive.parse import parse_csv, to_csv
from exo_assets.archive.snapshot.shipped import write_mirror
from exo_assets.lightcurves.buckets import bucket_of
from exo_assets.lightcurves.contracts import RAW_MAST__LIGHT_CURVES
from exo_assets.lightcurves.partitions import FIRST, registered
from exo_resources.lake import Lake
from exo_resources.settings import Settings
from exo_resources.star_tables import StarTables
from tests.archive.replica import Replica
from tests.deployments.small_night import build_defs
from tests.resources.mast_files import at_archive, contents, kepler_name
from tests.resources.mast_server import MastServer

pytestmark = pytest.mark.ray

ROWS = 40
KOI = "cumulative"


@pytest.fixture(scope="module")
def few_rows(tmp_path_factory: pytest.TempPathFactory, archive_mirror: Path) -> Path:
    """The first rows of each of the archive's tables."""
    import gzip

    folder = tmp_path_factory.mktemp("few")
    (folder / "tap").mkdir()
    for table in (archive_mirror / "tap").glob("*.csv.gz"):
        rows = parse_csv(gzip.decompress(table.read_bytes())).head(ROWS)
        (folder / "tap" / table.name).write_bytes(gzip.compress(to_csv(rows)))
    return folder


def catalogued(folder: Path) -> list[int]:
    """KIC numbers in the mirror's KOI table."""
    import gzip

    rows = parse_csv(gzip.decompress((folder / "tap" / f"{KOI}.csv.gz").read_bytes()))
    return sorted({int(number) for number in rows["kepid"].drop_nulls()})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path / "home"


def cleaned(settings: Settings, instance: dg.DagsterInstance) -> dict[str, int]:
    """Rows of clean curves by bucket that is registered."""
    tables = StarTables(Lake(settings.lake))
    found = {b: sum(e.rows for e in tables.index("core_light_curves", b).values()) for b in registered(instance)}
    return found


def by_command(settings: Settings, instance: dg.DagsterInstance) -> str:
    job = build_defs(settings).resolve_job_def("nightly_refresh")
    shown = io.StringIO()
    outcome = execute(job, instance, Console(file=shown, width=150), lake=Lake(settings.lake))
    assert outcome.success, shown.getvalue()
    return outcome.run_id


def follows_in(instance: dg.DagsterInstance, run_id: str) -> dict[str, list[str | None]]:
    """Materialised assets of a run, and their partitions."""
    found: dict[str, list[str | None]] = {}
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records:
        event = record.event_log_entry.asset_materialization
        assert event is not None
        found.setdefault(event.asset_key.to_user_string(), []).append(event.partition)
    return found


@pytest.mark.archive
def test_a_mirror_without_light_curves_is_a_normal_night(few_rows: Path, home: Path) -> None:
    settings = Settings(home=home, archive="mirror", archive_mirror=str(few_rows))
    with open_instance(settings) as instance:
        for _ in range(2):  # the night after, too
            made = follows_in(instance, by_command(settings, instance))
            assert made["follows"] == [None] and made["core_signals"] == [None]
            assert made["raw_mast__light_curves"] == made["core_light_curves"] == [FIRST]
        assert cleaned(settings, instance) == {FIRST: 0}
        assert Lake(settings.lake).read("core_signals").height > ROWS


def test_a_mirror_with_light_curves(tmp_path: Path, home: Path) -> None:
    mirror = write_mirror(tmp_path / "mirror")
    (mirror / "mast").mkdir()
    name = kepler_name(11442793, 3)
    (mirror / "mast" / name).write_bytes(contents(name))
    settings = Settings(home=home, archive="mirror", archive_mirror=str(mirror))
    with open_instance(settings) as instance:
        made = follows_in(instance, by_command(settings, instance))
        assert made["core_light_curves"] == [bucket_of("KIC 11442793")] and made["follows"] == [None]
        assert cleaned(settings, instance)[bucket_of("KIC 11442793")] == 1


def test_the_shipped_snapshot(home: Path) -> None:
    settings = Settings(home=home, archive="snapshot")
    with open_instance(settings) as instance:
        made = follows_in(instance, by_command(settings, instance))
        assert len(made["core_light_curves"]) == len(registered(instance)) > 5 and made["follows"] == [None]
        assert min(cleaned(settings, instance).values()) > 0


@pytest.fixture
def archives(few_rows: Path) -> Iterator[tuple[Replica, MastServer, list[int]]]:
    """Table and light-curve servers that agree on their stars."""
    stars = catalogued(few_rows)
    with Replica(few_rows) as tables, MastServer(at_archive(*(kepler_name(star, 3) for star in stars))) as mast:
        yield tables, mast, stars


@pytest.mark.archive
@pytest.mark.parametrize("archive", ["live", "auto"])
def test_a_first_night_of_the_archives_takes_the_stars_that_it_has_just_learned_of(
    archives: tuple[Replica, MastServer, list[int]], home: Path, archive: str
) -> None:
    tables, mast, stars = archives
    settings = Settings(
        home=home, archive=archive, archive_url=tables.url, mast_url=mast.url, mast_api_url=mast.url,
        archive_attempts=2, light_curve_stars=2,
    )  # fmt: skip
    with open_instance(settings) as instance:
        made = follows_in(instance, by_command(settings, instance))
        assert made["follows"] == [None]
        counted = cleaned(settings, instance)
    raw = RAW_MAST__LIGHT_CURVES
    taken = pl.concat(
        StarTables(Lake(settings.lake)).partition(raw.name, bucket, raw.empty()) for bucket in counted
    ).filter(pl.col("source") == "live", pl.col("mission") == "kepler")
    assert taken.height == 2 and set(taken["star_id"]) <= {f"KIC {star}" for star in stars}
    assert all(counted[bucket_of(star)] for star in taken["star_id"])
    assert {bucket_of(star) for star in taken["star_id"]} <= set(made["core_light_curves"])
