"""The champion moved: score, release and deploy.

Belongs here: noticing that the champion of signals or of events is not the one that was deployed last.
Does not belong here: moving it (`exo_assets.evaluation`), or deploying it (`serve_vetter`, `serve_events`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import dagster as dg

from sensors.common import (
    DEPLOY_CHAMPION,
    NIGHTLY_REFRESH,
    PUBLISH_RELEASE,
    ROLLBACK_CHAMPION,
    ROLLBACK_EVENT_CHAMPION,
    WEEKLY_RETRAIN,
    in_progress,
    in_words,
)

if TYPE_CHECKING:
    from exo_assets.training.model_ref import ModelRef

SERVED = {"signals": dg.AssetKey("serve_vetter"), "events": dg.AssetKey("serve_events")}
"""The two vetters, and the asset that deploys the champion of each."""

MOVERS = (
    *(NIGHTLY_REFRESH, WEEKLY_RETRAIN, DEPLOY_CHAMPION, PUBLISH_RELEASE),
    *(ROLLBACK_CHAMPION, ROLLBACK_EVENT_CHAMPION),
)
"""Jobs that move a champion or carry it further; the sensor waits for them to end."""


class Champions(Protocol):
    """The part of a model registry that this sensor uses."""

    def champion(self) -> ModelRef | None:
        """The champion, or None before the first one."""


@dg.sensor(
    name="champion_moved",
    job_name=DEPLOY_CHAMPION,
    minimum_interval_seconds=60,
    required_resource_keys={"registry", "event_registry"},
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests deploy_champion when a registry's champion, of signals or of events, moved and no run has "
    "deployed it yet.",
)
def champion_moved(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for a deployment of the champions that moved outside a run that deploys them by itself."""
    registries: dict[str, Champions] = {
        "signals": context.resources.registry,
        "events": context.resources.event_registry,
    }
    try:
        found = {kind: registry.champion() for kind, registry in registries.items()}
    except Exception as error:
        return dg.SkipReason(f"the model registry cannot be asked ({in_words(error)})")
    champions = {kind: ref for kind, ref in found.items() if ref is not None}
    if "signals" not in champions:
        return dg.SkipReason("there is no champion yet; nightly_refresh makes the first one")
    seen = _cursor(context.cursor)
    moved = {kind: ref for kind, ref in champions.items() if seen.champions.get(kind) != _named(ref)}
    if not moved:
        return dg.SkipReason(f"the champion is still {' and '.join(map(str, champions.values()))}")
    told = " and ".join(map(str, moved.values()))
    # The nightly job moves a champion and deploys it in one run: let it finish, then look at what it left.
    running = in_progress(context.instance, MOVERS)
    if running:
        return dg.SkipReason(f"the champion moved to {told}; waiting for {running}")
    moves = seen.moves + 1
    now = {kind: _named(ref) for kind, ref in champions.items()}
    cursor = json.dumps({"champions": now, "moves": moves})
    if all(_served(context.instance, SERVED[kind]) == ref.digest for kind, ref in moved.items()):
        return dg.SensorResult(skip_reason=f"{told} is already deployed", cursor=cursor)
    return dg.SensorResult(
        run_requests=[
            # The count of moves: going back to an earlier champion is a new request, not a repeated one.
            dg.RunRequest(
                run_key=":".join(["champion", str(moves), *(ref.digest[:12] for ref in moved.values())]),
                tags={"exo/champion": ", ".join(f"{ref.name} v{ref.version}" for ref in moved.values())},
            )
        ],
        cursor=cursor,
    )


@dataclass(frozen=True)
class _Seen:
    """The champions that were looked at last, by kind, and how many moves there were."""

    champions: dict[str, str]
    moves: int


def _cursor(text: str | None) -> _Seen:
    try:
        value = json.loads(text or "{}")
        return _Seen(dict(value.get("champions", {})), int(value.get("moves", 0)))
    except (ValueError, AttributeError, TypeError):
        return _Seen({}, 0)


def _named(ref: ModelRef) -> str:
    return f"{ref.version}:{ref.digest}"


def _served(instance: dg.DagsterInstance, asset: dg.AssetKey) -> str | None:
    """Digest of the model that `asset` last said it deployed, from its materialization's metadata."""
    event = instance.get_latest_materialization_event(asset)
    materialization = event.asset_materialization if event else None
    value = materialization.metadata.get("model_digest") if materialization else None
    return str(value.value) if value is not None else None
