"""The files of the embedded event log stay open while a run writes to them, and are whole afterwards."""

import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage

from deployments.dagster.event_log import kept_open
from deployments.dagster.instance import open_instance
from exo_resources.settings import Settings

RUN = "0" * 8


def _files(instance: dg.DagsterInstance) -> list[Path]:
    storage = instance.event_log_storage
    assert isinstance(storage, SqliteEventLogStorage)
    return [Path(storage.path_for_shard(shard)) for shard in (RUN, "index")]


def _logs(instance: dg.DagsterInstance) -> list[bool]:
    return [Path(f"{file}-wal").exists() for file in _files(instance)]


def _tell(instance: dg.DagsterInstance) -> None:
    event = dg.DagsterEvent(
        "ASSET_MATERIALIZATION",
        "job",
        event_specific_data=StepMaterializationData(dg.AssetMaterialization("table")),
    )
    instance.report_dagster_event(event, RUN)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return Settings(home=tmp_path / "home")


def test_files_are_closed_once_and_not_after_every_event(settings: Settings) -> None:
    with open_instance(settings) as instance:
        _tell(instance)
        assert _logs(instance) == [False, False]  # what Dagster does by itself
        with kept_open(instance, RUN):
            _tell(instance)
            assert _logs(instance) == [True, True]
            assert len(instance.all_logs(RUN)) == 2
        assert _logs(instance) == [False, False]
        for file in _files(instance):
            with closing(sqlite3.connect(file)) as stored:
                assert stored.execute("select count(*) from event_logs").fetchone() == (2,)


def test_the_file_of_a_run_that_is_not_there_yet_is_made(settings: Settings) -> None:
    with open_instance(settings) as instance:
        with kept_open(instance, RUN):
            _tell(instance)
        assert len(instance.all_logs(RUN)) == 1


def test_another_storage_has_no_files_to_keep() -> None:
    with dg.DagsterInstance.ephemeral() as instance, kept_open(instance, RUN):
        _tell(instance)
        assert len(instance.all_logs(RUN)) == 1
