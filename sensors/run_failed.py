"""A run failed: tell people.

Belongs here: the alert of a failed run. Does not belong here: how an alert travels (`exo_resources.notifier`).
"""

from __future__ import annotations

from typing import Protocol

import dagster as dg

from sensors.failed_checks import failed_checks


class Alerts(Protocol):
    """The part of the notifier that the alerting sensors use."""

    def notify(self, kind: str, text: str, details: dict[str, object] | None = None) -> bool:
        """Tell people; never raises."""


@dg.run_failure_sensor(
    name="run_failed",
    # Runs of the command line belong to no code location; they count as much.
    monitor_all_code_locations=True,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the notifier of every failed run: which job, which assets, what to do.",
)
def run_failed(context: dg.RunFailureSensorContext, notifier: dg.ResourceParam[Alerts]) -> None:
    """Tell of the failed run: its job, the steps that failed and why."""
    run = context.dagster_run
    steps = {event.step_key: _cause(event) for event in context.get_step_failure_events() if event.step_key is not None}
    checks = [str(found) for found in failed_checks(context.instance, run.run_id)]
    where = ", ".join(steps) or "before any step began"
    notifier.notify(
        "run_failed",
        f"{run.job_name} failed in {where}; open run {run.run_id} in the UI, or see `exo status`",
        {
            "run_id": run.run_id,
            "job": run.job_name,
            "steps": steps,
            "failed_checks": checks,
            "message": context.failure_event.message or "",
        },
    )


def _cause(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return " ".join(error.message.split())[:500] if error else ""
