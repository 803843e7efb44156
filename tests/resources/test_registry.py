"""The model registry on a real SQLite store."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from exo_assets.features.tabular import count_signals
from exo_assets.features.transformer import SignalTransformer
from exo_assets.training.blend import Blend
from exo_assets.training.calibration import Calibrator
from exo_assets.training.conformal import SetLimits
from exo_assets.training.model_ref import MODEL_NAME, ModelRef
from exo_assets.training.settings import TrainingSettings
from exo_assets.training.splits import assign_folds
from exo_assets.training.vetter import LAYOUTS, Expert, Vetter
from exo_assets.training.vetter_training import Data, Task, fit_task, prepare
from exo_resources.registry import ModelCorruptError, ModelMissingError, ModelRegistry, RegistryError
from tests.features.synthetic import catalogue

TINY = TrainingSettings(planet_rounds=3, archive_rounds=3)


@pytest.fixture(scope="module")
def signals() -> pl.DataFrame:
    made = catalogue(150, missions=("tess",))
    return made.join(assign_folds(made, 2), on="star_id").sort("signal_id")


def vetter(signals: pl.DataFrame, seed: int) -> Vetter:
    transformer, data = prepare(signals, count_signals(signals), TINY)
    texts = {head: _fit(data, head, seed) for head in ("planet", "archive")}
    calibration = {layout: Calibrator("identity") for layout in LAYOUTS}
    expert = Expert(
        planet=(texts["planet"],),
        archive=(texts["archive"],),
        blend=dict.fromkeys(LAYOUTS, Blend()),
        calibration=calibration,
        archive_blend=Blend(),
        low=0.2,
        high=0.8,
        limits=SetLimits(),
    )
    assert isinstance(transformer, SignalTransformer)
    return Vetter(transformer, {"tess": expert}, "tess", {"seed": seed})


def _fit(data: Data, head: str, seed: int) -> str:
    return fit_task(data, Task(head, "tess", 0.0, None, seed, 3, TINY.planet)).model


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> ModelRegistry:
    home = tmp_path_factory.mktemp("a home with spaces") / "mlflow"
    return ModelRegistry(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")


def log(registry: ModelRegistry, made: Vetter, folder: Path) -> ModelRef:
    made.save(folder)
    return registry.log_candidate(
        folder,
        made.digest,
        params={"seed": made.facts["seed"], "bags": 1},
        metrics={"oof_tess_roc_auc": 0.9 + made.facts["seed"] / 100},
        tags={"data_digest": "abc"},
        plots={"roc.png": b"\x89PNG"},
    )


@pytest.fixture(scope="module")
def models(signals: pl.DataFrame) -> tuple[Vetter, Vetter]:
    return vetter(signals, 1), vetter(signals, 2)


@pytest.fixture(scope="module")
def refs(
    registry: ModelRegistry, models: tuple[Vetter, Vetter], tmp_path_factory: pytest.TempPathFactory
) -> tuple[ModelRef, ModelRef]:
    assert registry.champion() is None and registry.previous() is None and registry.find("x") is None
    assert not Path(registry.url.removeprefix("sqlite:///")).exists(), "reading must not make a store"
    folder = tmp_path_factory.mktemp("models")
    return log(registry, models[0], folder / "one"), log(registry, models[1], folder / "two")


def test_versions_are_logged_with_what_made_them(
    registry: ModelRegistry, refs: tuple[ModelRef, ModelRef], models: tuple[Vetter, Vetter]
) -> None:
    one, two = refs
    assert (one.name, one.version, two.version) == (MODEL_NAME, "1", "2")
    assert (one.digest, two.digest) == (models[0].digest, models[1].digest)
    assert registry.metrics(two) == {"oof_tess_roc_auc": pytest.approx(0.92)}
    assert registry.find(two.digest) == two


def test_the_same_model_is_not_registered_twice(
    registry: ModelRegistry, refs: tuple[ModelRef, ModelRef], models: tuple[Vetter, Vetter], tmp_path: Path
) -> None:
    assert log(registry, models[0], tmp_path / "again") == refs[0]


def test_a_training_whose_model_is_kept_elsewhere_is_a_run_of_its_own_experiment(registry: ModelRegistry) -> None:
    said = {"params": {"way": "lora"}, "metrics": {"cosine_min": 0.5}, "tags": {"folder": "corpus/models/x"}}
    run_id = registry.log_training("exo-embedder", "d" * 64, **said, series=[("loss", 2.0, 1), ("loss", 1.0, 2)])
    run = registry._client.get_run(run_id)
    assert run.info.status == "FINISHED" and run.data.tags["digest"] == "d" * 64
    assert run.data.params == {"way": "lora"} and run.data.metrics == {"cosine_min": 0.5, "loss": 1.0}
    assert registry._client.get_experiment(run.info.experiment_id).name == "exo-embedder"
    assert registry.find("d" * 64) is None, "it is no vetter"


def test_fetched_files_are_the_model(
    registry: ModelRegistry, refs: tuple[ModelRef, ModelRef], models: tuple[Vetter, Vetter], signals: pl.DataFrame
) -> None:
    loaded = Vetter.load(registry.fetch(refs[0]))
    assert loaded.score(signals).equals(models[0].score(signals))


def test_mlflow_can_load_and_score_it(
    registry: ModelRegistry, refs: tuple[ModelRef, ModelRef], models: tuple[Vetter, Vetter], signals: pl.DataFrame
) -> None:
    import mlflow

    mlflow.set_tracking_uri(registry.url)
    mlflow.set_registry_uri(registry.url)
    model = mlflow.pyfunc.load_model(f"models:/{MODEL_NAME}/{refs[0].version}")
    assert model.metadata.signature is not None
    some = signals.head(5).select("signal_id", "mission", "mission_star_id", "period_days", "depth_ppm", "radius_earth")
    answer = model.predict(some.to_pandas())
    assert answer["probability_planet"].tolist() == models[0].score(some)["probability_planet"].to_list()
    assert "contribution" in answer["reasons"][0]


def test_promotion_moves_previous_and_can_be_repeated(registry: ModelRegistry, refs: tuple[ModelRef, ModelRef]) -> None:
    one, two = refs
    registry.promote(one)
    assert (registry.champion(), registry.previous()) == (one, None)
    with pytest.raises(ModelMissingError, match="no previous"):
        registry.rollback()
    registry.promote(two)
    registry.promote(two)
    assert (registry.champion(), registry.previous()) == (two, one)
    assert registry.rollback() == one
    assert (registry.champion(), registry.previous()) == (one, two)


def test_a_promotion_that_was_killed_half_way_can_be_finished(
    registry: ModelRegistry, refs: tuple[ModelRef, ModelRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = refs
    registry.promote(one)
    client = registry._client
    real = client.set_registered_model_alias
    calls: list[str] = []

    def dies(name: str, alias: str, version: str) -> None:
        calls.append(alias)
        if alias == "champion":
            raise KeyboardInterrupt
        real(name, alias, version)

    monkeypatch.setattr(client, "set_registered_model_alias", dies)
    with pytest.raises(KeyboardInterrupt):
        registry.promote(two)
    assert calls == ["previous", "champion"] and registry.champion() == one
    monkeypatch.undo()
    registry.promote(two)
    assert (registry.champion(), registry.previous()) == (two, one)


def test_damaged_and_missing_files_are_named_and_never_promoted(
    registry: ModelRegistry, refs: tuple[ModelRef, ModelRef], signals: pl.DataFrame, tmp_path: Path
) -> None:
    ref = log(registry, vetter(signals, 3), tmp_path / "three")
    champion = registry.champion()
    folder = registry.fetch(ref)
    (folder / "planet_tess_0.txt").write_text("tampered")
    with pytest.raises(ModelCorruptError, match=r"exo-vetter v3 .* changed or damaged"):
        registry.promote(ref)
    shutil.rmtree(folder)
    with pytest.raises(ModelMissingError, match=r"files of exo-vetter v3 .* are gone"):
        registry.fetch(ref)
    with pytest.raises(ModelMissingError, match="not in the model registry"):
        registry.fetch(ModelRef(MODEL_NAME, "99", "r", "d"))
    assert registry.champion() == champion


def test_asking_makes_no_registry(tmp_path: Path) -> None:
    absent = ModelRegistry(f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}", tmp_path / "mlflow" / "artifacts")
    with pytest.raises(ModelMissingError, match="there is no model registry at sqlite"):
        absent.fetch(ModelRef(MODEL_NAME, "1", "r", "d"))
    assert (absent.champion(), absent.find("d"), list(tmp_path.iterdir())) == (None, None, [])


@pytest.mark.parametrize("content", [b"garbage" * 100, b"\0" * 4096])
def test_a_store_that_was_overwritten_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mlflow.db").write_bytes(content)
    with pytest.raises(RegistryError, match=r"mlflow.db is no SQLite database"):
        ModelRegistry(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts").champion()
    assert (tmp_path / "mlflow.db").read_bytes() == content


def test_a_failed_upload_leaves_no_version(
    registry: ModelRegistry, refs: tuple[ModelRef, ModelRef], tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        registry.log_candidate(tmp_path / "nowhere", "deadbeef", params={}, metrics={}, tags={}, plots={})
    assert registry.find("deadbeef") is None


def test_a_copied_home_reads_and_writes_its_own_files(
    registry: ModelRegistry, models: tuple[Vetter, Vetter], refs: tuple[ModelRef, ModelRef], tmp_path: Path
) -> None:
    shutil.copytree(registry.artifacts.parent, tmp_path / "copy")
    copied = ModelRegistry(f"sqlite:///{tmp_path / 'copy' / 'mlflow.db'}", tmp_path / "copy" / "artifacts")
    before = sorted(registry.artifacts.iterdir())
    assert copied.fetch(refs[0]).is_relative_to(tmp_path / "copy")
    made = replace(models[0], facts={"seed": 3})
    ref = log(copied, made, tmp_path / "three")
    assert copied.fetch(ref).is_relative_to(tmp_path / "copy")
    assert sorted(registry.artifacts.iterdir()) == before
