"""What went wrong in a run, read back from its events.

Belongs here: the findings of one run, and what came out well in it. Does not belong here: whether they are news
(`exo_resources.alert_book`), and how they are told (`run_digest.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from exo_resources.alert_book import Alert, Finding
from sensors.common import NIGHTLY_REFRESH
from sensors.failed_checks import FailedCheck, failed_check, run_entries

if TYPE_CHECKING:
    from dagster import DagsterRun

    from exo_resources.lake import Lake

QUARANTINE = "corpus_quarantine"
LONGEST_CAUSE = 600
_T = dg.DagsterEventType
BEGUN = {_T.STEP_START, _T.STEP_RESTARTED}
ENDED = {_T.STEP_SUCCESS, _T.STEP_FAILURE, _T.STEP_SKIPPED, _T.STEP_UP_FOR_RETRY}
READ = {*BEGUN, *ENDED, _T.ASSET_CHECK_EVALUATION, _T.RUN_FAILURE}
WILL_RETRY = "dagster/will_retry"
LOOK = "read the step's log at the link; the next run goes on where this one stopped"
KILLED = (
    "see whether the machine ran out of memory or was restarted (the run's log, the kernel's); the next run goes on "
    "where this one stopped"
)


@dataclass(frozen=True)
class Examined:
    """A run: what is wrong, and the keys of what came out well or was looked at anew."""

    job: str
    run_id: str
    success: bool
    findings: tuple[Finding, ...]
    well: frozenset[str]

    def is_over(self, alert: Alert) -> bool:
        """Whether an alert that is not among the findings has ended with this run."""
        kind = alert.key.partition(":")[0]
        if alert.key in self.well or kind in self.well:
            return True
        if self.success and self.job == NIGHTLY_REFRESH and kind == "check":
            return True  # a whole night did not ask it: there is no such check any more
        return self.success and alert.job == self.job and kind in ("step", "run")


def examined(instance: dg.DagsterInstance, run: DagsterRun, lake: Lake) -> Examined:
    """The findings of a run that has ended: checks that did not pass, steps that failed or were running when its
    process died, documents that cannot be read."""
    running, failed, well = dict[str, None](), dict[str, str](), set[str]()
    checks = dict[str, FailedCheck]()
    message = ""
    for entry in run_entries(instance, run.run_id, READ):
        event = entry.dagster_event
        if event is None:
            continue
        kind, step = event.event_type, event.step_key or ""
        if kind in BEGUN:
            running[step] = None
        elif kind in ENDED:
            running.pop(step, None)
            if kind == _T.STEP_FAILURE:
                failed[step] = _cause(event)
            elif kind == _T.STEP_SUCCESS:
                failed.pop(step, None)
                well.add(f"step:{step}")
        elif kind == _T.RUN_FAILURE:
            message = event.message or ""
        elif found := failed_check(entry):
            checks[_key(found)] = found
        else:
            passed = event.asset_check_evaluation_data
            well.add(f"check:{passed.asset_key.to_user_string()}:{passed.check_name}")
    found_now = [_of_check(check) for check in checks.values()]
    if run.status == dg.DagsterRunStatus.FAILURE:
        told = {check.step for check in checks.values() if check.blocking and check.severity == "ERROR"}
        found_now += _of_steps(run, {s: c for s, c in failed.items() if s not in told}, list(running), message)
        if not found_now:
            found_now = [_before_steps(run, message)]
    if f"step:{QUARANTINE}" in well:
        found_now += _of_documents(lake)
        well.add("document")
    success = run.status == dg.DagsterRunStatus.SUCCESS
    return Examined(run.job_name, run.run_id, success, tuple(found_now), frozenset(well - {f.key for f in found_now}))


def _key(check: FailedCheck) -> str:
    return f"check:{check.asset}:{check.check}"


def _of_check(check: FailedCheck) -> Finding:
    if check.refuses_candidate:
        remedy = "nothing has to be done: the champion stands and is published; ml_vetter_gates has the figures"
        title = f"the gate {check.check} refused tonight's candidate"
        return Finding(_key(check), "WARN", title, check.description, remedy)
    cause, remedy = _with_remedy(check.description)
    severity = "ERROR" if check.severity == "ERROR" else "WARN"
    blocked = check.blocking and severity == "ERROR"
    title = f"{check.asset}: check {check.check} did not pass" + (", nothing was made of it" if blocked else "")
    return Finding(_key(check), severity, title, cause, remedy or "see the check's metadata at the link")


def _of_steps(run: DagsterRun, failed: dict[str, str], running: list[str], message: str) -> list[Finding]:
    again = run.tags.get(WILL_RETRY) == "true"
    severity, then = ("WARN", "nothing yet: the run is tried again") if again else ("ERROR", "")
    out = []
    for step, text in failed.items():
        cause, remedy = _with_remedy(text)
        out.append(Finding(f"step:{step}", severity, f"{run.job_name} failed in {step}", cause, then or remedy or LOOK))
    for step in running:
        title = f"{run.job_name} died while {step} was running"
        out.append(Finding(f"step:{step}", severity, title, message, then or KILLED))
    return out


def _before_steps(run: DagsterRun, message: str) -> Finding:
    again = run.tags.get(WILL_RETRY) == "true"
    severity, remedy = ("WARN", "nothing yet: the run is tried again") if again else ("ERROR", LOOK)
    cause, said = _with_remedy(message)
    title = f"{run.job_name} failed, in no step of its own"
    return Finding(f"run:{run.job_name}", severity, title, cause, said or remedy)


def _of_documents(lake: Lake) -> list[Finding]:
    """The documents of the watched folder that cannot be read."""
    rows = lake.stored(QUARANTINE)
    if rows is None:
        return []
    return [
        Finding(
            f"document:{row['source']}:{row['document']}",
            "WARN",
            f"document {row['document']} is quarantined",
            f"{row['reason']}: {row['message']}",
            "mend the file, or take it out of the folder",
        )
        for row in rows.iter_rows(named=True)
        if row["source"] != "arxiv"
    ]


def _with_remedy(text: str) -> tuple[str, str]:
    """A cause, and the remedy that errors of the archives say behind it."""
    cause, _, remedy = text.partition("Remedy: ")
    return cause.strip().rstrip(".")[:LONGEST_CAUSE], remedy.strip()


def _cause(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return " ".join(error.message.split()) if error else ""
