"""One endpoint for all tests of serving: starting it costs half a minute."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live_endpoint import Live, Model
from seeing_vetter import seeing_vetter
from tiny_vetter import tiny_vetter

from exo_assets.training.model_ref import MODEL_NAME, ModelRef
from exo_resources.serve_client import ServeClient
from exo_resources.settings import Settings
from tests.ports import free_port


def _model(folder: Path, version: int) -> Model:
    vetter = tiny_vetter(version)
    vetter.save(folder)
    return Model(ModelRef(MODEL_NAME, str(version), f"run{version}", vetter.digest), folder, vetter)


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return _model(tmp_path_factory.mktemp("first"), 1)


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory) -> Model:
    model = _model(tmp_path_factory.mktemp("second"), 2)
    assert model.vetter.digest != tiny_vetter(1).digest
    return model


@pytest.fixture(scope="session")
def third(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The one that sees light curves."""
    folder, vetter = tmp_path_factory.mktemp("third"), seeing_vetter()
    vetter.save(folder)
    return Model(ModelRef(MODEL_NAME, "3", "run3", vetter.digest), folder, vetter)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, first: Model) -> Iterator[Live]:
    """The endpoint with the first model on it; the session's processes are gone afterwards."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), serve_port=free_port())
    client = ServeClient(settings)
    try:
        client.deploy(first.deployed, details={"metrics": {"auc": 0.9}}, timeout_s=400)
        client.mark_good(first.deployed)
        yield Live(client, settings)
    finally:
        client.stop()
