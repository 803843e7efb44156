"""The PostgreSQL instance against a real server: runs, events, schedules, sensors and pools."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

from deployments.dagster.instance import POOLS, InstanceError, install, open_instance, set_pools
from exo_resources.alert_book import AlertBook
from exo_resources.lake import Lake
from exo_resources.notifier import Notifier
from exo_resources.settings import Settings
from sensors import build_sensors
from tests.postgres_server import programs, server

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL's programs are not installed (Debian package postgresql)")
    with server(folder) as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("EXO_PG_URL", postgres_url)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    made = Settings(home=tmp_path / "home")
    install(made, "postgres")
    return made


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as opened:
        opened.wipe()
        yield opened


@dg.asset(check_specs=[dg.AssetCheckSpec("rows", asset="signals")])
def signals() -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(
        metadata={"dagster/row_count": 3},
        check_results=[dg.AssetCheckResult(check_name="rows", passed=False, severity=dg.AssetCheckSeverity.WARN)],
    )


def small_run(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    defs = dg.Definitions(
        assets=[signals], jobs=[dg.define_asset_job("nightly_refresh", executor_def=dg.in_process_executor)]
    )
    return defs.resolve_job_def("nightly_refresh").execute_in_process(instance=instance)


def test_all_three_stores_are_postgres(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.run_storage, PostgresRunStorage)
    assert isinstance(instance.event_log_storage, PostgresEventLogStorage)
    assert isinstance(instance.schedule_storage, PostgresScheduleStorage)


def test_a_run_and_its_events_are_in_the_database(
    instance: dg.DagsterInstance, settings: Settings, postgres_url: str
) -> None:
    import psycopg2

    result = small_run(instance)
    assert result.success
    with open_instance(settings) as another:
        run = another.get_run_by_id(result.run_id)
        assert run is not None and run.is_success
        event = another.get_latest_materialization_event(dg.AssetKey("signals"))
        assert event is not None and event.asset_materialization is not None
        assert event.asset_materialization.metadata["dagster/row_count"].value == 3
    connection = psycopg2.connect(postgres_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from event_logs where run_id = %s", (result.run_id,))
            assert cursor.fetchone()[0] > 5  # type: ignore[index]
    finally:
        connection.close()


def test_ticks_of_schedules_are_kept(instance: dg.DagsterInstance, settings: Settings) -> None:
    tick = TickData(
        instigator_origin_id="origin",
        instigator_name="nightly_refresh_schedule",
        instigator_type=InstigatorType.SCHEDULE,
        status=TickStatus.SUCCESS,
        timestamp=1.7e9,
        run_ids=["run1"],
        selector_id="selector",
    )
    instance.create_tick(tick)
    with open_instance(settings) as another:
        [kept] = another.get_ticks("origin", "selector")
    assert (kept.instigator_name, kept.status, kept.run_ids) == (
        "nightly_refresh_schedule",
        TickStatus.SUCCESS,
        ["run1"],
    )


def test_pools_are_bootstrapped_and_hold(instance: dg.DagsterInstance) -> None:
    set_pools(instance)
    storage = instance.event_log_storage
    assert {p.name: p.limit for p in storage.get_pool_limits()} == POOLS
    assert storage.claim_concurrency_slot("release", "run1", "out_warehouse").is_claimed
    assert not storage.claim_concurrency_slot("release", "run2", "out_warehouse").is_claimed
    storage.free_concurrency_slots_for_run("run1")
    assert storage.claim_concurrency_slot("release", "run2", "out_warehouse").is_claimed


def test_the_sensor_that_tells_of_runs_reads_this_log_too(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    sensor = next(s for s in build_sensors(Settings()) if s.name == "run_digest")
    notifier, cursor = Notifier(tmp_path / "alerts.jsonl"), None
    book, lake = AlertBook(tmp_path / "alerts.json"), Lake(str(tmp_path / "lake"))
    resources = {"notifier": notifier, "alert_book": book, "lake": lake}
    for step in range(4):
        with dg.build_sensor_context(instance, cursor=cursor, resources=resources) as context:
            cursor = sensor.evaluate_tick(context).cursor
        if step == 0:
            small_run(instance)
    assert len(notifier.log_file.read_text().splitlines()) == 1


def test_a_server_that_does_not_answer_is_a_clear_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXO_PG_URL", "postgresql://exo@127.0.0.1:1/postgres")
    with pytest.raises(InstanceError, match="of a server that answers"), open_instance(settings):
        pass


def test_the_switch_says_that_history_stays_behind(
    settings: Settings, postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = settings.model_copy(update={"home": tmp_path / "another"})
    with open_instance(mine) as files:
        small_run(files)
    switched = install(mine, "postgres")
    assert switched.changed and switched.left_behind == 1
    with open_instance(mine) as database:
        assert isinstance(database.run_storage, PostgresRunStorage)
    back = install(mine, "embedded")
    assert back.changed
    with open_instance(mine) as files:
        assert files.get_runs_count() == 1


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        ("revoke create on schema public from public", "may not create tables in schema public"),
        ("revoke all on schema public from public", "grant usage, create on schema public to guest"),
        ("grant create on schema public to guest", "may not read and write the tables that are there"),
    ],
)
def test_a_user_without_rights_is_told_which(
    instance: dg.DagsterInstance,
    settings: Settings,
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rights: str,
    said: str,
) -> None:
    import psycopg2

    connection = psycopg2.connect(postgres_url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("drop owned by guest" if _has(cursor, "guest") else "create role guest login")
            cursor.execute(rights)
        monkeypatch.setenv("EXO_PG_URL", postgres_url.replace("//exo@", "//guest@"))
        other = settings.model_copy(update={"home": tmp_path / "another"})
        with pytest.raises(InstanceError, match=said) as refused:
            install(other, "postgres")
        assert "EXO_PG_URL" in str(refused.value)
        assert not (tmp_path / "another" / "dagster" / "dagster.yaml").exists()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("grant usage on schema public to public")
        connection.close()


def _has(cursor: Any, role: str) -> bool:
    cursor.execute("select 1 from pg_roles where rolname = %s", (role,))
    return cursor.fetchone() is not None


def test_the_clock_of_the_database_orders_the_runs(instance: dg.DagsterInstance) -> None:
    """The sensors page through runs by their update time: it must not lie hours away from this machine's."""
    result = small_run(instance)
    [record] = instance.get_run_records(dg.RunsFilter(run_ids=[result.run_id]))
    assert abs((datetime.now(UTC) - record.update_timestamp).total_seconds()) < 3600
