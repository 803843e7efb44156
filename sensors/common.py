"""What every sensor shares.

Belongs here: the names of the jobs that sensors ask for, turning a problem into words, and asking the instance what
is in progress. Does not belong here: a sensor.

Jobs are asked for by name, not imported: jobs and sensors do not know each other, `deployments.definitions` binds
them, and Dagster refuses to load a sensor whose job does not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Sequence

NIGHTLY_REFRESH = "nightly_refresh"
WEEKLY_RETRAIN = "weekly_retrain"
PUBLISH_RELEASE = "publish_release"
DEPLOY_CHAMPION = "deploy_champion"
CORPUS_REFRESH = "corpus_refresh"
ROLLBACK_CHAMPION = "rollback_champion"
ROLLBACK_EVENT_CHAMPION = "rollback_event_champion"

IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

HANDLED_TAG = "exo/handled_by"
"""Runs of the command line carry `exo/handled_by: exo run`: who started them deals with a refusal, not a sensor."""


def in_words(error: BaseException) -> str:
    """One line that names the error, for a skip reason."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


def in_progress(instance: dg.DagsterInstance, jobs: Sequence[str]) -> str | None:
    """Which of `jobs` is queued or running, as words; None when none is."""
    for job in jobs:
        runs = instance.get_runs(dg.RunsFilter(job_name=job, statuses=IN_PROGRESS), limit=1)
        if runs:
            return f"{job} (run {runs[0].run_id[:8]})"
    return None
