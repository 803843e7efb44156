"""The assets of the serving stage: the champions and the corpus's index, live.

Belongs here: what is deployed and what is said about it. Does not belong here: how (rollout.py, library_rollout.py, the
resources `serve` and `library_endpoint`).

No postponed annotations here: Dagster reads those of the asset functions at definition time.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from exo_assets.evaluation.contracts import ML_VETTER_CHAMPION
from exo_assets.events.contracts import ML_EVENT_CHAMPION
from exo_assets.retries import tried_again
from exo_assets.training.model_ref import ModelRef

if TYPE_CHECKING:
    from exo_assets.serving.rollout import DeployedModel, Outcome

GROUP = "serving"


@dg.asset(
    name="serve_vetter",
    group_name=GROUP,
    description=(
        "The live endpoint, answering with the champion. A model that does not get healthy, or answers otherwise than "
        "the registry's model does, is replaced by the one before and the asset fails. What the catalogue knows goes "
        "with the champion: a signal is joined with it as in the release."
    ),
    deps=["ml_vetter_champion", "core_signals", "core_planet_identity", "feat_signal_diagnostics", "feat_view_index"],
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
@tried_again()
def serve_vetter(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Deploy the champion, prove it, or put the one before back."""
    from exo_resources.known_signals import KnownSignals
    from exo_resources.serve_last_good import Deployed

    resources: Any = context.resources
    known = KnownSignals(resources.lake).put(resources.serve.known_folder)
    champion = resources.lake.read("ml_vetter_champion", ML_VETTER_CHAMPION.schema).row(0, named=True)
    ref, good = ModelRef.from_row(champion), resources.serve.last_good()
    events = good.events if good else None
    if events is not None and not events.path.is_dir():
        context.log.warning("%s: its files are gone; serve_events fetches and deploys it again", events.ref)
        events = None
    deployed = Deployed(ref, resources.registry.fetch(ref), known, events)
    outcome = _rolled_out(context, deployed, ref)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(f"{ref.digest} {known.stem if known else ''}".strip()),
        metadata={
            "url": dg.MetadataValue.url(resources.serve.url),
            "model_version": ref.version,
            "model_digest": ref.digest,
            "catalogue_version": known.stem if known else "none",
            "changed": outcome.changed,
        },
        check_results=[
            dg.AssetCheckResult(check_name="golden_answers", passed=True, metadata={"answers": outcome.answers})
        ],
    )


def _rolled_out(context: dg.AssetExecutionContext, deployed: "DeployedModel", moved: ModelRef | None) -> "Outcome":
    """The outcome of putting `deployed` on the endpoint; the step fails, without retries, when it does not prove
    itself. `moved` is the model of the two that the asset deploys."""
    from exo_assets.serving.rollout import RolloutError, roll_out

    resources: Any = context.resources
    try:
        return roll_out(
            resources.serve,
            deployed,
            details=_details(resources.registry, deployed.ref),
            say=context.log.info,
        )
    except RolloutError as error:
        context.log.error("%s", error)
        raise dg.Failure(
            str(error),
            metadata={
                "refused": str(moved),
                "reason": error.reason,
                "answering_instead": str(error.restored) if error.restored else "nothing: the endpoint is stopped",
            },
            allow_retries=False,
        ) from error


