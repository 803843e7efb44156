"""The sensor of the watched folder on a real instance: one run a change, none without, outages that are no errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_resources.document_folder import DocumentFolder
from exo_resources.lake import Lake
from exo_resources.settings import Settings
from sensors.common import CORPUS_REFRESH
from sensors.documents_changed import documents_changed
from tests.resources.test_document_folder import InThisProcess, night, write


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> DocumentFolder:
    (tmp_path / "documents").mkdir()
    return DocumentFolder(str(tmp_path / "documents"))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path / "lake"))
    made.write(CORE_SIGNALS.name, CORE_SIGNALS.empty())
    return made


def tick(instance: dg.DagsterInstance, lake: Lake, folder: DocumentFolder) -> Any:
    with dg.build_sensor_context(instance, resources={"lake": lake, "documents": folder}) as context:
        return documents_changed.evaluate_tick(context)


def test_a_change_asks_for_one_run_and_the_run_makes_it_none(
    instance: dg.DagsterInstance, lake: Lake, folder: DocumentFolder
) -> None:
    assert "none of 0 documents changed" in tick(instance, lake, folder).skip_message
    write(folder, "a.txt", "Kepler-90 h")
    [asked] = tick(instance, lake, folder).run_requests
    [again] = tick(instance, lake, folder).run_requests
    assert asked.run_key == again.run_key  # the same change: Dagster starts one run for it
    night(folder, lake)
    assert "none of 1 documents changed" in tick(instance, lake, folder).skip_message
    (folder.root / "a.txt").unlink()
    [gone] = tick(instance, lake, folder).run_requests
    night(folder, lake, InThisProcess())
    assert tick(instance, lake, folder).run_requests == []
    assert gone.run_key != asked.run_key


def test_files_that_are_still_written_are_waited_for(
    instance: dg.DagsterInstance, lake: Lake, folder: DocumentFolder
) -> None:
    write(folder, "a.txt", "Kepler-90 h", age_s=0)
    write(folder, "b.pdf.part", "half")
    assert "1 are still being written" in tick(instance, lake, folder).skip_message


def test_nothing_is_asked_for_while_a_run_is_in_progress_or_before_the_first_night(
    instance: dg.DagsterInstance, lake: Lake, folder: DocumentFolder, tmp_path: Path
) -> None:
    write(folder, "a.txt", "Kepler-90 h")
    assert "first nightly_refresh" in tick(instance, Lake(str(tmp_path / "empty")), folder).skip_message

    @dg.job(name=CORPUS_REFRESH)
    def refresh() -> None:
        pass

    run = instance.create_run_for_job(refresh)
    assert "corpus_refresh (run" in tick(instance, lake, folder).skip_message
    instance.report_run_failed(run)
    assert len(tick(instance, lake, folder).run_requests) == 1


def test_a_folder_or_bucket_that_cannot_be_reached_is_skipped(
    instance: dg.DagsterInstance, lake: Lake, folder: DocumentFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "a.txt", "Kepler-90 h")
    night(folder, lake)
    folder.root.rename(folder.root.with_name("unmounted"))
    assert "1 documents stay" in tick(instance, lake, folder).skip_message
    bucket = DocumentFolder("s3://nowhere/documents?endpoint_override=127.0.0.1:9&scheme=http&region=us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    skipped = tick(instance, lake, bucket)
    assert "cannot be looked at" in skipped.skip_message and skipped.run_requests == []


def test_it_runs_from_the_start_and_asks_for_a_job_that_is_there() -> None:
    from deployments.definitions import build_defs

    found = build_defs(Settings()).resolve_sensor_def("documents_changed")
    assert found.default_status is dg.DefaultSensorStatus.RUNNING and found.job_name == CORPUS_REFRESH
