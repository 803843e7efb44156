"""However a run is launched: the API, the schedule, a backfill, the command line beside the daemon; and killed.

A real webserver, daemon and instance; the executor and the instance file are the deployment's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import dagster as dg
import pytest

from deployments.dagster.instance import dagster_home, open_instance
from exo_assets.lightcurves.partitions import FIRST, registered
from exo_resources.settings import CHECKOUT, Settings
from tests.deployments.dagster_servers import BACKFILL, CANCEL, SCHEDULE, Servers, dagster_servers, until

ALL = ["core_signals", "raw_mast__light_curves", "core_light_curves", "follows"]
LONG_S = 900


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        with open_instance(settings) as opened:
            yield opened


@pytest.fixture(scope="module")
def servers(settings: Settings, instance: dg.DagsterInstance) -> Iterator[Servers]:
    env = {"EXO_HOME": str(settings.home)}
    with dagster_servers("tests.deployments.slow_night", dagster_home(settings), env) as running:
        yield running


def ended(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    def found() -> dg.DagsterRun | None:
        run = instance.get_run_by_id(run_id)
        return run if run is not None and run.is_finished else None

    return until(found, f"run {run_id} to end", LONG_S)


def log(settings: Settings) -> list[list[str]]:
    """Words of each line that the assets wrote: begin or end, asset, run, process."""
    file = settings.home / "writes.log"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def written(settings: Settings, *runs: str) -> list[str]:
    """Assets that the runs finished, in order; no two runs are in each other's way."""
    lines = [line for line in log(settings) if line[2] in runs]
    order = list(dict.fromkeys(line[2] for line in lines))
    assert [line[2] for line in lines] == sorted((line[2] for line in lines), key=order.index), lines
    return [line[1] for line in lines if line[0] == "end"]


def test_a_job_that_is_launched_without_tags_takes_the_buckets_that_there_are(
    servers: Servers, instance: dg.DagsterInstance, settings: Settings
) -> None:
    assert registered(instance) == []
    run = ended(instance, servers.launch("nightly_refresh"))
    assert run.is_success and written(settings, run.run_id) == ALL
    made = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    assert [record.partition_key for record in made] == [None, FIRST, FIRST, None]


def test_dagsters_own_command_runs_it_too(settings: Settings, instance: dg.DagsterInstance) -> None:
    command = ["-m", "dagster", "job", "execute", "-m", "tests.deployments.slow_night", "-j", "nightly_refresh"]
    env = {"EXO_HOME": str(settings.home), "DAGSTER_HOME": str(dagster_home(settings)), "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [sys.executable, *command], env=os.environ | env, cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    [newest] = instance.get_runs(limit=1)
    assert newest.is_success and written(settings, newest.run_id) == ALL


def test_what_the_schedule_asks_for_is_the_same_night(
    servers: Servers, instance: dg.DagsterInstance, settings: Settings
) -> None:
    schedule = {**servers.selector, "scheduleName": "nightly_refresh_schedule"}
    tick = servers.ask(SCHEDULE, s=schedule, t=1_800_000_000.0)["scheduleDryRun"]["evaluationResult"]
    [request] = tick["runRequests"]
    tags = {tag["key"]: tag["value"] for tag in request["tags"]}
    assert request["runConfigYaml"] == "{}\n" and not [tag for tag in tags if "partition" in tag]
    run = ended(instance, servers.launch("nightly_refresh", tags=tags))
    assert run.is_success and written(settings, run.run_id) == ALL


def test_runs_take_turns_whoever_started_them(
    servers: Servers, instance: dg.DagsterInstance, settings: Settings
) -> None:
    """A job, a materialisation and a backfill of the API, and the command line's run, all at once."""
    mine = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(COMMAND)],
        env=os.environ | {"EXO_HOME": str(settings.home), "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    job = servers.launch("nightly_refresh")
    some = servers.launch("__ASSET_JOB", ["core_signals", "follows"])
    assets = [{"path": [name]} for name in ("raw_mast__light_curves", "core_light_curves")]
    backfill = {"assetSelection": assets, "partitionNames": [FIRST]}
    asked = servers.ask(BACKFILL, p=backfill)["launchPartitionBackfill"]
    assert asked["__typename"] == "LaunchBackfillSuccess", asked
    said, complained = mine.communicate(timeout=LONG_S)
    assert mine.returncode == 0, complained
    filled = until(
        lambda: instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": asked["backfillId"]})), "the backfill", LONG_S
    )
    runs = [said.split()[-1], job, some, *(run.run_id for run in filled)]
    assert all(ended(instance, run).is_success for run in runs)
    assert sorted(written(settings, *runs)) == sorted([*ALL, *ALL, "core_signals", "follows", *ALL[1:3]])


COMMAND = """
    from deployments.cli.execute import execute
    from deployments.cli.output import err
    from deployments.dagster.instance import open_instance
    from exo_resources.settings import Settings
    from tests.deployments.slow_night import defs

    with open_instance(Settings()) as instance:
        outcome = execute(defs.resolve_job_def("nightly_refresh"), instance, err())
        assert outcome.success
        print(outcome.run_id)
"""


def test_a_process_that_passes_the_queue_by_waits_and_says_for_whom(
    servers: Servers, instance: dg.DagsterInstance, settings: Settings
) -> None:
    (settings.home / "hold").touch()
    try:
        first = servers.launch("nightly_refresh")
        until(lambda: [line for line in log(settings) if line[2] == first], "the run to write", LONG_S)
        mine = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(COMMAND)],
            env=os.environ | {"EXO_HOME": str(settings.home), "PYTHONPATH": str(CHECKOUT)},
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

        def waits() -> str | None:
            for run in instance.get_runs(dg.RunsFilter(tags={"exo/handled_by": "exo run"}), limit=1):
                for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
                    if "Waiting for" in entry.message and not run.is_finished:
                        return entry.message
            return None

        assert f"Waiting for nightly_refresh (run {first}, process " in until(waits, "the command to wait", LONG_S)
    finally:
        (settings.home / "hold").unlink()
    said, _ = mine.communicate(timeout=LONG_S)
    second = said.split()[-1]
    assert ended(instance, first).is_success and mine.returncode == 0
    assert written(settings, first, second) == [*ALL, *ALL]


