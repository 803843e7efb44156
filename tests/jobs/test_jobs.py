"""Jobs and schedules: what they select, how they run, and that none of it changes silently."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from exo_assets.lightcurves.partitions import RANGE_START, register
from exo_assets.training.model_ref import ModelRef
from exo_resources.lake import Lake
from exo_resources.settings import Settings
from jobs import build_jobs_and_schedules
from jobs.definitions import NIGHTLY_REFRESH
from jobs.selections import RETRAINED

STAGES = {
    "archive": ("raw_nea__toi", ()),
    "catalogs": ("core_signals", ("raw_nea__toi",)),
    "corpus": ("corpus_documents", ("core_signals",)),
    "embedder": ("ml_embedder_candidate", ("corpus_documents",)),
    "lightcurves": ("core_search", ("core_signals",)),
    "features": ("feat_signals", ("core_signals",)),
    "training": ("ml_vetter_candidate", ("feat_signals", "ml_training_comparison")),
    "evaluation": ("ml_vetter_champion", ("ml_vetter_candidate",)),
    "events": ("ml_event_candidate", ("raw_nea__toi",)),
    "scoring": ("out_scores", ("ml_vetter_champion", "feat_signals")),
    "warehouse": ("out_warehouse", ("out_scores",)),
    "serving": ("serve_vetter", ("out_warehouse",)),
}


class Force(dg.Config):
    force: bool = False


def lineage(forced: list[str] | None = None) -> list[dg.AssetsDefinition]:
    """One asset per stage, in the stages' groups, that only records what it was asked."""

    def make(name: str, group: str, deps: tuple[str, ...]) -> dg.AssetsDefinition:
        @dg.asset(name=name, group_name=group, deps=deps)
        def stage(config: Force) -> None:
            if config.force and forced is not None:
                forced.append(name)

        return stage

    return [
        *(make(name, group, deps) for group, (name, deps) in STAGES.items()),
        make("ml_training_comparison", "training", ("feat_signals",)),
        make("out_event_scores", "events", ("ml_event_candidate",)),
        *(
            make(name, "features", ("core_search",))
            for name in ("feat_diagnostics", "feat_views", "feat_simulated_views")
        ),
        make("feat_signal_diagnostics", "features", ("feat_diagnostics",)),
        make("feat_view_index", "features", ("feat_views",)),
        make("feat_simulated_index", "features", ("feat_simulated_views",)),
    ]


def definitions(forced: list[str] | None = None, **resources: Any) -> dg.Definitions:
    jobs, schedules = build_jobs_and_schedules(Settings(timezone="Europe/Rome"))
    given = {"registry": object(), "event_registry": object(), "lake": object(), **resources}
    return dg.Definitions(assets=lineage(forced), jobs=jobs, schedules=schedules, resources=given)


def materialised(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}


OF_LIGHT_CURVES = (
    *("feat_diagnostics", "feat_views", "feat_signal_diagnostics", "feat_view_index"),
    *("feat_simulated_views", "feat_simulated_index"),
)
EXPECTED = {
    "nightly_refresh": {name for name, _ in STAGES.values()}
    | {"ml_training_comparison", "out_event_scores", *OF_LIGHT_CURVES},
    "weekly_retrain": {
        "ml_training_comparison",
        "ml_vetter_candidate",
        "ml_vetter_champion",
        "ml_event_candidate",
        "out_event_scores",
        "ml_embedder_candidate",
        "out_scores",
        "out_warehouse",
        "serve_vetter",
    },
    "publish_release": {"out_scores", "out_event_scores", "out_warehouse"},
    "deploy_champion": {"out_scores", "out_event_scores", "out_warehouse", "serve_vetter"},
    "light_curves_refresh": {"core_search", *OF_LIGHT_CURVES},
    "corpus_refresh": {"corpus_documents"},
}


@pytest.mark.parametrize("job", EXPECTED)
def test_each_job_materialises_its_stages_and_no_other(job: str) -> None:
    result = definitions().resolve_job_def(job).execute_in_process()
    assert result.success
    assert materialised(result) == EXPECTED[job]


def test_only_the_weekly_job_forces_training() -> None:
    forced: list[str] = []
    defs = definitions(forced)
    defs.resolve_job_def("nightly_refresh").execute_in_process()
    assert forced == []
    defs.resolve_job_def("weekly_retrain").execute_in_process()
    assert sorted(forced) == sorted(RETRAINED)


def test_schedules_run_from_the_start_in_the_time_zone_of_the_settings() -> None:
    _, schedules = build_jobs_and_schedules(Settings(timezone="Europe/Rome"))
    assert {(s.job_name, s.cron_schedule, s.execution_timezone, s.default_status.value) for s in schedules} == {
        ("nightly_refresh", "0 2 * * *", "Europe/Rome", "RUNNING"),
        ("weekly_retrain", "0 5 * * 0", "Europe/Rome", "RUNNING"),
    }


def test_the_nightly_schedule_asks_for_its_job_over_all_buckets_that_the_run_will_find(tmp_path: Path) -> None:
    schedule = definitions().resolve_schedule_def("nightly_refresh_schedule")
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        register(instance, ["kepler-01"])
        # A context that is left open keeps Dagster's state storage set for the tests that follow.
        with dg.build_schedule_context(instance, repository_def=definitions().get_repository_def()) as context:
            [request] = schedule.evaluate_tick(context).run_requests or []
    assert schedule.job_name == NIGHTLY_REFRESH.name
    assert request.partition_key is None and RANGE_START not in request.tags


class Registry:
    """Two versions in memory, with the aliases of the real registry."""

    def __init__(self, champion: ModelRef | None, previous: ModelRef | None) -> None:
        self.now, self.before = champion, previous

    def champion(self) -> ModelRef | None:
        return self.now

    def previous(self) -> ModelRef | None:
        return self.before

    def rollback(self) -> ModelRef:
        assert self.before is not None
        self.now, self.before = self.before, self.now
        return self.now


V1, V2 = (ModelRef("exo-vetter", n, f"run{n}", n * 64) for n in "12")


@pytest.mark.parametrize(
    ("name", "key", "table"),
    [
        ("rollback_champion", "registry", "ml_vetter_champion"),
        ("rollback_event_champion", "event_registry", "ml_event_champion"),
    ],
)
def test_rollback_puts_the_previous_champion_back_in_registry_and_table(
    lake: Lake, name: str, key: str, table: str
) -> None:
    registry = Registry(V2, V1)
    job = definitions(lake=lake, **{key: registry}).resolve_job_def(name)
    result = job.execute_in_process()
    assert result.success and registry.champion() == V1
    assert lake.tables() == [table]
    [row] = lake.read(table).to_dicts()
    assert (row["version"], row["previous_version"], row["refused_version"]) == ("1", "2", "2")
    assert "rolled back" in row["refused_reason"]
    assert materialised(result) == {table}


def test_rollback_without_a_previous_champion_fails_with_the_reason_and_moves_nothing(lake: Lake) -> None:
    registry = Registry(V2, None)
    job = definitions(registry=registry, lake=lake).resolve_job_def("rollback_champion")
    result = job.execute_in_process(raise_on_error=False)
    assert not result.success and registry.champion() == V2 and lake.tables() == []
    [failure] = result.get_step_failure_events()
    assert "no champion before" in str(failure.step_failure_data.user_failure_data)
