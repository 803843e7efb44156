"""Checks of the scoring stage: nothing is lost, and what is said are probabilities.

No postponed annotations here: Dagster reads those of the check functions at definition time.
"""

from typing import Any

import dagster as dg
import polars as pl

MOST_LOST = 0.01
"""Largest share of signals without a score before the night is called broken."""
DISPOSITIONS = ("disposition_confirmed", "disposition_candidate", "disposition_false_positive")
ROUNDING = 1e-9


@dg.asset_check(
    asset="out_scores_attrition",
    additional_deps=["core_signals", "out_scores"],
    blocking=True,
    required_resource_keys={"lake"},
    description="Every signal of the catalogue is scored, or in out_scores_attrition with a reason.",
)
def every_signal_accounted_for(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Compare the three tables' signals."""
    lake: Any = context.resources.lake
    signals, scored, lost = (
        lake.read(table).select("signal_id") for table in ("core_signals", "out_scores", "out_scores_attrition")
    )
    accounted = pl.concat([scored, lost])
    missing = signals.join(accounted, on="signal_id", how="anti")
    extra = accounted.height - signals.height + missing.height
    return dg.AssetCheckResult(
        passed=missing.is_empty() and extra == 0,
        metadata={"missing": missing.height, "extra": extra, "first": missing["signal_id"].head(10).to_list()},
    )


@dg.asset_check(
    asset="out_scores_attrition",
    additional_deps=["out_scores"],
    blocking=True,
    required_resource_keys={"lake"},
    description=f"At most {MOST_LOST:.0%} of the signals could not be scored.",
)
def few_signals_lost(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Bound the attrition."""
    lake: Any = context.resources.lake
    lost, scored = lake.read("out_scores_attrition"), lake.read("out_scores").height
    share = lost.height / max(lost.height + scored, 1)
    reasons = lost.group_by("reason").len().sort("len", descending=True).head(5)
    return dg.AssetCheckResult(
        passed=share <= MOST_LOST,
        metadata={"lost": lost.height, "share": share, "reasons": dict(reasons.iter_rows())},
    )


@dg.asset_check(
    asset="out_scores",
    blocking=True,
    required_resource_keys={"lake"},
    description="The three dispositions of each signal sum to 1.",
)
def dispositions_sum_to_one(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Sum of the archive's three dispositions; the contract holds each within 0 and 1."""
    lake: Any = context.resources.lake
    off = lake.read("out_scores").select(off=(pl.sum_horizontal(DISPOSITIONS) - 1).abs())["off"]
    worst = float(off.max() or 0.0)
    return dg.AssetCheckResult(passed=worst <= ROUNDING, metadata={"largest_deviation": worst})


@dg.asset_check(
    asset="out_found_scores",
    additional_deps=["core_found_signals"],
    blocking=True,
    required_resource_keys={"lake"},
    description="Every signal that the search found is judged, or has the reason why not; ranked is what is judged and "
    "above the thresholds, without a gap.",
)
def every_found_signal_accounted_for(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Compare with the search's signals, and hold each row against what it says."""
    lake: Any = context.resources.lake
    found, rows = lake.read("core_found_signals").select("tce_id", "below_threshold"), lake.read("out_found_scores")
    missing, extra = found.join(rows, on="tce_id", how="anti"), rows.join(found, on="tce_id", how="anti")
    judged = pl.col("probability_planet").is_not_null()
    silent = rows.filter(judged == pl.col("reason").is_not_null())
    above = rows.drop("below_threshold").join(found, on="tce_id").filter(judged & ~pl.col("below_threshold"))
    gaps = sorted(rows["rank"].drop_nulls()) != list(range(1, above.height + 1)) or above["rank"].null_count() > 0
    return dg.AssetCheckResult(
        passed=missing.is_empty() and extra.is_empty() and silent.is_empty() and not gaps,
        metadata={
            "missing": missing.height,
            "extra": extra.height,
            "neither_judged_nor_with_a_reason": silent.height,
            "ranks_wrong": gaps,
            "first": pl.concat([missing, extra.select(missing.columns)])["tce_id"].head(10).to_list(),
        },
    )


CHECKS: list[dg.AssetChecksDefinition] = [
    every_signal_accounted_for,
    few_signals_lost,
    dispositions_sum_to_one,
    every_found_signal_accounted_for,
]
