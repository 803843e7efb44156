"""Sources, release and endpoint are late when a night is: by the definitions, and by Dagster's own evaluation."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.definitions.freshness_evaluator import FRESHNESS_EVALUATORS_BY_POLICY_TYPE
from dagster._core.loader import LoadingContextForTest
from dagster._core.test_utils import freeze_time

from deployments.definitions import defs
from deployments.freshness import EXPECTED, SOURCES, freshness, longest_wait
from exo_resources.settings import Settings

NIGHT = datetime(2026, 3, 10, 2, 10, tzinfo=UTC)


def test_what_every_night_makes_has_a_deadline_and_nothing_else_has() -> None:
    found = {spec.key.to_user_string(): spec.freshness_policy for spec in defs.resolve_all_asset_specs()}
    assert {name for name, policy in found.items() if policy} == EXPECTED
    raw = {name for name in found if name.startswith("raw_")}
    assert set(SOURCES) == raw - {"raw_user__light_curves", "raw_archive__refused_copies"}
    assert found["out_warehouse"] == freshness(Settings())["out_warehouse"]


@pytest.mark.parametrize(
    ("cron", "wait"),
    [
        ("0 2 * * *", timedelta(days=1)),
        ("0 2 * * MON-FRI", timedelta(days=3)),
        ("30 1,13 * * *", timedelta(hours=12)),
        ("0 5 * * 0", timedelta(days=7)),
        ("0 3 1 * *", timedelta(days=31)),
    ],
)
def test_the_deadline_follows_the_schedule(cron: str, wait: timedelta) -> None:
    assert longest_wait(cron, "UTC") == wait


@pytest.mark.parametrize(
    ("hours", "state"),
    [(1, FreshnessState.PASS), (25, FreshnessState.PASS), (27, FreshnessState.WARN), (51, FreshnessState.FAIL)],
)
@pytest.mark.parametrize("name", ["raw_nea__toi", "raw_mast__light_curves", "out_warehouse", "serve_vetter"])
def test_dagster_says_who_is_late(name: str, hours: int, state: FreshnessState) -> None:
    node = defs.resolve_asset_graph().get(dg.AssetKey(name))
    evaluate = FRESHNESS_EVALUATORS_BY_POLICY_TYPE[type(node.freshness_policy)]
    with dg.DagsterInstance.ephemeral() as instance:
        with freeze_time(NIGHT):
            instance.report_runless_asset_event(dg.AssetMaterialization(name))
        with freeze_time(NIGHT + timedelta(hours=hours)):
            assert asyncio.run(evaluate().evaluate_freshness(LoadingContextForTest(instance), node)) == state
