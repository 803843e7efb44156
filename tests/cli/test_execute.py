"""Running a job here: one at a time, leftovers tidied, refusals told from failures, Ctrl-C clean."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from rich.console import Console

from deployments.cli.execute import Outcome, alone, execute, job_definition, refuse_when_busy, tidy
from deployments.cli.output import CliError
from deployments.dagster.instance import open_instance
from deployments.dagster.processes import PROCESS_TAG, this_process
from exo_resources.settings import CHECKOUT, Settings
from sensors.common import HANDLED_TAG


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return Settings(home=tmp_path / "home")


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as opened:
        yield opened


def definitions(*, gate: bool = True, crash: bool = False) -> dg.Definitions:
    @dg.asset
    def core_signals() -> dg.MaterializeResult:  # type: ignore[type-arg]
        if crash:
            raise RuntimeError("the disk is full")
        return dg.MaterializeResult(metadata={"dagster/row_count": 9564, "recomputed": True})

    @dg.asset(deps=[core_signals])
    def core_stars() -> dg.MaterializeResult:  # type: ignore[type-arg]
        return dg.MaterializeResult(metadata={"dagster/row_count": 7, "recomputed": False})

    @dg.asset
    def ml_vetter_gates() -> None: ...

    @dg.asset_check(asset=ml_vetter_gates, blocking=True)
    def floor_auc() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=gate, description="0.91 < 0.95")

    @dg.asset(deps=[ml_vetter_gates])
    def ml_vetter_champion() -> None: ...

    return dg.Definitions(
        assets=[core_signals, core_stars, ml_vetter_gates, ml_vetter_champion],
        asset_checks=[floor_auc],
        jobs=[dg.define_asset_job("nightly_refresh", executor_def=dg.in_process_executor)],
    )


def run(instance: dg.DagsterInstance, defs: dg.Definitions) -> tuple[Outcome, list[str]]:
    shown = io.StringIO()
    outcome = execute(job_definition(defs, "nightly_refresh"), instance, Console(file=shown, width=200))
    return outcome, shown.getvalue().splitlines()


def test_each_asset_is_a_line_with_rows_and_what_became_of_it(instance: dg.DagsterInstance) -> None:
    outcome, lines = run(instance, definitions())
    assert outcome.success and outcome.failed == [] and outcome.refusals == []
    assert {name: asset.outcome for name, asset in outcome.assets.items()} == {
        "core_signals": "recomputed",
        "core_stars": "kept",
        "ml_vetter_gates": "done",
        "ml_vetter_gates_floor_auc": "done",
        "ml_vetter_champion": "done",
    }
    [line] = [line for line in lines if "core_signals" in line]
    assert "9,564 rows" in line and line.endswith("recomputed")
    assert not any("floor_auc" in line for line in lines)  # a check that passed is no news


def test_a_failure_names_asset_and_cause_and_skips_what_follows(instance: dg.DagsterInstance) -> None:
    outcome, lines = run(instance, definitions(crash=True))
    assert not outcome.success and not outcome.only_refused
    assert [(asset.name, asset.error) for asset in outcome.failed] == [
        ("core_signals", "RuntimeError: the disk is full")
    ]
    assert outcome.assets["core_stars"].outcome == "skipped"
    assert outcome.assets["ml_vetter_champion"].outcome == "done"
    assert any("the disk is full" in line for line in lines)


def test_a_refusal_is_told_from_a_failure(instance: dg.DagsterInstance) -> None:
    outcome, lines = run(instance, definitions(gate=False))
    assert not outcome.success and outcome.only_refused
    assert [refusal.check for refusal in outcome.refusals] == ["floor_auc"]
    assert any("check not passed: ml_vetter_gates, floor_auc: 0.91 < 0.95" in line for line in lines)
    both, _ = run(instance, definitions(gate=False, crash=True))
    assert both.refusals and not both.only_refused


def test_runs_are_marked_as_the_command_lines_own(instance: dg.DagsterInstance) -> None:
    outcome, _ = run(instance, definitions())
    stored = instance.get_run_by_id(outcome.run_id)
    assert stored is not None and stored.tags[HANDLED_TAG] == "exo run"


def test_an_unknown_job_names_those_there_are() -> None:
    with pytest.raises(CliError, match="no job 'nightly'") as error:
        job_definition(definitions(), "nightly")
    assert error.value.code == 2 and "nightly_refresh" in error.value.remedy


def test_one_run_at_a_time_and_the_lock_dies_with_its_holder(settings: Settings) -> None:
    with alone(settings), pytest.raises(CliError, match=rf"in progress \(process {os.getpid()}\)"), alone(settings):
        pass
    code = f"""
        import os
        from pathlib import Path
        from deployments.cli.execute import alone
        from exo_resources.settings import Settings
        with alone(Settings(home=Path({str(settings.home)!r}))):
            os.kill(os.getpid(), 9)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=CHECKOUT, check=False)
    assert killed.returncode == -signal.SIGKILL
    with alone(settings):
        pass


