"""Jobs, schedules and sensors as they were agreed: a name, a target or a time never changes silently.

After a change that is meant, write the new file with: python tests/jobs/test_automation_snapshot.py
"""

import json
from pathlib import Path
from typing import Any

from exo_resources.settings import Settings
from jobs import build_jobs_and_schedules
from sensors import build_sensors

AGREED = Path(__file__).with_name("automation.json")


def automation() -> dict[str, Any]:
    """What there is, as plain values."""
    settings = Settings(timezone="UTC")
    jobs, schedules = build_jobs_and_schedules(settings)
    return {
        "jobs": {
            job.name: {
                "selection": str(job.selection) if hasattr(job, "selection") else "ops",
                "tags": dict(job.tags or {}),
                "executor": job.executor_def.name if job.executor_def else None,
            }
            for job in jobs
        },
        "schedules": {
            s.name: {"job": s.job_name, "cron": s.cron_schedule, "status": s.default_status.value} for s in schedules
        },
        "sensors": {
            s.name: {
                "jobs": [target.job_name for target in s.targets],
                "every_s": s.minimum_interval_seconds,
                "status": s.default_status.value,
                "kind": s.sensor_type.value,
            }
            for s in build_sensors(settings)
        },
    }


def test_automation_is_as_agreed() -> None:
    assert automation() == json.loads(AGREED.read_text(encoding="utf-8"))


if __name__ == "__main__":
    AGREED.write_text(json.dumps(automation(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
