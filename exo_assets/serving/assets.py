"""The asset of the serving stage: the champion, live.

Belongs here: what is deployed and what is said about it. Does not belong here: how (rollout.py, the `serve` resource).

No postponed annotations here: Dagster reads those of the asset functions at definition time.
"""

import math
from typing import Any

import dagster as dg

from exo_assets.training.model_ref import ModelRef

GROUP = "serving"


@dg.asset(
    name="serve_vetter",
    group_name=GROUP,
    description=(
        "The live endpoint, answering with the champion. A model that does not get healthy, or answers otherwise than "
        "the registry's model does, is replaced by the one before and the asset fails."
    ),
    deps=["ml_vetter_champion"],
    # Before the scoring of the whole catalogue: a champion, above all one that was rolled back to, answers at once.
    op_tags={"dagster/priority": "10"},
    kinds={"ray", "fastapi"},
    required_resource_keys={"lake", "registry", "serve"},
    check_specs=[
        dg.AssetCheckSpec(
            "golden_answers",
            asset="serve_vetter",
            blocking=True,
            description="The endpoint's answers to fixed signals equal the registry's model to 1e-9.",
        )
    ],
)
def serve_vetter(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Deploy the champion, prove it, or put the one before back."""
    from exo_assets.serving.rollout import RolloutError, roll_out

    resources: Any = context.resources
    champion = resources.lake.read("ml_vetter_champion").row(0, named=True)
    ref = ModelRef.from_row(champion)
    try:
        outcome = roll_out(
            resources.serve,
            ref,
            resources.registry.fetch(ref),
            details=_details(resources.registry, ref),
            say=context.log.info,
        )
    except RolloutError as error:
        context.log.error("%s", error)
        raise dg.Failure(
            str(error),
            metadata={
                "refused": str(ref),
                "reason": error.reason,
                "answering_instead": str(error.restored) if error.restored else "nothing: the endpoint is stopped",
            },
            allow_retries=False,
        ) from error
    return dg.MaterializeResult(
        data_version=dg.DataVersion(ref.digest),
        metadata={
            "url": dg.MetadataValue.url(resources.serve.url),
            "model_version": ref.version,
            "model_digest": ref.digest,
            "changed": outcome.changed,
        },
        check_results=[
            dg.AssetCheckResult(check_name="golden_answers", passed=True, metadata={"answers": outcome.answers})
        ],
    )


def _details(registry: Any, ref: ModelRef) -> dict[str, Any]:
    """What /v1/model shows beside the reference: when it was registered, and its metrics."""
    metrics = {name: value for name, value in registry.metrics(ref).items() if math.isfinite(value)}
    return {"registered_at_ms": registry.logged_at(ref), "metrics": metrics}


ASSETS: list[dg.AssetsDefinition] = [serve_vetter]
