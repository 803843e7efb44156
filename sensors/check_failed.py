"""A check did not pass: tell people, even when the run went well.

Belongs here: finding asset checks that failed since the last look. Does not belong here: failed runs (`run_failed`).

A failed check that does not block fails no run, so no failure sensor ever sees it. The log is read run by run, which
works the same on SQLite (one file per run) and on PostgreSQL (one table).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from sensors.common import IN_PROGRESS
from sensors.failed_checks import FailedCheck, failed_check

if TYPE_CHECKING:
    from dagster import RunRecord

    from sensors.run_failed import Alerts

OVERLAP_S = 2.0
"""Runs whose last change is this near to the cursor are looked at again: timestamps may tie."""

RUNS_PER_TICK = 50


@dg.sensor(
    name="check_failed",
    minimum_interval_seconds=60,
    required_resource_keys={"notifier"},
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the notifier of every asset check that did not pass, blocking or not.",
)
def check_failed(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Tell of every failed check since the last look, once each. The first look only remembers where it began."""
    notifier: Alerts = context.resources.notifier
    if context.cursor is None:
        return dg.SensorResult(skip_reason="first look", cursor=_cursor(datetime.now(UTC).timestamp(), {}))
    state = json.loads(context.cursor)
    since, places = float(state["since"]), dict[str, str](state["places"])
    records = _runs(context.instance, since)
    found = list[FailedCheck]()
    kept = dict[str, str]()
    for record in records:
        run_id = record.dagster_run.run_id
        failures, place = _since(context.instance, run_id, places.get(run_id))
        found += failures
        kept[run_id] = place
    for check in found:
        severity = "blocking " if check.blocking else ""
        notifier.notify(
            "check_failed",
            f"{severity}check {check} did not pass; open run {check.run_id} in the UI",
            {
                "run_id": check.run_id,
                "asset": check.asset,
                "check": check.check,
                "blocking": check.blocking,
                "severity": check.severity,
                "metadata": check.metadata,
            },
        )
    ended = [r.update_timestamp.timestamp() for r in records if r.dagster_run.is_finished]
    told = f"told of {len(found)} failed checks" if found else f"no failed check in {len(records)} runs"
    return dg.SensorResult(skip_reason=told, cursor=_cursor(max([since, *ended]), kept))


def _runs(instance: dg.DagsterInstance, since: float) -> list[RunRecord]:
    """Runs in progress, and those that changed since a little before `since`, oldest change first."""
    after = datetime.fromtimestamp(since - OVERLAP_S, UTC)
    changed = instance.get_run_records(
        dg.RunsFilter(updated_after=after), limit=RUNS_PER_TICK, order_by="update_timestamp", ascending=True
    )
    running = instance.get_run_records(dg.RunsFilter(statuses=IN_PROGRESS), limit=RUNS_PER_TICK)
    return list({r.dagster_run.run_id: r for r in [*changed, *running]}.values())


def _since(instance: dg.DagsterInstance, run_id: str, place: str | None) -> tuple[list[FailedCheck], str]:
    """Failed checks of a run after `place` in its log, and the place reached."""
    found, more = list[FailedCheck](), True
    while more:
        page = instance.get_records_for_run(
            run_id, cursor=place, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION, limit=500
        )
        found += [f for f in (failed_check(r.event_log_entry) for r in page.records) if f is not None]
        place, more = page.cursor, page.has_more
    return found, place or ""


def _cursor(since: float, places: dict[str, str]) -> str:
    return json.dumps({"since": since, "places": places})
