"""No night succeeded for more than a day: tell people.

Belongs here: when the last good night was. Does not belong here: what went wrong in one (`run_digest.py`).

A night whose candidate the gates refused counts once its data are published with the champion that stands.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from exo_resources.alert_book import Alert, Finding
from sensors.common import NIGHTLY_REFRESH, PUBLISH_RELEASE
from sensors.run_digest import Alerts, digest, listed

if TYPE_CHECKING:
    from exo_resources.alert_book import AlertBook

LONGEST_PAUSE = timedelta(hours=26)
"""A night a day, and two hours for one that takes long."""
KEY = "night:overdue"
AFTER_TAG = "exo/after"


@dg.sensor(
    name="night_overdue",
    minimum_interval_seconds=900,
    required_resource_keys={"notifier", "alert_book"},
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=f"Tells when no night succeeded in {LONGEST_PAUSE.total_seconds() / 3600:.0f} hours, and when one did.",
)
def night_overdue(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Look at the clock. Before the first good night the time counts from the first look."""
    now = datetime.now(UTC)
    begun = datetime.fromisoformat(json.loads(context.cursor)["since"]) if context.cursor else now
    cursor = json.dumps({"since": begun.isoformat()})
    last = last_success(context.instance)
    told = _tell(context, overdue(context.instance, last, begun, now))
    said = f"the last night succeeded at {last:%Y-%m-%d %H:%M} UTC" if last else "no night has succeeded yet"
    return dg.SensorResult(skip_reason=said + ("; told" if told else ""), cursor=cursor)


def overdue(instance: dg.DagsterInstance, last: datetime | None, begun: datetime, now: datetime) -> Finding | None:
    """What is wrong when neither a good night nor the first look is recent."""
    if now - (last or begun) <= LONGEST_PAUSE:
        return None
    tried = instance.get_runs(dg.RunsFilter(job_name=NIGHTLY_REFRESH), limit=1)
    ended = tried[0].status.value.lower() if tried else ""
    cause = f"the last one succeeded at {last:%Y-%m-%d %H:%M} UTC" if last else "none has succeeded yet"
    cause += f"; the last run was {ended}" if ended else "; no run was even started"
    remedy = "see what exo status says of the last runs, and that exo ui runs; exo run starts a night"
    hours = LONGEST_PAUSE.total_seconds() / 3600
    return Finding(KEY, "ERROR", f"no successful night in {hours:.0f} hours", cause, remedy)


def last_success(instance: dg.DagsterInstance) -> datetime | None:
    """When the last good night ended."""
    good = [
        dg.RunsFilter(job_name=NIGHTLY_REFRESH, statuses=[dg.DagsterRunStatus.SUCCESS]),
        dg.RunsFilter(job_name=PUBLISH_RELEASE, statuses=[dg.DagsterRunStatus.SUCCESS]),
    ]
    ends = [
        record.end_time
        for runs in good
        for record in instance.get_run_records(runs, limit=20, order_by="update_timestamp")
        if record.end_time and (record.dagster_run.job_name == NIGHTLY_REFRESH or AFTER_TAG in record.dagster_run.tags)
    ]
    return datetime.fromtimestamp(max(ends), UTC) if ends else None


def _tell(context: dg.SensorEvaluationContext, found: Finding | None) -> bool:
    notifier: Alerts = context.resources.notifier
    book: AlertBook = context.resources.alert_book
    over: set[str] = set() if found else {KEY}

    def is_over(alert: Alert) -> bool:
        return alert.key in over

    with book.settled([found] if found else [], is_over, job=NIGHTLY_REFRESH, run_id="") as news:
        if news:
            head = "the night is overdue" if found else "the night is back"
            text = digest(head, news, notifier.link(""))
            notifier.notify("night_overdue", text, listed(news), severity=news.severity)
    return bool(news)
