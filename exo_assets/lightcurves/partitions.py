"""Dagster's partitions of the light-curve tables, and which of them a run takes.

Belongs here: the partitions definition and its tags. Does not belong here: which bucket a star is in (`buckets.py`).

A run takes a range of partitions, not one: a hundred runs would each start a Ray of their own, and tables that are not
partitioned are made in the same run. Dagster counts a range in the order in which partitions were registered.

A run that was asked for no partition takes all (`deployments.dagster.executor`). There is always one: Dagster cannot
follow a dependency between partitioned tables in a run without any, and a bucket without a star is a bucket too.
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

FIRST = "kepler-00"
"""What is registered where no source has a light curve: stars whose KIC number 64 divides, none of them at hand."""

NAMED_BY = "core_signals"
"""The table that names stars of the live archive: a run that makes it knows its buckets only afterwards."""


def one_run() -> dg.BackfillPolicy:
    """All partitions that are asked for in one run."""
    return dg.BackfillPolicy.single_run()


def registered(instance: dg.DagsterInstance) -> list[str]:
    """The partitions that there are, in the order in which they were registered."""
    return list(instance.get_dynamic_partitions(NAME))


def missing(instance: dg.DagsterInstance, wanted: Iterable[str]) -> list[str]:
    """Of the buckets that are wanted, those that are not registered; the first one of all where there is none."""
    known = registered(instance)
    new = [bucket for bucket in wanted if bucket not in set(known)]
    return new if known or new else [FIRST]


def register(instance: dg.DagsterInstance, wanted: Iterable[str]) -> list[str]:
    """Register the buckets that are missing; those that were."""
    new = missing(instance, wanted)
    if new:
        instance.add_dynamic_partitions(NAME, new)
    return new


def run_tags(instance: dg.DagsterInstance) -> dict[str, str]:
    """Tags of a run that takes every registered partition; where there is none, the first is registered for it."""
    known = registered(instance) or register(instance, ())
    return {RANGE_START: known[0], RANGE_END: known[-1]}


def buckets_of(context: dg.AssetExecutionContext) -> list[str]:
    """The partitions of this run; all that are registered when it was started without any."""
    if is_partitioned(context):
        return list(context.partition_keys)
    return registered(context.instance)


def is_partitioned(context: dg.AssetExecutionContext) -> bool:
    """Whether the run was started for partitions."""
    return bool(context.has_partition_key or context.has_partition_key_range)