@dg.asset(
    name="serve_events",
    group_name=GROUP,
    description=(
        "The live endpoint, judging threshold-crossing events with the champion of events, beside the model of signals "
        "that it has. A model that is refused, or answers otherwise than the registry's does, is replaced by the one "
        "before and the asset fails; signals are judged meanwhile as ever."
    ),
    # Not a part of serve_vetter: a champion of signals is deployed whatever becomes of the events.
    deps=["serve_vetter", "ml_event_champion", "core_events"],
    kinds={"ray", "fastapi"},
    required_resource_keys={"lake", "registry", "event_registry", "serve"},
    check_specs=[
        dg.AssetCheckSpec(
            "golden_events",
            asset="serve_events",
            blocking=True,
            description="The endpoint's answers to fixed events equal the registry's model to 1e-9.",
        )
    ],
)
@tried_again()
def serve_events(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Deploy the champion of events beside the model of signals, prove both, or put back what was before."""
    from exo_resources.known_signals import put_events
    from exo_resources.serve_last_good import Deployed

    resources: Any = context.resources
    good, table = resources.serve.last_good(), resources.lake.stored("ml_event_champion", ML_EVENT_CHAMPION.schema)
    if good is None:
        raise dg.Failure("there is no endpoint: serve_vetter deploys the model of signals first", allow_retries=False)
    ref = ModelRef.from_row(table.row(0, named=True)) if table is not None and table.height else None
    known = put_events(resources.lake, resources.serve.known_folder / "events")
    events = Deployed(ref, resources.event_registry.fetch(ref), known) if ref else None
    outcome = _rolled_out(context, replace(good, events=events), ref)
    version = f"{ref.digest} {known.stem if known else ''}".strip() if ref else "no champion of events"
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version),
        metadata={
            "url": dg.MetadataValue.url(resources.serve.url),
            "model_digest": ref.digest if ref else "none",
            "model": str(ref) if ref else "none: events are answered with 503; see ml_event_champion",
            "events_version": known.stem if known else "none",
            "changed": outcome.changed,
        },
        check_results=[dg.AssetCheckResult(check_name="golden_events", passed=True)],
    )


def _details(registry: Any, ref: ModelRef) -> dict[str, Any]:
    """What /v1/model shows beside the reference: when it was registered, and its metrics."""
    metrics = {name: value for name, value in registry.metrics(ref).items() if math.isfinite(value)}
    return {"registered_at_ms": registry.logged_at(ref), "metrics": metrics}


@dg.asset(
    name="serve_library",
    # Not the vetter's group: a champion that moves is deployed whatever becomes of the corpus.
    group_name="corpus",
    description=(
        "The endpoint's library, answering from the released index. A version that cannot be opened, or finds "
        "otherwise than the index itself, is replaced by the one before and the asset fails; signals are judged "
        "meanwhile as ever. Without a deployed model there is no endpoint to put it on, which the check says."
    ),
    deps=["corpus_release", "serve_vetter"],
    kinds={"ray", "fastapi"},
    required_resource_keys={"library_store", "library_endpoint"},
    check_specs=[
        dg.AssetCheckSpec(
            "golden_searches",
            asset="serve_library",
            blocking=True,
            description="The endpoint finds what the index itself does, and the documents that are sure to be in it.",
        )
    ],
)
@tried_again()
def serve_library(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Deploy the released index, prove it, or put the one before back."""
    from exo_assets.serving.library_rollout import LibraryRolloutError, roll_out_library

    resources: Any = context.resources
    endpoint, store = resources.library_endpoint, resources.library_store
    released = store.released()
    if released is None:
        raise dg.Failure("no index has been released: corpus_release releases one", allow_retries=False)
    version = str(released["version"])
    if not endpoint.deployable():
        why = "there is no endpoint: no model has been deployed yet; `exo run` trains and deploys one"
        context.log.warning("%s", why)
        return dg.MaterializeResult(metadata={"served": why, "index": version}, check_results=[_not_served(why)])
    try:
        outcome = roll_out_library(endpoint, version, store.open, say=context.log.info)
    except LibraryRolloutError as error:
        context.log.error("%s", error)
        raise dg.Failure(
            str(error),
            metadata={
                "refused": version,
                "reason": error.reason,
                "answering_instead": error.restored or "nothing: the library is empty",
            },
            allow_retries=False,
        ) from error
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version),
        metadata={
            "url": dg.MetadataValue.url(endpoint.url),
            "index": version,
            "documents": released["documents"],
            "passages": released["chunks"],
            "changed": outcome.changed,
        },
        check_results=[
            dg.AssetCheckResult(check_name="golden_searches", passed=True, metadata={"searches": outcome.searches})
        ],
    )


def _not_served(why: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name="golden_searches", passed=False, severity=dg.AssetCheckSeverity.WARN, description=why
    )


ASSETS: list[dg.AssetsDefinition] = [serve_vetter, serve_events, serve_library]
