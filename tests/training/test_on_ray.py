"""Training on a real Ray and a real MLflow, through the assets."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.features.assets import feat_signals
from exo_assets.features.signal_contracts import FEAT_SIGNAL_DIAGNOSTICS, FEAT_SIMULATED_INDEX, FEAT_VIEW_INDEX
from exo_assets.features.tabular import count_signals
from exo_assets.training import assets
from exo_assets.training.tuning import SPACE
from exo_assets.training.vetter import Vetter
from exo_assets.training.vetter_training import Trained, train_vetter
from exo_resources.lake import Lake
from exo_resources.network_store import NetworkStore
from exo_resources.ray_runtime import RayRuntime
from exo_resources.ray_train import NeuralTraining
from exo_resources.registry import ModelRegistry
from exo_resources.settings import Settings
from exo_resources.signal_views import SignalViews
from tests.training.conftest import SMALL
from tests.training.network_vetter import NEURAL
from tests.training.ray_tasks import add, fails_on_three, parabola, threads

pytestmark = pytest.mark.ray
TABLES = ("feat_signals", "ml_training_set", "ml_training_comparison", "ml_vetter_candidate", "ml_vetter_oof")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayRuntime]:
    made = RayRuntime(None, tmp_path_factory.mktemp("ray"))
    made.ensure()
    made.ensure()  # twice is once
    yield made
    made.shutdown()
    made.shutdown()


def test_tasks_keep_their_order_and_raise_here(runtime: RayRuntime) -> None:
    assert runtime.map(add, 10, list(range(20))) == list(range(10, 30))
    with pytest.raises(ZeroDivisionError, match="task 3"):
        runtime.map(fails_on_three, None, [1, 2, 3])


def test_workers_use_one_thread(runtime: RayRuntime) -> None:
    assert runtime.map(threads, None, [0]) == [("1", "1")]


def test_ray_trains_the_same_vetter_as_this_process(
    runtime: RayRuntime, trained: Trained, train: pl.DataFrame, signals: pl.DataFrame
) -> None:
    on_ray = train_vetter(train, SMALL, count_signals(signals), runtime.map)
    assert on_ray.vetter.digest == trained.vetter.digest


def test_search_is_never_worse_than_its_start(runtime: RayRuntime) -> None:
    space = {"x": (-3.0, 3.0, "uniform"), "n": (1, 5, "int"), "s": (0.01, 10.0, "log")}
    start = {"x": 2.5, "n": 5, "s": 5.0, "unused": 1}
    best, loss = runtime.search(parabola, 1.0, space=space, start=start, trials=6, seed=1)
    assert set(best) == set(space) and loss <= parabola(1.0, start)
    assert loss == pytest.approx(parabola(1.0, best))


def test_the_full_profile_searches_the_planet_head(
    runtime: RayRuntime, train: pl.DataFrame, signals: pl.DataFrame
) -> None:
    plan = replace(SMALL, trials=2, folds=2)
    rows = train.with_columns(pl.col("fold") % 2)
    context = SimpleNamespace(log=logging.getLogger("search"))
    found = assets._searched(rows, count_signals(signals), plan, runtime, context)
    assert replace(found, planet=plan.planet, bags=plan.bags, neural=plan.neural) == plan
    assert found.bags == plan.full_bags and found.neural.members == plan.full_members
    for name, (low, high, _kind) in SPACE.items():
        assert low <= found.planet[name] <= high
    assert found.planet["extra_trees"] is True


def test_from_signals_to_a_registered_candidate(
    runtime: RayRuntime, signals: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(SMALL, folds=2, neural=replace(NEURAL, validation_share=0.25))
    monkeypatch.setattr(assets, "training_settings", lambda _settings: small)
    settings = Settings(home=tmp_path)
    lake = Lake(settings.lake)
    registry = ModelRegistry(settings.mlflow, settings.mlflow_artifacts)
    lake.write("core_signals", CORE_SIGNALS.conform(signals))
    lake.write(FEAT_SIGNAL_DIAGNOSTICS.name, FEAT_SIGNAL_DIAGNOSTICS.empty())
    for table in (FEAT_VIEW_INDEX, FEAT_SIMULATED_INDEX):
        lake.write(table.name, table.empty())
    resources = {
        "lake": lake,
        "settings": settings,
        "registry": registry,
        "ray_runtime": runtime,
        "neural_training": NeuralTraining(runtime, lake, tmp_path),
        "networks": NetworkStore(lake),
        "signal_views": SignalViews(lake),
    }

    def materialise(force: bool = False) -> dict[str, bool]:
        config = {"ops": {t: {"config": {"force": force}} for t in TABLES}}
        result = dg.materialize([feat_signals, *assets.ASSETS], resources=resources, run_config=config)
        events = result.get_asset_materialization_events()
        return {e.asset_key.to_user_string(): bool(_metadata(e)["recomputed"].value) for e in events}

    assert materialise() == dict.fromkeys(TABLES, True)
    assert materialise() == dict.fromkeys(TABLES, False)

    comparison = lake.read("ml_training_comparison")
    assert set(comparison["method"]) == {"plain", "weights", "smote", "logistic"}
    assert comparison["is_kept"].sum() == 1 and comparison.filter("is_kept")["is_usable"].all()
    candidate = lake.read("ml_vetter_candidate")
    ref = registry.find(candidate["digest"][0])
    assert ref is not None and ref.version == "1"
    vetter = Vetter.load(registry.fetch(ref))
    oof, training_set = lake.read("ml_vetter_oof"), lake.read("ml_training_set")
    assert vetter.network is not None and oof["log_odds_network"].null_count() == 0
    test_stars = set(training_set.filter(split="test")["signal_id"])
    assert test_stars and not test_stars & set(oof["signal_id"])
    assert candidate["n_signals"][0] == training_set.filter(split="train").height == vetter.facts["signals"]
    plots = {p.name for p in settings.mlflow_artifacts.glob("*/artifacts/plots/*.png")}
    assert plots == {"precision_recall_and_roc.png", "reliability.png", "confusion.png", "contributions.png"}

    materialise(force=True)
    assert lake.read("ml_vetter_candidate").equals(candidate), "the same model is not registered twice"

    # Its networks are there to go on from.
    registry.promote(ref)
    resources["settings"] = Settings(home=tmp_path, retrain="ewc")
    materialise()
    again = Vetter.load(registry.fetch(registry.find(lake.read("ml_vetter_candidate")["digest"][0])))
    assert again.network is not None and vetter.network is not None and again.digest != vetter.digest
    assert np.array_equal(again.network.start().scaler.knots, vetter.network.start().scaler.knots)
    assert len({key.split("/")[2] for key in lake.keys("training/networks")}) == 2


def _metadata(event: Any) -> Any:
    return event.step_materialization_data.materialization.metadata
