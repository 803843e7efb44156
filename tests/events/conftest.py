"""Synthetic events, harmonised once, and a vetter trained on them."""

from __future__ import annotations

import polars as pl
import pytest

from exo_assets.archive.contracts import CUMULATIVE
from exo_assets.events.core import core_events
from exo_assets.events.features import build_features
from exo_assets.events.settings import EventSettings
from exo_assets.events.training import Trained, train_events
from tests.events.synthetic_events import raw_events, raw_kois

SMALL = EventSettings(7, folds=3, rounds=12, plain_rounds=8, published_folds=True)


@pytest.fixture(scope="session")
def events() -> pl.DataFrame:
    raw = raw_events(900, labelled=True)
    return core_events(raw, raw_kois(raw), CUMULATIVE.empty())[0]


@pytest.fixture(scope="session")
def features(events: pl.DataFrame) -> pl.DataFrame:
    return build_features(events)


@pytest.fixture(scope="session")
def trained(events: pl.DataFrame, features: pl.DataFrame) -> Trained:
    return train_events(events, features, SMALL)
