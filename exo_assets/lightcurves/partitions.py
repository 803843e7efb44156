"""Dagster's partitions of the light-curve tables, and which of them a run takes.

Belongs here: the partitions definition and its tags. Does not belong here: which bucket a star is in (`buckets.py`).

A run takes a range of partitions, not one: a hundred runs would each start a Ray of their own, and tables that are not
partitioned are made in the same run. Dagster counts a range in the order in which partitions were registered.
"""

import warnings
from collections.abc import Iterable

import dagster as dg

# Several partitions in one run is what Dagster calls beta; it would say so at every start.
warnings.filterwarnings("ignore", message=".*backfill_policy.*", category=dg.BetaWarning)

BUCKETS = dg.DynamicPartitionsDefinition(name="light_curve_buckets")
"""Mission and bucket of stars; registered when a source has light curves for them."""

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

NAME = str(BUCKETS.name)


def one_run() -> dg.BackfillPolicy:
    """All partitions that are asked for in one run."""
    return dg.BackfillPolicy.single_run()


def registered(instance: dg.DagsterInstance) -> list[str]:
    """The partitions that there are, in the order in which they were registered."""
    return list(instance.get_dynamic_partitions(NAME))


def register(instance: dg.DagsterInstance, buckets: Iterable[str]) -> list[str]:
    """Register the buckets that are new; those that were."""
    known = set(registered(instance))
    new = [bucket for bucket in buckets if bucket not in known]
    if new:
        instance.add_dynamic_partitions(NAME, new)
    return new


def run_tags(instance: dg.DagsterInstance) -> dict[str, str]:
    """Tags of a run that takes every registered partition; none when there is no partition."""
    known = registered(instance)
    return {RANGE_START: known[0], RANGE_END: known[-1]} if known else {}


def buckets_of(context: dg.AssetExecutionContext) -> list[str]:
    """The partitions of this run; all that are registered when it was started without any."""
    if is_partitioned(context):
        return list(context.partition_keys)
    return registered(context.instance)


def is_partitioned(context: dg.AssetExecutionContext) -> bool:
    """Whether the run was started for partitions."""
    return bool(context.has_partition_key or context.has_partition_key_range)
