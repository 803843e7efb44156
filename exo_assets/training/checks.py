"""Checks of the training set.

No postponed annotations here: Dagster reads those of the check functions at definition time.
"""

from typing import Any

import dagster as dg
import polars as pl

from exo_assets.training.contracts import ML_TRAINING_SET

LEAST_CHANCE = 1e-6
"""Folds that are less even than this chance allows are not dealt by it."""


@dg.asset_check(
    asset=ML_TRAINING_SET.name,
    blocking=True,
    required_resource_keys={"lake", "settings"},
    description="The stars of each mission and label lie in the folds as evenly as independent draws would deal them "
    f"(chi-squared test, p >= {LEAST_CHANCE:g} for each).",
)
def folds_are_balanced(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Test each mission and label."""
    from exo_assets.pictures import rows_shown
    from exo_assets.training.assets import training_settings
    from exo_assets.training.splits import fold_balance

    resources: Any = context.resources
    rows = resources.lake.read(ML_TRAINING_SET.name).filter(split="train")
    found = fold_balance(rows, training_settings(resources.settings).folds)
    uneven = found.filter(pl.col("p_value") < LEAST_CHANCE)
    told = ", ".join(f"{r['label']} of {r['mission']}" for r in uneven.iter_rows(named=True))
    return dg.AssetCheckResult(
        passed=uneven.is_empty(),
        description=f"uneven: {told}" if told else "every mission and label is spread as chance deals",
        metadata={"balance": dg.MetadataValue.md(rows_shown(found)), "uneven": uneven.height},
    )


CHECKS: list[dg.AssetChecksDefinition] = [folds_are_balanced]
