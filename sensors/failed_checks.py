"""Reading back, from a run's events, which asset checks did not pass.

Belongs here: the facts of one run. Does not belong here: what to do about them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from dagster import EventLogEntry

GATES = ("ml_vetter_gates", "ml_event_gates")
"""The assets whose blocking checks stand between a candidate and the champion, of signals and of events."""


@dataclass(frozen=True)
class FailedCheck:
    """One evaluation of an asset check that did not pass."""

    step: str
    asset: str
    check: str
    blocking: bool
    severity: str
    description: str

    @property
    def refuses_candidate(self) -> bool:
        """Whether this kept a candidate from becoming the champion."""
        return self.asset in GATES and self.blocking and self.severity == "ERROR"


def run_entries(instance: dg.DagsterInstance, run_id: str, kinds: set[dg.DagsterEventType]) -> Iterator[EventLogEntry]:
    """The log entries of one run that are of these kinds, in order, a page at a time."""
    cursor: str | None = None
    more = True
    while more:
        page = instance.get_records_for_run(run_id, cursor=cursor, of_type=kinds, limit=1000)
        yield from (record.event_log_entry for record in page.records)
        cursor, more = page.cursor, page.has_more


def failed_check(entry: EventLogEntry) -> FailedCheck | None:
    """The failed check that a log entry tells of, or None when it tells of something else."""
    event = entry.dagster_event
    if event is None or event.event_type != dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return None
    found = event.asset_check_evaluation_data
    if found.passed:
        return None
    return FailedCheck(
        step=event.step_key or "",
        asset=found.asset_key.to_user_string(),
        check=found.check_name,
        blocking=bool(found.blocking),
        severity=found.severity.value,
        description=found.description or "",
    )


def failed_checks(instance: dg.DagsterInstance, run_id: str) -> Iterator[FailedCheck]:
    """The failed checks of one run, in order."""
    for entry in run_entries(instance, run_id, {dg.DagsterEventType.ASSET_CHECK_EVALUATION}):
        found = failed_check(entry)
        if found is not None:
            yield found


def gate_refusals(instance: dg.DagsterInstance, run_id: str) -> list[FailedCheck]:
    """The blocking gates that refused the candidate in one run."""
    return [found for found in failed_checks(instance, run_id) if found.refuses_candidate]
