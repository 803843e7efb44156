"""What the endpoint really serves, observed.

Belongs here: asking the endpoint and recording a change as an observation of `serve_vetter`.
Does not belong here: deploying (`serve_vetter` itself) or deciding what should be served (`champion_moved`).
"""

from __future__ import annotations

from typing import Any, Protocol

import dagster as dg

from sensors.common import in_words

SERVED = dg.AssetKey("serve_vetter")


class Endpoint(Protocol):
    """The part of the endpoint's client that this sensor uses."""

    def model(self) -> dict[str, Any]:
        """The answer of `/v1/model`; an exception when the endpoint does not answer."""


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
        answer = endpoint.model()
        served = str(answer["version"])
        metadata: dict[str, Any] = {"answers": True, "model_version": served, "model": dg.MetadataValue.json(answer)}
    except Exception as error:
        served = "down"
        metadata = {"answers": False, "reason": in_words(error)}
    if context.cursor == served:
        return dg.SensorResult(skip_reason=f"still {served}", cursor=served)
    if context.cursor is None and served == "down":
        # Nothing was ever served as far as this sensor knows: not an event.
        return dg.SensorResult(skip_reason=f"the endpoint does not answer ({metadata['reason']})", cursor=None)
    return dg.SensorResult(
        asset_events=[dg.AssetObservation(asset_key=SERVED, metadata=metadata)],
        cursor=served,
        skip_reason=None,
    )
