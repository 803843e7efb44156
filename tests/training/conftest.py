"""A small trained vetter, made once."""

from __future__ import annotations

import polars as pl
import pytest

from exo_assets.features.tabular import count_signals
from exo_assets.training.settings import TrainingSettings
from exo_assets.training.splits import assign_folds, assign_splits
from exo_assets.training.vetter_training import Trained, train_vetter
from tests.features.synthetic import catalogue

SMALL = TrainingSettings(seed=7, folds=3, planet_rounds=25, archive_rounds=10, selection_rounds=10, bags=2)


@pytest.fixture(scope="session")
def signals() -> pl.DataFrame:
    """Disposed synthetic signals with split and fold."""
    made = catalogue(600)
    made = made.join(assign_splits(made), on="star_id", how="left")
    return made.join(assign_folds(made.filter(split="train"), SMALL.folds), on="star_id", how="left")


@pytest.fixture(scope="session")
def train(signals: pl.DataFrame) -> pl.DataFrame:
    return signals.filter(split="train")


@pytest.fixture(scope="session")
def trained(train: pl.DataFrame, signals: pl.DataFrame) -> Trained:
    return train_vetter(train, SMALL, count_signals(signals))
