"""The champion moved: score, release and deploy.

Belongs here: noticing that the registry's champion is not the one that was deployed last.
Does not belong here: moving it (`exo_assets.evaluation`), or deploying it (`serve_vetter`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg

from sensors.common import (
    DEPLOY_CHAMPION,
    NIGHTLY_REFRESH,
    PUBLISH_RELEASE,
    ROLLBACK_CHAMPION,
    WEEKLY_RETRAIN,
    in_progress,
    in_words,
)

if TYPE_CHECKING:
    from exo_assets.training.model_ref import ModelRef

SERVED = dg.AssetKey("serve_vetter")

MOVERS = (NIGHTLY_REFRESH, WEEKLY_RETRAIN, DEPLOY_CHAMPION, PUBLISH_RELEASE, ROLLBACK_CHAMPION)
"""Jobs that move the champion or carry it further; the sensor waits for them to end."""


class Champions(Protocol):
    """The part of the model registry that this sensor uses."""

    def champion(self) -> ModelRef | None:
        """The champion, or None before the first one."""


@dg.sensor(
    name="champion_moved",
    job_name=DEPLOY_CHAMPION,
    minimum_interval_seconds=60,
    required_resource_keys={"registry"},
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests deploy_champion when the registry's champion moved and no run has deployed it yet.",
)
def champion_moved(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for a deployment of a champion that moved outside a run that deploys it by itself."""
    registry: Champions = context.resources.registry
    try:
        champion = registry.champion()
    except Exception as error:
        return dg.SkipReason(f"the model registry cannot be asked ({in_words(error)})")
    if champion is None:
        return dg.SkipReason("there is no champion yet; nightly_refresh makes the first one")
    seen = _cursor(context.cursor)
    now = f"{champion.version}:{champion.digest}"
    if seen["champion"] == now:
        return dg.SkipReason(f"the champion is still {champion}")
    # The nightly job moves the champion and deploys it in one run: let it finish, then look at what it left.
    running = in_progress(context.instance, MOVERS)
    if running:
        return dg.SkipReason(f"the champion moved to {champion}; waiting for {running}")
    moves = seen["moves"] + 1
    cursor = json.dumps({"champion": now, "moves": moves})
    if _served(context.instance) == champion.digest:
        return dg.SensorResult(skip_reason=f"{champion} is already deployed", cursor=cursor)
    return dg.SensorResult(
        run_requests=[
            # The count of moves: going back to an earlier champion is a new request, not a repeated one.
            dg.RunRequest(
                run_key=f"champion:{moves}:{champion.version}:{champion.digest[:12]}",
                tags={"exo/champion": f"{champion.name} v{champion.version}"},
            )
        ],
        cursor=cursor,
    )


def _cursor(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
        return {"champion": str(value.get("champion", "")), "moves": int(value.get("moves", 0))}
    except (ValueError, AttributeError):
        return {"champion": "", "moves": 0}


def _served(instance: dg.DagsterInstance) -> str | None:
    """Digest of the model that `serve_vetter` last said it deployed, from its materialization's metadata."""
    event = instance.get_latest_materialization_event(SERVED)
    materialization = event.asset_materialization if event else None
    value = materialization.metadata.get("model_digest") if materialization else None
    return str(value.value) if value is not None else None