def test_runs_of_a_killed_process_are_tidied_and_others_are_respected(instance: dg.DagsterInstance) -> None:
    job = job_definition(definitions(), "nightly_refresh")
    killed = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags={HANDLED_TAG: "exo run"})
    assert tidy(instance) == [killed.run_id]
    after = instance.get_run_by_id(killed.run_id)
    assert after is not None and after.is_failure
    refuse_when_busy(instance)
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=dict(job.tags))
    with pytest.raises(CliError, match="nightly_refresh is in progress"):
        refuse_when_busy(instance)
    assert tidy(instance) == []


def test_runs_of_the_daemon_are_tidied_once_their_process_is_gone(instance: dg.DagsterInstance) -> None:
    job = job_definition(definitions(), "nightly_refresh")
    runs = [
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags={HANDLED_TAG: handled})
        for handled in ("", "", "", "exo run")
    ]
    here, ended, inherited, command = (run.run_id for run in runs)
    child = subprocess.run(
        [sys.executable, "-c", f"from deployments.dagster.processes import *; print(this_process({ended!r}))"],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    instance.add_run_tags(here, {PROCESS_TAG: this_process(here)})
    instance.add_run_tags(ended, {PROCESS_TAG: child.stdout.strip()})
    instance.add_run_tags(inherited, {PROCESS_TAG: child.stdout.strip()})  # a retry has its parent's tags at first
    assert tidy(instance, holding_alone=False) == [ended]
    assert set(tidy(instance)) == {command}


RAYS_ANSWER = "signal.signal(signal.SIGTERM, lambda number, _: sys.exit(number))"
"""What `ray.init` does to the process that calls it."""


@pytest.mark.parametrize(
    ("number", "first"), [(signal.SIGINT, ""), (signal.SIGTERM, ""), (signal.SIGTERM, RAYS_ANSWER)]
)
def test_a_run_that_is_told_to_stop_stops_and_says_so(
    settings: Settings, number: signal.Signals, first: str, tmp_path: Path
) -> None:
    """In a process started with the signal ignored, as shells start their background jobs."""
    code = f"""
        import signal, sys, time
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from pathlib import Path
        import dagster as dg
        from deployments.cli.execute import execute
        from deployments.cli.output import err
        from deployments.dagster.instance import open_instance
        from exo_resources.settings import Settings

        @dg.asset
        def slow():
            {first}
            Path({str(tmp_path / "began")!r}).touch()
            for _ in range(600):
                time.sleep(0.1)

        defs = dg.Definitions(assets=[slow], jobs=[dg.define_asset_job("job", executor_def=dg.in_process_executor)])
        with open_instance(Settings(home=Path({str(settings.home)!r}))) as instance:
            try:
                execute(defs.resolve_job_def("job"), instance, err())
            except KeyboardInterrupt:
                sys.exit(130)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], cwd=CHECKOUT, stderr=subprocess.PIPE)
    try:
        while not (tmp_path / "began").exists():
            assert child.poll() is None, child.communicate()
            time.sleep(0.05)
        child.send_signal(number)
        _, said = child.communicate(timeout=60)
        assert child.returncode == 130, said.decode()
    finally:
        child.kill()
        child.wait()
    with open_instance(settings) as instance:
        [run] = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.CANCELED
