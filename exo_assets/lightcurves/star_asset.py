"""`@star_asset`: work on one star, as a partitioned Dagster asset that does it for many on Ray.

Belongs here: the policy that all tables of stars share: only new or changed stars are worked on, one at a time is in
memory here, a star's failure is an entry with its reason, progress is told. Does not belong here: what is done with a
star (`star_tasks.py`).

No postponed annotations here: Dagster reads those of the asset function at definition time.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from exo_assets import shown
from exo_assets.contracts import TableContract
from exo_assets.lightcurves.partitions import BUCKETS, buckets_of, is_partitioned, one_run
from exo_assets.lightcurves.quantum import Outcome, Quantum, Work, fingerprint, run_quantum
from exo_assets.retries import tried_again
from exo_assets.table_asset import TableConfig, column_schema, shown_code, version_of
from exo_resources.ray_runtime import WorkerLost
from exo_resources.star_tables import Index, StarEntry, StarRows, StarTables

TOLD_EVERY_S = 15.0
LOST_SHARE = 0.2
"""More stars than this share lost at one stage are worth a warning."""

Plan = Callable[[Any], Callable[[str], Iterable[Quantum]]]
"""From Dagster's resources to a function from a bucket to the work that its table needs, a quantum a star."""

Pages = Callable[[StarTables, str], dict[str, Any]]
"""Metadata that shows what is in a bucket."""


def star_asset(
    contract: TableContract,
    work: Work,
    *,
    group: str,
    deps: Sequence[str],
    plan: Plan,
    reader: str,
    pages: Pages | None = None,
) -> dg.AssetsDefinition:
    """A partitioned asset named as its contract, from `work` on one star.

    `plan` says which stars there are and what each is made from; `reader` is the resource key of what `work` is given
    to read with. `pages` adds metadata to a partition. A star is worked on again when the code of `work`
    changed or what its quantum says that it is made from; so the code of `plan` counts by what it plans.
    """

    @dg.asset(
        name=contract.name,
        group_name=group,
        description=contract.description,
        deps=list(deps),
        kinds={"ray", "parquet"},
        partitions_def=BUCKETS,
        backfill_policy=one_run(),
        required_resource_keys={"lake", "star_tables", "ray_runtime", "settings", reader},
        check_specs=[few_lost(contract.name)],
        code_version=version_of(contract, work, plan),
        metadata={"dagster/column_schema": column_schema(contract), "exo/code": shown_code(contract, work, plan)},
    )
    @tried_again()
    def asset(context: dg.AssetExecutionContext, config: TableConfig) -> dg.MaterializeResult:  # type: ignore[type-arg]
        resources = context.resources
        tables: StarTables = resources.star_tables
        version = version_of(contract, work) + (f" {time.time_ns()}" if config.force else "")
        shared = (work, getattr(resources, reader), contract)
        tally, buckets = Tally(contract.name), buckets_of(context)
        plans = Plans(tables, contract.name, version, plan(resources))
        tasks = (quantum for bucket in buckets for quantum in plans.of(bucket).todo)
        outcomes = resources.ray_runtime.stream(run_quantum, shared, tasks)
        for bucket in buckets:
            planned = plans.of(bucket)
            made = _made(context, bucket, planned, outcomes)
            index, written = tables.rewrite(contract.name, bucket, contract.schema, planned.wanted, made)
            seen = _shown(pages, tables, contract.name, bucket) if pages and is_partitioned(context) else {}
            tally.add(context, bucket, index, worked_on=len(planned.todo), written=written, shown=seen)
            plans.done(bucket)
        return tally.result()

    return asset


def _shown(pages: Pages, tables: StarTables, table: str, bucket: str) -> dict[str, Any]:
    """What `pages` shows of a partition, kept until the partition changes."""
    name, version = f"{table}/{bucket}", tables.partition_digest(table, bucket)
    seen = shown.kept_as(tables.lake, name, version)
    if seen is None:
        seen = pages(tables, bucket)
        shown.keep_as(tables.lake, name, version, seen)
    return seen


