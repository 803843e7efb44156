"""How every run is executed: in its turn, over all buckets of stars when it was asked for none, in one process.

Belongs here: what holds for a run whoever started it: the command line, a schedule, the UI, its API, a backfill.
Does not belong here: what a job selects (`jobs`), the queue and the retries of runs (`dagster.yaml`).

One process, because every step process would pay the imports of ray, lightgbm and mlflow again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.executor_definition import IN_PROC_CONFIG
from dagster._core.events import EngineEventData
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor

from deployments.dagster.event_log import kept_open
from deployments.dagster.processes import PROCESS_TAG, this_process
from deployments.dagster.turns import turn
from exo_assets.lightcurves.partitions import BUCKETS, NAMED_BY, register, run_tags

LOOK_EVERY_S = 1.0

Wanted = Callable[[], Sequence[str]]
"""The buckets of stars that light curves are there for, now."""


class TurnExecutor(InProcessExecutor):
    """Dagster's in-process executor, in the run's turn and over the buckets that there are."""

    def __init__(self, retries: RetryMode, home: Path, wanted: Wanted) -> None:
        super().__init__(retries)
        self._home, self._wanted = home, wanted

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """Wait for the turn, then execute the plan; its log says whom it waits for."""
        run, instance = plan_context.dagster_run, plan_context.instance
        instance.add_run_tags(run.run_id, {PROCESS_TAG: this_process(run.run_id)})
        who = f"{run.job_name} (run {run.run_id}, process {os.getpid()})"
        with turn(self._home, who) as take, kept_open(instance, run.run_id):
            told = ""
            while holder := take():
                if holder != told:
                    told = holder
                    waiting = f"Waiting for {holder}, which writes the tables."
                    yield dg.DagsterEvent.engine_event(plan_context, waiting, EngineEventData())
                time.sleep(LOOK_EVERY_S)
            yield from self._over_buckets(plan_context, execution_plan)

    def _over_buckets(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """Execute; a run that was asked for no partition takes every bucket, those that its own catalogue adds too."""
        run, instance = plan_context.dagster_run, plan_context.instance
        steps = execution_plan.step_keys_to_execute
        if run.is_partitioned or not _takes_buckets(plan_context, steps):
            yield from super().execute(plan_context, execution_plan)
            return
        tags: dict[str, str] = dict(run.tags)
        context = PlanOrchestrationContext(
            plan_context.plan_data._replace(dagster_run=run.with_tags(tags)),
            plan_context.log,
            self,
            plan_context.output_capture,
        )

        def settle() -> None:
            register(instance, self._wanted())
            chosen = run_tags(instance)
            tags.update(chosen)
            instance.add_run_tags(run.run_id, chosen)

        if NAMED_BY not in steps:
            settle()
        for event in super().execute(context, execution_plan):
            if event.is_step_success and event.step_key == NAMED_BY:
                settle()
            yield event


def _takes_buckets(plan_context: PlanOrchestrationContext, steps: Sequence[str]) -> bool:
    nodes = plan_context.job.get_definition().asset_layer.asset_graph
    return any(node.partitions_def == BUCKETS and node.key.to_user_string() in steps for node in nodes.asset_nodes)


def turn_executor(home: Path, wanted: Wanted) -> dg.ExecutorDefinition:
    """The executor of a deployment: `home` is where its lock lies."""

    @dg.executor(name="in_process", config_schema=IN_PROC_CONFIG)
    def in_turn(context: dg.InitExecutorContext) -> TurnExecutor:
        """One process, one writer at a time, all buckets of stars unless a run names some."""
        retries: Any = context.executor_config["retries"]
        return TurnExecutor(RetryMode(next(iter(retries))), home, wanted)

    return in_turn
