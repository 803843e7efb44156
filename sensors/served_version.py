"""What the endpoint really serves, observed.

Belongs here: asking the endpoint and recording a change as an observation of `serve_vetter`.
Does not belong here: deploying (`serve_vetter` itself) or deciding what should be served (`champion_moved`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg

from sensors.common import in_words

if TYPE_CHECKING:
    from exo_assets.training.model_ref import ModelRef

SERVED = dg.AssetKey("serve_vetter")
DOWN = "down"


class Served(Protocol):
    """The part of the endpoint's status that this sensor uses."""

    @property
    def healthy(self) -> bool:
        """Whether it answers with the newest model that it was given."""

    @property
    def model(self) -> ModelRef | None:
        """The model that answers."""

    @property
    def message(self) -> str:
        """The status in words."""


class Endpoint(Protocol):
    """The part of the endpoint's client that this sensor uses."""

    def status(self) -> Served:
        """What can be said of the endpoint now."""


@dg.sensor(
    name="served_version",
    minimum_interval_seconds=300,
    required_resource_keys={"serve"},
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Records, as an observation of serve_vetter, which model the endpoint answers with; on change only.",
)
def served_version(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Observe the version that the endpoint serves, or that it stopped answering; silent while nothing changes."""
    endpoint: Endpoint = context.resources.serve
    try:
        status = endpoint.status()
    except Exception as error:
        return dg.SensorResult(skip_reason=f"the endpoint cannot be asked ({in_words(error)})", cursor=context.cursor)
    model = status.model
    served = f"{model.version}:{model.digest}:{'healthy' if status.healthy else 'unhealthy'}" if model else DOWN
    if context.cursor == served:
        return dg.SensorResult(skip_reason=f"still {model or DOWN}", cursor=served)
    if context.cursor is None and model is None:
        # Nothing was ever served as far as this sensor knows: not an event.
        return dg.SensorResult(skip_reason=f"the endpoint does not answer ({status.message})", cursor=None)
    metadata: dict[str, Any] = {"answers": model is not None, "healthy": status.healthy, "message": status.message}
    if model is not None:
        metadata |= {"model_version": model.version, "model_digest": model.digest}
    return dg.SensorResult(
        asset_events=[dg.AssetObservation(asset_key=SERVED, metadata=metadata)],
        cursor=served,
    )
