"""The scoring assets on real Ray Data: deterministic, complete, nothing lost in silence, nothing done twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tiny_vetter import koi_diagnostics, koi_signals, tiny_vetter

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.evaluation.contracts import ML_VETTER_CHAMPION
from exo_assets.features.from_light_curves import with_diagnostics
from exo_assets.features.signal_contracts import FEAT_SIGNAL_DIAGNOSTICS, FEAT_VIEW_INDEX
from exo_assets.scoring import assets
from exo_assets.scoring.assets import ASSETS
from exo_assets.scoring.batch import score_resilient
from exo_assets.scoring.checks import dispositions_sum_to_one, every_signal_accounted_for, few_signals_lost
from exo_assets.scoring.contracts import (
    JUDGEMENT,
    OUT_SCORES,
    OUT_SCORES_ALL,
    OUT_SCORES_ATTRITION,
    OUT_VIEW_EXPLANATIONS,
)
from exo_assets.scoring.score import judge
from exo_assets.training.model_ref import MODEL_NAME, ModelRef
from exo_resources.lake import Lake
from exo_resources.ray_runtime import RayRuntime
from exo_resources.signal_views import SignalViews

ROWS = 1200
CHECKS = [every_signal_accounted_for, few_signals_lost, dispositions_sum_to_one]
"""Those of the catalogue's signals; found ones have a test of their own."""


class _Folder:
    """A registry whose one model is in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fetch(self, ref: ModelRef) -> Path:
        assert ref.digest == tiny_vetter().digest
        return self.folder


@pytest.fixture(scope="module")
def ray_runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayRuntime]:
    runtime = RayRuntime(None, tmp_path_factory.mktemp("home"))
    yield runtime
    runtime.shutdown()


@pytest.fixture
def resources(lake: Lake, tmp_path: Path) -> dict[str, Any]:
    tiny_vetter().save(tmp_path / "model")
    signals = koi_signals().head(ROWS)
    # One signal that nothing is known of but where it is.
    blind = [c.name for c in CORE_SIGNALS.columns if c.dtype == pl.Float64 and c.name not in ("ra_deg", "dec_deg")]
    first = pl.int_range(pl.len()) == 0
    signals = signals.with_columns(pl.when(~first).then(pl.col(c)).alias(c) for c in blind)
    lake.write("core_signals", CORE_SIGNALS.conform(signals.sample(fraction=1, shuffle=True, seed=1)))
    lake.write(FEAT_SIGNAL_DIAGNOSTICS.name, FEAT_SIGNAL_DIAGNOSTICS.empty())
    lake.write(FEAT_VIEW_INDEX.name, FEAT_VIEW_INDEX.empty())
    ref = ModelRef(MODEL_NAME, "7", "run", tiny_vetter().digest)
    lake.write("ml_vetter_champion", ML_VETTER_CHAMPION.conform(pl.DataFrame([ref.as_row()])))
    return {
        "lake": lake,
        "registry": _Folder(tmp_path / "model"),
        "ray_runtime": None,
        "signal_views": SignalViews(lake),
    }


def _run(resources: dict[str, Any]) -> dg.ExecuteInProcessResult:
    defined = {k: dg.ResourceDefinition.hardcoded_resource(v) for k, v in resources.items()}
    return dg.materialize([*ASSETS, *CHECKS], resources=defined, raise_on_error=False)


@pytest.mark.ray
def test_every_signal_is_scored_or_accounted_for(
    lake: Lake, resources: dict[str, Any], ray_runtime: RayRuntime
) -> None:
    resources["ray_runtime"] = ray_runtime
    result = _run(resources)
    assert result.success
    assert {e.check_name: e.passed for e in result.get_asset_check_evaluations()} == {
        "contract": True,
        "every_signal_accounted_for": True,
        "few_signals_lost": True,
        "dispositions_sum_to_one": True,
    }
    signals, scores = lake.read("core_signals"), lake.read("out_scores")
    lost = lake.read("out_scores_attrition")
    assert lost.select("signal_id", "stage", "reason").rows() == [
        (koi_signals()["signal_id"][0], "input", "no measured quantity")
    ]
    assert scores.height == ROWS - 1
    assert scores["signal_id"].is_sorted()
    # What came back from the cluster is what the model says here.
    here = judge(signals.sort("signal_id"), tiny_vetter()).drop_nulls("probability_planet")
    assert_frame_equal(scores.select(JUDGEMENT), here.select(JUDGEMENT), check_exact=True)
    stored = lake.version("core_signals")
    assert stored is not None
    assert set(scores["data_version"]) == {stored.digest[:16]}
    assert set(scores["model_version"]) == {tiny_vetter().version}

    tables = [c.name for c in (OUT_SCORES_ALL, OUT_SCORES, OUT_SCORES_ATTRITION, OUT_VIEW_EXPLANATIONS)]
    before = {name: lake.version(name) for name in tables}
    again = _run(resources)
    events = again.get_asset_materialization_events()
    assert len(events) == len(tables)
    assert not any(e.step_materialization_data.materialization.metadata["recomputed"].value for e in events)
    assert {name: lake.version(name) for name in tables} == before


def test_light_curves_are_scored_with(
    lake: Lake, resources: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeing = tiny_vetter(sees_curves=True)
    seeing.save(tmp_path / "seeing")
    monkeypatch.setattr(resources["registry"], "fetch", lambda _ref: tmp_path / "seeing")
    monkeypatch.setattr(assets, "in_batches", lambda features, *_: score_resilient(features, seeing))
    lake.write(FEAT_SIGNAL_DIAGNOSTICS.name, koi_diagnostics())
    assert _run(resources).success
    signals = lake.read("core_signals").sort("signal_id")
    here = judge(with_diagnostics(signals, koi_diagnostics()), seeing).drop_nulls("probability_planet")
    assert_frame_equal(lake.read("out_scores").select(JUDGEMENT), here.select(JUDGEMENT), check_exact=True)
    assert not here.equals(judge(signals, seeing).drop_nulls("probability_planet"))


def test_a_check_notices_what_is_lost(lake: Lake, resources: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "in_batches", lambda features, *_: score_resilient(features, tiny_vetter()))
    assert _run(resources).success
    scores, lost = lake.read("out_scores"), lake.read("out_scores_attrition")
    lake.write("out_scores", scores[:-20].with_columns(disposition_confirmed=pl.lit(0.5)))
    lake.write(
        "out_scores_attrition",
        pl.concat([lost, *(lost.with_columns(signal_id=pl.lit(f"x{i}")) for i in range(20))]),
    )
    defined = {"lake": dg.ResourceDefinition.hardcoded_resource(lake)}
    found = {}
    for check in CHECKS:  # one by one: they block, and so would keep each other from running
        job = dg.Definitions(asset_checks=[check], resources=defined).resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(raise_on_error=False)
        found |= {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert found == {
        "every_signal_accounted_for": False,
        "few_signals_lost": False,
        "dispositions_sum_to_one": False,
    }


def test_a_model_that_fails_on_everything_fails_the_asset(
    lake: Lake, resources: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def useless(features: pl.DataFrame, *_: object) -> pl.DataFrame:
        names = [c.name for c in OUT_SCORES_ALL.columns if c.name in JUDGEMENT]
        return features.select("signal_id", *(pl.lit(None).alias(n) for n in names), reason=pl.lit("broken"))

    monkeypatch.setattr(assets, "in_batches", useless)
    result = _run(resources)
    assert not result.success
    assert lake.version("out_scores_all") is None
    assert "scored not one of" in str(result.failure_data_for_node("out_scores_all"))
