"""Sensors against a real (in-memory) instance: cursors, run keys, alerts, and outages that are no errors."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.lightcurves.buckets import bucket_of
from exo_assets.lightcurves.partitions import register
from exo_assets.lightcurves.sample.shipped import shipped_files
from exo_assets.lightcurves.told import Told
from exo_assets.training.model_ref import ModelRef
from exo_resources.lake import Lake
from exo_resources.mast import LightCurveSource
from exo_resources.mast.discovery import buckets_wanted
from exo_resources.serve_client import ServeStatus
from exo_resources.settings import Settings
from exo_resources.user_curves import import_curve
from sensors import build_sensors
from sensors.common import HANDLED_TAG

V1 = ModelRef("exo-vetter", "1", "run1", "a" * 64)
V2 = ModelRef("exo-vetter", "2", "run2", "b" * 64)
E1 = ModelRef("exo-event-vetter", "1", "run3", "c" * 64)
E2 = ModelRef("exo-event-vetter", "2", "run4", "d" * 64)
NAMES = [
    "archive_changed",
    "light_curves_found",
    "documents_changed",
    "champion_moved",
    "gate_refused",
    "run_digest",
    "night_overdue",
    "served_version",
]


@pytest.fixture(params=["memory", "sqlite"])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """In memory (one log for all runs), and on disk as the embedded deployment has it (one log per run)."""
    if request.param == "memory":
        with dg.DagsterInstance.ephemeral() as made:
            yield made
    else:
        (tmp_path / "dagster").mkdir()
        with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
            yield made


def sensor(name: str) -> dg.SensorDefinition:
    return {s.name: s for s in build_sensors(Settings())}[name]


class Ticks:
    """Evaluates one sensor again and again, carrying its cursor as the daemon does."""

    def __init__(self, name: str, instance: dg.DagsterInstance, **resources: Any) -> None:
        self.sensor, self.instance, self.resources = sensor(name), instance, resources
        self.cursor: str | None = None

    def tick(self) -> Any:
        with dg.build_sensor_context(self.instance, cursor=self.cursor, resources=self.resources) as context:
            data = self.sensor.evaluate_tick(context)
        self.cursor = data.cursor
        return data


# -- archive_changed -------------------------------------------------------------------------------------------------


DR25 = ("q1_q17_dr25_koi", "q1_q17_dr25_tce")


class Archive:
    def __init__(self) -> None:
        self.state = dict.fromkeys(["cumulative", "toi", "k2pandc", "pscomppars", *DR25], "2026-01-01")
        self.down: set[str] = set()

    def fingerprint(self, table: str) -> str:
        if table in self.down:
            raise ConnectionError(f"no route to the archive for {table}")
        return self.state[table]


def test_a_table_that_moved_asks_for_one_nightly_run(instance: dg.DagsterInstance) -> None:
    archive = Archive()
    ticks = Ticks("archive_changed", instance, archive=archive)
    first = ticks.tick()
    assert first.run_requests == [] and "first look" in first.skip_message
    assert ticks.tick().run_requests == []
    archive.state["toi"] = "2026-01-02"
    [request] = ticks.tick().run_requests
    assert request.tags["exo/archive_changed"] == "toi"
    assert ticks.tick().run_requests == []


def test_run_keys_are_the_same_for_the_same_change_and_differ_for_another(instance: dg.DagsterInstance) -> None:
    archive = Archive()
    ticks = Ticks("archive_changed", instance, archive=archive)
    ticks.tick()
    before = ticks.cursor
    archive.state["toi"] = "2026-01-02"
    [one] = ticks.tick().run_requests
    ticks.cursor = before  # as after a crash between the request and the saved cursor
    [again] = ticks.tick().run_requests
    archive.state["toi"] = "2026-01-01"
    [back] = ticks.tick().run_requests
    assert one.run_key == again.run_key != back.run_key


def test_an_archive_that_is_down_is_skipped_with_the_reason(instance: dg.DagsterInstance) -> None:
    archive = Archive()
    ticks = Ticks("archive_changed", instance, archive=archive)
    ticks.tick()
    known, archive.down = ticks.cursor, set(archive.state)
    skipped = ticks.tick()
    assert "no route to the archive" in skipped.skip_message and skipped.run_requests == []
    assert ticks.cursor == known


def test_one_silent_table_does_not_hide_the_others(instance: dg.DagsterInstance) -> None:
    archive = Archive()
    ticks = Ticks("archive_changed", instance, archive=archive)
    ticks.tick()
    archive.down = {"cumulative"}
    archive.state |= {"cumulative": "2026-01-02", "toi": "2026-01-02"}
    assert ticks.tick().run_requests[0].tags["exo/archive_changed"] == "toi"
    archive.down = set()
    assert ticks.tick().run_requests[0].tags["exo/archive_changed"] == "cumulative"


# -- light_curves_found ----------------------------------------------------------------------------------------------


def light_curves(tmp_path: Path, **settings: Any) -> tuple[LightCurveSource, Lake]:
    lake = Lake(str(tmp_path / "lake"))
    return LightCurveSource(Settings(home=tmp_path, **settings), lake), lake


def test_buckets_of_what_there_is_are_registered_and_nothing_is_run(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    source, lake = light_curves(tmp_path, archive="snapshot")
    ticks = Ticks("light_curves_found", instance, lake=lake, light_curves=source)
    data = ticks.tick()
    assert not data.run_requests
    (request,) = data.dynamic_partitions_requests
    assert sorted(request.partition_keys) == sorted({bucket_of(one.file.star_id) for one in shipped_files()})
    register(instance, request.partition_keys)
    assert "are registered" in ticks.tick().skip_message
    time, flux = 2_459_000 + np.arange(200.0) / 50, 1 + np.arange(200.0) % 7 / 1e5
    table = pl.DataFrame({"time": time, "flux": flux}).write_csv().encode()
    import_curve(lake, table, "mine.csv", Told("TIC 41"))
    (request,) = ticks.tick().dynamic_partitions_requests
    assert request.partition_keys == [bucket_of("TIC 41")]


def test_the_catalogues_stars_are_wanted_once_it_came_from_the_archive(tmp_path: Path) -> None:
    source, lake = light_curves(tmp_path, archive="live", light_curve_stars=2)
    row = {"mission": "kepler", "signal_id": "a", "mission_star_id": "x", "star_id": "x"}
    signals = CORE_SIGNALS.conform(pl.DataFrame([{**row, "kic_id": n} for n in range(1, 9)]))
    lake.write("core_signals", signals)
    assert buckets_wanted(source, lake) == []
    lake.write("raw_nea__cumulative", pl.DataFrame({"x": [1]}), notes={"source": "live"})
    first = buckets_wanted(source, lake)
    assert len(first) == 2 and all(bucket.startswith("kepler-") for bucket in first)
    lake.write("core_signals", signals.vstack(CORE_SIGNALS.conform(pl.DataFrame([{**row, "kic_id": 900_000}]))))
    assert len(set(first) & set(buckets_wanted(source, lake))) >= 1


def test_sources_that_cannot_be_asked_are_skipped_with_the_reason(instance: dg.DagsterInstance) -> None:
    data = Ticks("light_curves_found", instance, lake=None, light_curves=None).tick()
    assert "cannot be asked" in data.skip_message and not data.dynamic_partitions_requests


# -- champion_moved --------------------------------------------------------------------------------------------------


class Registry:
    def __init__(self, champion: ModelRef | None) -> None:
        self.current, self.broken = champion, False

    def champion(self) -> ModelRef | None:
        if self.broken:
            raise OSError("database is locked")
        return self.current


NO_EVENTS = Registry(None)


def deployed(instance: dg.DagsterInstance, ref: ModelRef, asset: str = "serve_vetter") -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(asset, metadata={"model_digest": ref.digest}))


def test_a_champion_of_events_that_moved_is_deployed_too(instance: dg.DagsterInstance) -> None:
    events = Registry(None)
    ticks = Ticks("champion_moved", instance, registry=Registry(V1), event_registry=events)
    deployed(instance, V1)
    assert ticks.tick().run_requests == []
    events.current = E1
    deployed(instance, E1, "serve_events")
    assert ticks.tick().run_requests == [], "the night that made it deployed it"
    events.current = E2
    [forward] = ticks.tick().run_requests
    assert forward.tags["exo/champion"] == "exo-event-vetter v2" and ticks.tick().run_requests == []
    deployed(instance, E2, "serve_events")
    run = instance.create_run_for_job(a_job("rollback_event_champion"))
    events.current = E1
    assert "waiting for rollback_event_champion" in ticks.tick().skip_message
    instance.report_run_canceled(run)
    [back] = ticks.tick().run_requests
    assert back.run_key != forward.run_key
    events.broken = True
    assert "database is locked" in ticks.tick().skip_message


def test_a_champion_that_moved_is_deployed_once_and_again_after_a_rollback(instance: dg.DagsterInstance) -> None:
    registry = Registry(V1)
    ticks = Ticks("champion_moved", instance, registry=registry, event_registry=NO_EVENTS)
    deployed(instance, V1)
    assert ticks.tick().run_requests == []
    registry.current = V2
    [forward] = ticks.tick().run_requests
    assert ticks.tick().run_requests == []
    deployed(instance, V2)
    registry.current = V1
    [back] = ticks.tick().run_requests
    deployed(instance, V1)
    registry.current = V2
    [forward_again] = ticks.tick().run_requests
    assert len({forward.run_key, back.run_key, forward_again.run_key}) == 3


def test_a_run_that_deploys_by_itself_is_waited_for(instance: dg.DagsterInstance) -> None:
    registry = Registry(V1)
    ticks = Ticks("champion_moved", instance, registry=registry, event_registry=NO_EVENTS)
    run = instance.create_run_for_job(a_job("nightly_refresh"))
    waiting = ticks.tick()
    assert "waiting for nightly_refresh" in waiting.skip_message and ticks.cursor is None
    deployed(instance, V1)
    instance.report_run_canceled(run)
    assert ticks.tick().run_requests == []
    assert json.loads(ticks.cursor or "")["champions"]["signals"].startswith("1:")


def test_no_champion_and_a_registry_that_is_down_are_skipped(instance: dg.DagsterInstance) -> None:
    registry = Registry(None)
    ticks = Ticks("champion_moved", instance, registry=registry, event_registry=NO_EVENTS)
    assert "no champion yet" in ticks.tick().skip_message
    registry.broken = True
    assert "database is locked" in ticks.tick().skip_message


# -- failures --------------------------------------------------------------------------------------------------------


def a_job(name: str, *, gate: str = "pass", asset: str = "ml_vetter_gates") -> dg.JobDefinition:
    """A job whose one asset has a blocking and a plain check; `gate` is pass, refuse, warn or crash."""

    @dg.asset(
        name=asset,
        check_specs=[
            dg.AssetCheckSpec("auc", asset=asset, blocking=True),
            dg.AssetCheckSpec("drift", asset=asset),
        ],
    )
    def gates() -> dg.MaterializeResult:
        if gate == "crash":
            raise RuntimeError("the disk is full")
        return dg.MaterializeResult(
            check_results=[
                dg.AssetCheckResult(check_name="auc", passed=gate != "refuse", description="AUC 0.91 is below 0.95"),
                dg.AssetCheckResult(check_name="drift", passed=gate != "warn", severity=dg.AssetCheckSeverity.WARN),
            ]
        )

    @dg.asset(name="ml_vetter_champion", deps=[gates])
    def champion() -> None: ...

    return dg.Definitions(
        assets=[gates, champion], jobs=[dg.define_asset_job(name, executor_def=dg.in_process_executor)]
    ).resolve_job_def(name)


def run(instance: dg.DagsterInstance, name: str, gate: str, asset: str = "ml_vetter_gates", **tags: str) -> str:
    job = a_job(name, gate=gate, asset=asset)
    return job.execute_in_process(instance=instance, raise_on_error=False, tags=tags).run_id


def test_a_refusal_with_a_champion_asks_for_a_release_once(instance: dg.DagsterInstance) -> None:
    ticks = Ticks("gate_refused", instance, registry=Registry(V1))
    ticks.tick()
    refused = run(instance, "nightly_refresh", "refuse")
    [request] = ticks.tick().run_requests
    assert request.run_key == f"gate_refused:{refused}" and request.tags["exo/refused_by"] == "auc"
    assert ticks.tick().run_requests == []


@pytest.mark.parametrize(
    ("job", "gate", "asset", "tags"),
    [
        ("nightly_refresh", "crash", "ml_vetter_gates", {}),
        ("nightly_refresh", "warn", "ml_vetter_gates", {}),
        ("nightly_refresh", "refuse", "core_signals", {}),
        ("publish_release", "refuse", "ml_vetter_gates", {}),
        ("nightly_refresh", "refuse", "ml_vetter_gates", {HANDLED_TAG: "exo run"}),
    ],
)
def test_any_other_failure_asks_for_nothing(
    instance: dg.DagsterInstance, job: str, gate: str, asset: str, tags: dict[str, str]
) -> None:
    ticks = Ticks("gate_refused", instance, registry=Registry(V1))
    ticks.tick()
    run(instance, job, gate, asset, **tags)
    assert ticks.tick().run_requests == []


def test_a_refused_first_candidate_has_nothing_to_publish_with(instance: dg.DagsterInstance) -> None:
    ticks = Ticks("gate_refused", instance, registry=Registry(None))
    ticks.tick()
    run(instance, "nightly_refresh", "refuse")
    skipped = ticks.tick()
    assert skipped.run_requests == [] and "no champion to publish with" in skipped.skip_message


def test_a_registry_that_is_down_delays_the_release_and_loses_nothing(instance: dg.DagsterInstance) -> None:
    registry = Registry(V1)
    registry.broken = True
    ticks = Ticks("gate_refused", instance, registry=registry)
    ticks.tick()
    run(instance, "nightly_refresh", "refuse")
    assert "database is locked" in ticks.tick().skip_message
    registry.broken = False
    assert len(ticks.tick().run_requests) == 1


# -- served_version --------------------------------------------------------------------------------------------------


class Endpoint:
    def __init__(self) -> None:
        self.model: ModelRef | None = None
        self.broken = False

    def status(self) -> ServeStatus:
        if self.broken:
            raise OSError("no such file")
        up = self.model is not None
        return ServeStatus(up, up, "http://127.0.0.1:1", self.model, "answering" if up else "not running")


def test_the_served_version_is_observed_when_it_changes(instance: dg.DagsterInstance) -> None:
    endpoint = Endpoint()
    ticks = Ticks("served_version", instance, serve=endpoint)
    assert "not running" in ticks.tick().skip_message
    endpoint.model = V1
    [observed] = ticks.tick().asset_events
    assert observed.asset_key == dg.AssetKey("serve_vetter")
    assert (observed.metadata["model_version"].value, observed.metadata["model_digest"].value) == ("1", V1.digest)
    assert ticks.tick().asset_events == []
    endpoint.broken = True
    assert "no such file" in ticks.tick().skip_message
    endpoint.broken, endpoint.model = False, None
    [down] = ticks.tick().asset_events
    assert down.metadata["answers"].value is False
    assert ticks.tick().asset_events == []
    endpoint.model = V2
    assert ticks.tick().asset_events[0].metadata["model_version"].value == "2"


def test_every_sensor_is_built_and_runs_from_the_start() -> None:
    built = build_sensors(Settings())
    assert [s.name for s in built] == NAMES
    assert {s.default_status for s in built} == {dg.DefaultSensorStatus.RUNNING}
