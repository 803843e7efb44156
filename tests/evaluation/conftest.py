"""A vetter trained on a small invented catalogue."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from evaluation_data import SMALL, invented_signals, training_rows

from exo_assets.training.model_ref import ModelRef
from exo_assets.training.vetter import Vetter
from exo_assets.training.vetter_training import Trained, train_vetter


@pytest.fixture(scope="session")
def signals() -> pl.DataFrame:
    return invented_signals()


@pytest.fixture(scope="session")
def trained(signals: pl.DataFrame) -> Trained:
    return train_vetter(training_rows(signals), SMALL)


@pytest.fixture(scope="session")
def vetter(trained: Trained) -> Vetter:
    return trained.vetter


@pytest.fixture(scope="session")
def candidate(vetter: Vetter) -> ModelRef:
    return ModelRef("exo-vetter", "2", "run-2", vetter.digest)


@pytest.fixture(scope="session")
def vetter_folder(vetter: Vetter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vetter")
    vetter.save(folder)
    return folder
