"""The gates refused a candidate: publish with the champion that stands.

Belongs here: telling a refusal from any other failure. Does not belong here: the gates (`exo_assets.evaluation`).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import dagster as dg

from sensors.champion_moved import Champions
from sensors.common import HANDLED_TAG, NIGHTLY_REFRESH, PUBLISH_RELEASE, WEEKLY_RETRAIN, in_words
from sensors.failed_checks import gate_refusals

RUNS_PER_TICK = 20


@dg.sensor(
    name="gate_refused",
    job_name=PUBLISH_RELEASE,
    minimum_interval_seconds=60,
    required_resource_keys={"registry"},
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="After a run that failed at the gates, publishes tonight's data with the champion that stands.",
)
def gate_refused(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for `publish_release` for each run that failed at the gates, when there is a champion to publish with.

    The first look only remembers where it began. The registry is asked only when a refusal was found.
    """
    if context.cursor is None:
        return dg.SensorResult(skip_reason="first look", cursor=_cursor(datetime.now(UTC).timestamp()))
    since = float(json.loads(context.cursor)["since"])
    records = [
        record
        for job in (NIGHTLY_REFRESH, WEEKLY_RETRAIN)
        for record in context.instance.get_run_records(
            dg.RunsFilter(
                job_name=job,
                statuses=[dg.DagsterRunStatus.FAILURE],
                updated_after=datetime.fromtimestamp(since, UTC),
            ),
            limit=RUNS_PER_TICK,
            order_by="update_timestamp",
            ascending=True,
        )
    ]
    refused = {
        record.dagster_run.run_id: sorted({found.check for found in refusals})
        for record in records
        if not record.dagster_run.tags.get(HANDLED_TAG)
        and (refusals := gate_refusals(context.instance, record.dagster_run.run_id))
    }
    cursor = _cursor(max([since, *(record.update_timestamp.timestamp() for record in records)]))
    if not refused:
        return dg.SensorResult(skip_reason="no run failed at the gates", cursor=cursor)
    registry: Champions = context.resources.registry
    try:
        champion = registry.champion()
    except Exception as error:
        return dg.SkipReason(f"the model registry cannot be asked ({in_words(error)})")
    if champion is None:
        gates = ", ".join(sorted({gate for found in refused.values() for gate in found}))
        reason = f"the gates refused the first candidate ({gates}): there is no champion to publish with"
        return dg.SensorResult(skip_reason=reason, cursor=cursor)
    return dg.SensorResult(
        run_requests=[
            # The key makes a request unique: a run seen twice is published for once.
            dg.RunRequest(
                run_key=f"gate_refused:{run_id}", tags={"exo/after": run_id, "exo/refused_by": ",".join(gates)[:200]}
            )
            for run_id, gates in refused.items()
        ],
        cursor=cursor,
    )


def _cursor(since: float) -> str:
    return json.dumps({"since": since})
