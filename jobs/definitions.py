"""The jobs and schedules of the night.

Belongs here: what can be run and when.
Does not belong here: reactions to events (sensors), what an asset does, and how a run is executed: by the deployment's
executor, in its turn, over all buckets of stars.

Nothing here is driven by automation conditions. The nightly job walks the whole lineage and every table keeps itself
when nothing changed, so a condition would only add a second driver for the same assets; `serve_vetter` follows the
champion through the sensor `champion_moved`, because a champion also moves outside any materialisation (a rollback).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from jobs.rollback import rollback_champion, rollback_event_champion
from jobs.selections import CORPUS, DEPLOY, EVERYTHING, FROM_TRAINING, LIGHT_CURVES, RELEASE, RETRAINED

if TYPE_CHECKING:
    from exo_resources.settings import Settings


def _job(
    name: str, selection: dg.AssetSelection, description: str, config: dict[str, Any] | None = None
) -> dg.UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        name,
        selection,
        description=description,
        config=config,
    )


NIGHTLY_REFRESH = _job(
    "nightly_refresh",
    EVERYTHING,
    "The whole lineage, from the archives to the live endpoint. What did not change is kept, not recomputed.",
)
WEEKLY_RETRAIN = _job(
    "weekly_retrain",
    FROM_TRAINING,
    "Trains again on the tables at hand, even if unchanged, and carries the outcome through the gates to the endpoint.",
    {"ops": {name: {"config": {"force": True}} for name in RETRAINED}},
)
PUBLISH_RELEASE = _job(
    "publish_release",
    RELEASE,
    "Scores every signal with the champion as it is, rebuilds the marts and publishes a release. Trains nothing.",
)
DEPLOY_CHAMPION = _job(
    "deploy_champion",
    DEPLOY,
    "As publish_release, and the endpoint too: what follows when the champion moved outside the nightly job.",
)

LIGHT_CURVES_REFRESH = _job(
    "light_curves_refresh",
    LIGHT_CURVES,
    "Downloads, cleaning, search, diagnostics and views of the light curves in the chosen buckets of stars.",
)

CORPUS_REFRESH = _job(
    "corpus_refresh",
    CORPUS,
    "New and changed abstracts and documents, and what is made of them. Only what changed is read, cut and embedded.",
)

ASSET_JOBS = (NIGHTLY_REFRESH, WEEKLY_RETRAIN, PUBLISH_RELEASE, DEPLOY_CHAMPION, LIGHT_CURVES_REFRESH, CORPUS_REFRESH)


def build_jobs_and_schedules(
    settings: Settings,
) -> tuple[list[dg.UnresolvedAssetJobDefinition | dg.JobDefinition], list[dg.ScheduleDefinition]]:
    """Every job, and the schedules in the time zone of `settings`.

    Schedules are RUNNING from the start, unlike Dagster's default: whoever starts the daemon wants the nights to
    happen, and a schedule that waits for a click is a night that is missed in silence.
    """
    schedules = [
        dg.ScheduleDefinition(
            name=f"{job.name}_schedule",
            job=job,
            cron_schedule=cron,
            execution_timezone=settings.timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=f"{job.name} {when}.",
        )
        for job, cron, when in (
            (NIGHTLY_REFRESH, settings.nightly_at, "every night"),
            (WEEKLY_RETRAIN, settings.weekly_at, "every week, after the night"),
        )
    ]
    return [*ASSET_JOBS, rollback_champion, rollback_event_champion], schedules
