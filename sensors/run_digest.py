"""A run ended: tell people what is wrong, once, in one message.

Belongs here: which runs are looked at, and the words of a digest. Does not belong here: what is wrong in a run
(`findings.py`), and what of it was told before (`exo_resources.alert_book`).

Runs of the command line belong to no code location; they count as much. The log is read run by run, which works the
same on SQLite (one file per run) and on PostgreSQL (one table).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import dagster as dg

from sensors.common import in_words
from sensors.findings import Examined, examined

if TYPE_CHECKING:
    from dagster import RunRecord

    from exo_resources.alert_book import Alert, AlertBook, News

ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
OVERLAP_S = 2.0
"""Runs whose last change is this near to the cursor are looked at again: timestamps may tie."""
RUNS_PER_TICK = 50
REMEMBERED = 200
"""Runs that are known to have been told of: one that changes after its end is not told of again."""


class Alerts(Protocol):
    """The part of the notifier that the alerting sensors use."""

    def notify(
        self, kind: str, text: str, details: dict[str, object] | None = None, *, severity: str = "ERROR"
    ) -> bool:
        """Tell people; never raises."""

    def link(self, run_id: str) -> str:
        """Where a run is shown."""


@dg.sensor(
    name="run_digest",
    minimum_interval_seconds=30,
    required_resource_keys={"notifier", "alert_book", "lake"},
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells, in one message a run, what is newly wrong, what changed, and what is over: failed and killed "
    "steps, failed checks, stale sources, quarantined documents.",
)
def run_digest(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Tell of every run that ended since the last look. The first look only remembers where it began."""
    if context.cursor is None:
        return dg.SensorResult(skip_reason="first look", cursor=_cursor(datetime.now(UTC).timestamp(), []))
    state = json.loads(context.cursor)
    since, done = float(state["since"]), list[str](state["done"])
    told = 0
    for record in _ended(context.instance, since):
        run = record.dagster_run
        if run.run_id not in done:
            try:
                found = examined(context.instance, run, context.resources.lake)
            except Exception as error:
                reason = f"run {run.run_id} cannot be looked at ({in_words(error)}); trying again"
                return dg.SensorResult(skip_reason=reason, cursor=_cursor(since, done))
            told += tell(context.resources.notifier, context.resources.alert_book, found)
            done.append(run.run_id)
        since = max(since, record.update_timestamp.timestamp())
    reason = f"told of {told} runs" if told else "nothing is news"
    return dg.SensorResult(skip_reason=reason, cursor=_cursor(since, done[-REMEMBERED:]))


def tell(notifier: Alerts, book: AlertBook, run: Examined) -> bool:
    """Tell what is news in a run; whether anything was."""
    with book.settled(run.findings, run.is_over, job=run.job, run_id=run.run_id) as news:
        if not news:
            return False
        how = "succeeded" if run.success else "ended without success"
        head = f"{run.job} (run {run.run_id[:8]}) {how}"
        link = notifier.link(run.run_id)
        details: dict[str, object] = {"run_id": run.run_id, "job": run.job, "success": run.success, "link": link}
        notifier.notify("run_digest", digest(head, news, link), details | listed(news), severity=news.severity)
    return True


def digest(head: str, news: News, link: str) -> str:
    """The message: what is new, what changed, what goes on and what is over, each with cause and remedy."""
    lines = [f"{news.severity}: {head}"]
    for what, alerts in (("", news.new), ("changed: ", news.changed), ("still: ", news.still)):
        lines += [f"- {what}{line}" for line in _together(alerts, went_on=bool(what))]
    lines += [f"- over: {alert.title} (since {alert.since[:16]}, {_runs(alert)})" for alert in news.over]
    if news.known:
        lines.append(f"- {len(news.known)} known problems go on: exo status lists them")
    return "\n".join([*lines, link])


def listed(news: News) -> dict[str, object]:
    """The alerts of a message for machines."""
    return {name: [asdict(a) for a in getattr(news, name)] for name in ("new", "changed", "still", "over", "known")}


def _together(alerts: Iterable[Alert], *, went_on: bool) -> list[str]:
    """One line for all alerts of one kind with one cause: seven sources behind one outage are one line."""
    groups: dict[tuple[str, str, str, str], list[Alert]] = {}
    for alert in alerts:
        what = alert.title.partition(": ")[2] or alert.title
        groups.setdefault((alert.severity, what, alert.cause, alert.remedy), []).append(alert)
    lines = []
    for (severity, what, cause, remedy), group in groups.items():
        names = ", ".join(alert.title.partition(": ")[0] for alert in group)
        title = f"{len(group)} tables: {what} ({names})" if len(group) > 1 else group[0].title
        since = f" [since {group[0].since[:16]}, {_runs(group[0])}]" if went_on else ""
        lines.append(f"{severity} {title}{since}" + (f": {cause}" if cause else "") + f". Remedy: {remedy}")
    return lines


def _runs(alert: Alert) -> str:
    return f"{alert.runs} run{'s' if alert.runs > 1 else ''}"


def _ended(instance: dg.DagsterInstance, since: float) -> list[RunRecord]:
    """Runs that ended and changed since a little before `since`, oldest change first."""
    after = datetime.fromtimestamp(since - OVERLAP_S, UTC)
    return list(
        instance.get_run_records(
            dg.RunsFilter(statuses=ENDED, updated_after=after),
            limit=RUNS_PER_TICK,
            order_by="update_timestamp",
            ascending=True,
        )
    )


def _cursor(since: float, done: list[str]) -> str:
    return json.dumps({"since": since, "done": done})