def test_runs_of_the_command_line_are_among_those_of_the_job(servers: Servers, instance: dg.DagsterInstance) -> None:
    """The UI's timeline and its page of a job ask by the label of the repository."""
    mine = {run.run_id for run in instance.get_runs(dg.RunsFilter(tags={"exo/handled_by": "exo run"}))}
    asked = """query($s: PipelineSelector!) {
      pipelineOrError(params: $s) { ... on Pipeline { runs(limit: 50) { runId } } } }"""
    shown = servers.ask(asked, s={**servers.selector, "pipelineName": "nightly_refresh"})["pipelineOrError"]["runs"]
    assert mine and mine <= {run["runId"] for run in shown}
    line = """query($f: RunsFilter!) { runsOrError(filter: $f) { ... on Runs { results { runId } } } }"""
    label = {"tags": [{"key": ".dagster/repository", "value": "__repository__@exo"}]}
    assert mine <= {run["runId"] for run in servers.ask(line, f=label)["runsOrError"]["results"]}


def test_a_run_whose_process_is_killed_goes_on_from_where_it_was(
    servers: Servers, instance: dg.DagsterInstance, settings: Settings
) -> None:
    before = len(log(settings))
    first = servers.launch("nightly_refresh")
    until(lambda: ["end", "core_signals"] in [line[:2] for line in log(settings)[before:]], "a first table", LONG_S)
    (settings.home / "hold").touch()
    try:
        begun = until(lambda: [line for line in log(settings)[before:] if line[0] == "begin"][1:], "the next", LONG_S)
        os.kill(int(begun[0][3]), signal.SIGKILL)
    finally:
        (settings.home / "hold").unlink()
    assert ended(instance, first).is_failure
    again = until(lambda: instance.get_runs(dg.RunsFilter(tags={"dagster/parent_run_id": first})), "a retry", LONG_S)
    run = ended(instance, again[0].run_id)
    assert run.is_success and run.tags["dagster/retry_number"] == "1"
    finished = written(settings, first)
    assert finished[0] == "core_signals" and len(finished) < len(ALL)
    assert written(settings, run.run_id) == ALL[len(finished) :]
    assert instance.event_log_storage.get_concurrency_info("mast").claimed_slots == []


def test_a_run_that_is_cancelled_holds_up_nobody(
    servers: Servers, instance: dg.DagsterInstance, settings: Settings
) -> None:
    (settings.home / "hold").touch()
    try:
        first = servers.launch("nightly_refresh")
        until(lambda: [line for line in log(settings) if line[2] == first], "the run to write", LONG_S)
        second = servers.launch("__ASSET_JOB", ["follows"])
        servers.ask(CANCEL, id=first)
        assert ended(instance, first).status == dg.DagsterRunStatus.CANCELED
    finally:
        (settings.home / "hold").unlink()
    assert ended(instance, second).is_success and written(settings, second) == ["follows"]
    assert not instance.get_runs(dg.RunsFilter(tags={"dagster/parent_run_id": first})), "cancelled is not to be retried"


def test_a_failed_step_is_no_reason_to_run_again(instance: dg.DagsterInstance) -> None:
    assert instance.run_retries_enabled and instance.run_retries_max_retries == 2
    assert not instance.run_retries_retry_on_asset_or_op_failure