def few_lost(table: str) -> dg.AssetCheckSpec:
    """The check that a stage did not lose many stars."""
    return dg.AssetCheckSpec(
        "few_lost", asset=table, description=f"No more than {LOST_SHARE:.0%} were lost at this stage."
    )


@dataclass(frozen=True)
class Planned:
    """What a bucket is brought to: fingerprints of all its stars, and the quanta of those that are new or changed."""

    wanted: dict[str, str]
    todo: list[Quantum]


class Plans:
    """Plans of buckets, made when one is first asked for: by the tasks that run ahead, or by the writing behind."""

    def __init__(
        self, tables: StarTables, table: str, version: str, quanta: Callable[[str], Iterable[Quantum]]
    ) -> None:
        self._tables, self._table, self._version, self._quanta = tables, table, version, quanta
        self._made: dict[str, Planned] = {}

    def of(self, bucket: str) -> Planned:
        """The plan of a bucket."""
        if bucket not in self._made:
            quanta = list(self._quanta(bucket))
            wanted = {quantum.star_id: fingerprint(self._version, quantum) for quantum in quanta}
            new = set(self._tables.changed(self._table, bucket, wanted))
            self._made[bucket] = Planned(wanted, [quantum for quantum in quanta if quantum.star_id in new])
        return self._made[bucket]

    def done(self, bucket: str) -> None:
        """Forget a bucket that was written."""
        self._made[bucket] = Planned({}, [])


def _made(
    context: dg.AssetExecutionContext, bucket: str, planned: Planned, outcomes: Iterator[Any]
) -> Iterator[StarRows]:
    """Outcomes as stars to be written, with progress told now and then."""
    began = told = time.monotonic()
    lost, many = 0, len(planned.todo)
    for done, quantum in enumerate(planned.todo, start=1):
        outcome = next(outcomes)
        if isinstance(outcome, WorkerLost):
            outcome = Outcome(None, "worker_lost", outcome.message, transient=True)
        lost += outcome.rows is None
        mark = "" if outcome.transient else planned.wanted[quantum.star_id]
        entry = StarEntry(quantum.star_id, mark, reason=outcome.reason, message=outcome.message)
        now = time.monotonic()
        if now - told > TOLD_EVERY_S or done == many:
            told = now
            rate = done / max(now - began, 1e-9)
            context.log.info("%s: %d of %d stars, %d lost, %.2f stars/s", bucket, done, many, lost, rate)
        yield StarRows(entry, outcome.rows)


class Tally:
    """What a run did to the partitions of one table, for its metadata and its check."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.stars = self.rows = self.lost = self.worked_on = 0
        self.written = False
        self.reasons: Counter[str] = Counter()

    def add(
        self,
        context: dg.AssetExecutionContext,
        bucket: str,
        index: Index,
        *,
        worked_on: int,
        written: bool,
        shown: dict[str, Any] | None = None,
    ) -> None:
        """Take up a partition, and tell of it in its own metadata."""
        reasons = Counter(entry.reason for entry in index.values() if entry.reason)
        rows = sum(entry.rows for entry in index.values())
        facts: dict[str, Any] = {"stars": len(index), "rows": rows, "stars_worked_on": worked_on}
        if is_partitioned(context):
            lost = {"lost": dg.MetadataValue.json(dict(reasons))} if reasons else {}
            context.add_asset_metadata({**facts, **lost, **(shown or {})}, partition_key=bucket)
        self.stars += len(index)
        self.rows += rows
        self.worked_on += worked_on
        self.written |= written
        self.reasons += reasons
        self.lost = sum(self.reasons.values())

    def result(
        self, more: Mapping[str, Any] | None = None, checks: Sequence[dg.AssetCheckResult] = ()
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """The outcome of the run, with `more` metadata and the stage's own `checks`."""
        share = self.lost / self.stars if self.stars else 0.0
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": self.rows,
                "recomputed": self.written,
                "stars_in_all": self.stars,
                "lost_in_all": self.lost,
                "worked_on_in_all": self.worked_on,
                **(more or {}),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name="few_lost",
                    passed=share <= LOST_SHARE,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=f"{self.lost} of {self.stars} lost at {self.table}: {dict(self.reasons)}",
                    metadata={"share": share},
                ),
                *checks,
            ],
        )
