"""Running a job in this process, on the installed instance.

Belongs here: one run at a time, leftovers of killed runs, interruption, the outcome. Does not belong here: what is
printed of it (`progress.py`, `run.py`).
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deployments.cli.output import USAGE, CliError
from deployments.cli.progress import AssetState, Progress

if TYPE_CHECKING:
    import dagster as dg
    from rich.console import Console

    from exo_resources.lake import Lake
    from exo_resources.settings import Settings
    from sensors.failed_checks import FailedCheck


@dataclass(frozen=True)
class Outcome:
    """What a run did."""

    job: str
    run_id: str
    success: bool
    seconds: float
    assets: dict[str, AssetState]
    refusals: list[FailedCheck]

    @property
    def failed(self) -> list[AssetState]:
        """Assets that failed, in order."""
        return [asset for asset in self.assets.values() if asset.state == "failed"]

    @property
    def only_refused(self) -> bool:
        """Whether the gates refusing the candidate is all that went wrong: no step failed but those that judged it."""
        return bool(self.refusals) and {asset.name for asset in self.failed} <= {r.step for r in self.refusals}


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """One command-line run at a time for one EXO_HOME; the kernel frees the lock when its holder dies."""
    settings.home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(settings.home / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "another process"
            raise CliError(f"a run is in progress (process {holder})", "wait for it, or stop it") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does; both work in a process that was started in the background."""

    before = {number: signal.signal(number, _stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _stop(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def tidy(instance: dg.DagsterInstance, *, holding_alone: bool = True) -> list[str]:
    """Mark as failed the runs whose process is gone: killed, or gone with the machine. They would hold up the queue.

    The daemon does that for runs that it watched, not for those that were in progress when it was killed itself. While
    this process holds `alone`, no run of the command line is in progress: those that say so are gone too.
    """
    from dagster import RunsFilter

    from deployments.dagster.processes import PROCESS_TAG, is_gone
    from sensors.common import HANDLED_TAG, IN_PROGRESS

    def left_behind(run: dg.DagsterRun) -> bool:
        own = holding_alone and run.tags.get(HANDLED_TAG) == "exo run"
        return own or is_gone(run.run_id, run.tags.get(PROCESS_TAG))

    left = [run for run in instance.get_runs(RunsFilter(statuses=IN_PROGRESS)) if left_behind(run)]
    for run in left:
        instance.report_run_failed(run, "The process of this run ended before the run did.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in left]


def refuse_when_busy(instance: dg.DagsterInstance) -> None:
    """CliError when a run is in progress or queued, whoever started it: all of them write the same tables."""
    from dagster import RunsFilter

    from sensors.common import IN_PROGRESS

    busy = instance.get_runs(RunsFilter(statuses=IN_PROGRESS), limit=1)
    if busy:
        run = busy[0]
        raise CliError(
            f"{_shown(run.job_name)} is in progress (run {run.run_id}, started from the UI or a schedule)",
            "wait for it, or cancel it in the UI; --anyway waits for its turn, or goes on if its process is gone",
        )


def _shown(job: str) -> str:
    return "a materialisation" if job.startswith("__ASSET_JOB") else job


def job_definition(defs: dg.Definitions, name: str) -> dg.JobDefinition:
    """The job of that name; CliError (2) naming the jobs there are."""
    names = sorted(job.name for job in defs.jobs or [])
    if name not in names:
        raise CliError(f"there is no job {name!r}", f"jobs: {', '.join(names)}", USAGE)
    return defs.resolve_job_def(name)


def execute(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    console: Console,
    *,
    lake: Lake | None = None,
    tags: Mapping[str, str] | None = None,
) -> Outcome:
    """Run `job` here to its end, showing it on `console`. KeyboardInterrupt when it was stopped, the run marked so.

    `lake` tells a table that was written anew from one that came out as it was.
    """
    from dagster._core.definitions.job_base import InMemoryJob
    from dagster._core.execution.api import execute_run
    from dagster._core.storage.tags import MAX_RETRIES_TAG

    from deployments.dagster.event_log import kept_open
    from deployments.dagster.location import job_origin
    from sensors.common import HANDLED_TAG
    from sensors.failed_checks import gate_refusals

    run_id = str(uuid.uuid4())

    def version_of(table: str) -> object:
        version = lake.version(table) if lake is not None else None
        return (version.digest, version.fingerprint) if version else None

    began = time.monotonic()
    progress = Progress(console, len(job.all_node_defs), version_of)
    stopped = False

    def listen(entry: dg.EventLogEntry) -> None:
        nonlocal stopped
        if not stopped and entry.dagster_event is not None and _is_interruption(entry.dagster_event):
            stopped = True
            run = instance.get_run_by_id(run_id)
            if run is not None and not run.is_finished:
                # Without this mark Dagster would take the interruption for a crash, and sensors would raise an alarm.
                instance.report_run_canceling(run)
        progress.listen(entry)

    instance.add_event_listener(run_id, listen)
    try:
        with progress.live(), stoppable(), kept_open(instance, run_id):
            created = instance.create_run_for_job(
                job,
                run_id=run_id,
                run_config=job.run_config,
                # The daemon does not try it again: who started it here is told, and `exo run` goes on from there.
                tags={**job.run_tags, HANDLED_TAG: "exo run", MAX_RETRIES_TAG: "0", **(tags or {})},
                asset_selection=set(job.asset_selection) if job.asset_selection else None,
                remote_job_origin=job_origin(job.name),
            )
            result = execute_run(InMemoryJob(job), created, instance)
    except SystemExit:
        # Ray's answer to SIGTERM, between two steps: it passes Dagster by and would leave the run open.
        run = instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            instance.report_run_canceled(run, "The process was told to end.")
        raise KeyboardInterrupt from None
    progress.close()
    if stopped:
        raise KeyboardInterrupt
    return Outcome(
        job=job.name,
        run_id=run_id,
        success=result.success,
        seconds=time.monotonic() - began,
        assets=progress.assets,
        refusals=[] if result.success else gate_refusals(instance, run_id),
    )


def _is_interruption(event: dg.DagsterEvent) -> bool:
    """Whether a step or the run failed because this process was told to stop."""
    if event.event_type_value == "STEP_FAILURE":
        error = event.step_failure_data.error
    elif event.event_type_value == "PIPELINE_FAILURE":
        error = event.job_failure_data.error
    else:
        return False
    while error is not None:
        # SystemExit is Ray's answer to SIGTERM in the process that called `ray.init`.
        if error.cls_name in ("DagsterExecutionInterruptedError", "KeyboardInterrupt", "SystemExit"):
            return True
        error = error.cause
    return False
