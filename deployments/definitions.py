"""The composition root: the one place that binds stages, resources, jobs, schedules and sensors.

Belongs here: which parts make up a deployment, and the policies that hold for all assets alike.
Does not belong here: what any part does.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import dagster as dg

from deployments.dagster.executor import turn_executor
from deployments.freshness import freshness
from deployments.resources import buckets_at_hand, build_resources
from exo_assets.archive import assets as archive
from exo_assets.archive import checks as archive_checks
from exo_assets.catalogs import assets as catalogs
from exo_assets.catalogs import checks as catalog_checks
from exo_assets.code_version import code_version
from exo_assets.corpus import assets as corpus
from exo_assets.corpus import checks as corpus_checks
from exo_assets.corpus import dossier_assets as dossiers
from exo_assets.corpus import embedder_assets, embedder_checks, index_assets
from exo_assets.corpus import evaluation_assets as corpus_evaluation
from exo_assets.corpus import evaluation_checks as corpus_evaluation_checks
from exo_assets.evaluation import assets as evaluation
from exo_assets.evaluation import checks as evaluation_checks
from exo_assets.events import assets as events
from exo_assets.events import checks as event_checks
from exo_assets.features import assets as features
from exo_assets.features import simulated_assets
from exo_assets.lightcurves import assets as lightcurves
from exo_assets.lightcurves import validation_assets as validation
from exo_assets.scoring import assets as scoring
from exo_assets.scoring import checks as scoring_checks
from exo_assets.scoring import found_assets as scoring_found
from exo_assets.serving import assets as serving
from exo_assets.training import assets as training
from exo_assets.training import checks as training_checks
from exo_assets.warehouse import assets as warehouse
from exo_resources.settings import Settings
from jobs import build_jobs_and_schedules
from sensors import build_sensors

OWNER = "team:exo"

ASSETS = (
    *archive.ASSETS,
    *catalogs.ASSETS,
    *corpus.ASSETS,
    *index_assets.ASSETS,
    *corpus_evaluation.ASSETS,
    *lightcurves.ASSETS,
    *validation.ASSETS,
    *features.ASSETS,
    *simulated_assets.ASSETS,
    *training.ASSETS,
    *evaluation.ASSETS,
    *events.ASSETS,
    *scoring.ASSETS,
    *scoring_found.ASSETS,
    *warehouse.ASSETS,
    *dossiers.ASSETS,
    *serving.ASSETS,
    *embedder_assets.ASSETS,
)
CHECKS = (
    *archive_checks.CHECKS,
    *catalog_checks.CHECKS,
    *corpus_checks.CHECKS,
    *corpus_evaluation_checks.CHECKS,
    *training_checks.CHECKS,
    *evaluation_checks.CHECKS,
    *event_checks.CHECKS,
    *scoring_checks.CHECKS,
    *warehouse.CHECKS,
    *dossiers.CHECKS,
    *embedder_checks.CHECKS,
)


def build_defs(settings: Settings | None = None, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Everything Dagster loads.

    `resource_overrides` replaces resources by key; tests pass fakes or small real parts.
    """
    settings = settings or Settings()
    jobs, schedules = build_jobs_and_schedules(settings)
    deadlines = freshness(settings)
    return dg.Definitions(
        assets=[asset.map_asset_specs(partial(_policy, asset, deadlines)) for asset in ASSETS],
        asset_checks=list(CHECKS),
        resources={**build_resources(settings), **(resource_overrides or {})},
        jobs=jobs,
        schedules=schedules,
        sensors=build_sensors(settings),
        executor=turn_executor(settings.home, lambda: buckets_at_hand(settings)),
    )


def _policy(
    asset: dg.AssetsDefinition, deadlines: Mapping[str, dg.FreshnessPolicy], spec: dg.AssetSpec
) -> dg.AssetSpec:
    """What holds for every asset: an owner, a code version (where it says none, that of its function), a deadline if it
    has one."""
    made_by: Any = asset.op.compute_fn
    return spec.replace_attributes(
        owners=[OWNER],
        code_version=spec.code_version or code_version(made_by.decorated_fn),
        freshness_policy=deadlines.get(spec.key.to_user_string()),
    )


defs = build_defs()
