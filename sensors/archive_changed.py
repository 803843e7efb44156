"""The archive published something: refresh.

Belongs here: comparing the archive's fingerprints with those seen last. Does not belong here: asking the archive
(`exo_resources.archive`).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg

from sensors.common import NIGHTLY_REFRESH, in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Fingerprints(Protocol):
    """The part of the archive's client that this sensor uses."""

    def fingerprint(self, table: str) -> str:
        """A value that changes when the table's rows change (from the archive's row-update columns)."""


def archive_changed_sensor(tables: Sequence[str]) -> dg.SensorDefinition:
    """Ask for `nightly_refresh` when the fingerprint of one of `tables` differs from the last one seen.

    The first look only remembers. A table that cannot be asked keeps its fingerprint; when none can be asked the tick
    is skipped: an outage of the archive is no error of ours.
    """

    @dg.sensor(
        name="archive_changed",
        job_name=NIGHTLY_REFRESH,
        minimum_interval_seconds=3600,
        required_resource_keys={"archive"},
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests nightly_refresh when the archive's row-update columns moved since the last look.",
    )
    def archive_changed(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        archive: Fingerprints = context.resources.archive
        seen: dict[str, str] = _cursor(context.cursor)
        found, silent = dict(seen), dict[str, str]()
        for table in tables:
            try:
                found[table] = archive.fingerprint(table)
            except Exception as error:
                silent[table] = in_words(error)
        if len(silent) == len(tables):
            table, reason = next(iter(silent.items()))
            return dg.SkipReason(f"the archive cannot be asked ({table}: {reason}); trying again at the next tick")
        note = f"; not asked: {', '.join(silent)}" if silent else ""
        new = sorted(table for table in found if table not in seen)
        changed = sorted(table for table in seen if found[table] != seen[table])
        cursor = json.dumps(found, sort_keys=True)
        if not changed:
            first = f"first look at {', '.join(new)}" if new else "no table of the archive changed"
            return dg.SensorResult(skip_reason=first + note, cursor=cursor)
        tags = {"exo/archive_changed": ",".join(changed)}
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(run_key=_run_key(seen, found), tags=tags),
            ],
            cursor=cursor,
        )

    return archive_changed


def _cursor(text: str | None) -> dict[str, str]:
    try:
        value: Any = json.loads(text or "{}")
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _run_key(seen: Mapping[str, str], found: Mapping[str, str]) -> str:
    # Both sides: a table that goes back to an earlier state is a change of its own.
    return "archive:" + hashlib.sha256(json.dumps([seen, found], sort_keys=True).encode()).hexdigest()[:20]
