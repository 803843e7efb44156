"""The assets of events: with the table, and without it; gates, champion and rollback on a real registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import mlflow
import polars as pl
import pytest

from exo_assets.archive.contracts import CUMULATIVE, DR25_KOI, DR25_TCE
from exo_assets.evaluation.champion import roll_back
from exo_assets.events.assets import ASSETS
from exo_assets.events.checks import CHECKS
from exo_assets.events.contracts import CONTRACTS
from exo_assets.events.gates import EVENT_GATES
from exo_assets.training.vetter_training import serial
from exo_resources.lake import Lake
from exo_resources.registry import EVENTS, ModelRegistry
from tests.events.conftest import SMALL
from tests.events.synthetic_events import raw_events, raw_kois

PICTURE = "recall at 99 % precision"


@pytest.fixture(scope="module")
def mlflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of MLflow that is made once: making one takes many seconds."""
    return tmp_path_factory.mktemp("mlflow")


class World:
    """A lake, a registry, and what a run of all assets of events did to them."""

    def __init__(self, lake: Lake, registry: ModelRegistry) -> None:
        self.lake, self.registry = lake, registry

    def write(self, raw: pl.DataFrame) -> None:
        self.lake.write(DR25_TCE.name, raw)
        self.lake.write(DR25_KOI.name, raw_kois(raw) if raw.height else DR25_KOI.empty())
        self.lake.write(CUMULATIVE.name, CUMULATIVE.empty())

    def run(self, seed: int = 3) -> dg.ExecuteInProcessResult:
        resources = {
            "lake": self.lake,
            "settings": SimpleNamespace(profile="fast", seed=seed),
            "ray_runtime": SimpleNamespace(map=serial),
            "event_registry": self.registry,
        }
        result = dg.materialize([*ASSETS, *CHECKS], resources=resources)
        assert result.success
        return result

    def tables(self) -> dict[str, pl.DataFrame]:
        return {contract.name: self.lake.read(contract.name) for contract in CONTRACTS}


@pytest.fixture
def world(lake: Lake, mlflow_home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> World:
    """A world of its own: the store is shared, the kind of model has the test's name."""
    monkeypatch.setattr(
        "exo_assets.events.settings.event_settings", lambda _, seed: SMALL.__class__(seed, 3, rounds=12)
    )
    from dataclasses import replace

    kind = replace(EVENTS, name=f"events-{request.node.name[:40]}")
    return World(lake, ModelRegistry(f"sqlite:///{mlflow_home / 'mlflow.db'}", mlflow_home / "artifacts", kind))


@pytest.fixture
def easy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gates whose floors a small model of synthetic events reaches; the others are as they are."""
    floors = {
        "floor_average_precision": 0.5,
        "floor_recall_at_precision_99": 0.0,
        "enough_test_events": 10,
        "not_worse_than_champion": -1.0,
    }
    gates = tuple(
        replace(g, lowest=floors[g.name]) if g.name in floors else replace(g, highest=1.0) if "ece" in g.name else g
        for g in EVENT_GATES
    )
    monkeypatch.setattr("exo_assets.events.gates.EVENT_GATES", gates)


def _shown(result: dg.ExecuteInProcessResult) -> Mapping[str, dg.MetadataValue]:  # type: ignore[type-arg]
    return result.asset_materializations_for_node("ml_event_metrics")[0].metadata


def test_without_the_archives_table_everything_is_empty_and_says_why(world: World) -> None:
    world.write(DR25_TCE.empty())
    result, tables = world.run(), world.tables()
    assert PICTURE not in _shown(result)
    assert {name: frame.height for name, frame in tables.items()} == dict.fromkeys(tables, 0)
    notes = {name: world.lake.version(name).notes for name in tables}  # type: ignore[union-attr]
    assert [name for name, n in notes.items() if "why_empty" not in n] == []


def test_a_candidate_that_is_no_better_than_asked_for_is_not_promoted_and_the_run_goes_on(world: World) -> None:
    world.write(raw_events(300))
    result, tables = world.run(), world.tables()
    failed = set(tables["ml_event_gates"].filter(status="failed")["gate"])
    assert "floor_average_precision" in failed and failed <= {g.name for g in EVENT_GATES if not g.fail}
    assert tables["ml_event_champion"].is_empty() and tables["out_event_scores"].is_empty()
    assert world.registry.champion() is None
    shown = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert not shown["floor_average_precision"].passed
    assert shown["floor_average_precision"].severity == dg.AssetCheckSeverity.WARN
    assert shown["labels_change_nothing"].passed and shown["explanations_add_up"].passed


@pytest.mark.usefixtures("easy")
def test_a_champion_scores_and_gives_way_to_the_one_before(world: World) -> None:
    world.write(raw_events(700))
    result, tables = world.run(), world.tables()
    assert _shown(result)[PICTURE].value.startswith("![recall](data:image/png;base64,")  # type: ignore[union-attr]
    assert tables["core_events"].height == tables["out_event_scores"].height == 700
    papers = tables["ml_event_metrics"].filter(split="published")
    assert dict(papers.select("model", "value").iter_rows()) == {"exominer_2022": 0.936, "best_before_exominer": 0.763}
    assert set(tables["ml_event_gates"]["status"]) == {"passed", "not_applicable"}
    first = world.registry.champion()
    assert first is not None and tables["ml_event_champion"]["digest"].to_list() == [first.digest]
    assert set(tables["out_event_scores"]["model_digest"]) == {first.digest}

    again = world.run()
    kept = {
        e.asset_key.to_user_string(): e.materialization.metadata["recomputed"].value
        for e in again.get_asset_materialization_events()
        if e.asset_key
    }
    assert kept and not any(kept.values()), "nothing changed, nothing is recomputed"

    world.run(seed=4)
    second = world.registry.champion()
    assert second is not None and second.digest != first.digest and world.registry.previous() == first
    gate = world.lake.read("ml_event_gates").filter(gate="not_worse_than_champion").row(0, named=True)
    assert gate["status"] == "passed" and gate["compared_with_digest"] == first.digest
    assert all(second.digest in key for key in world.lake.keys("events/training")), "the old one is not left behind"

    assert roll_back(world.registry, world.lake) == first
    world.run(seed=4)
    assert world.registry.champion() == first, "the model that was withdrawn is not promoted again"
    assert set(world.lake.read("out_event_scores")["model_digest"]) == {first.digest}
    assert "rolled back at" in world.lake.read("ml_event_champion")["refused_reason"][0]


@pytest.mark.usefixtures("easy")
def test_mlflow_itself_loads_the_champion(world: World) -> None:
    world.write(raw_events(500))
    world.run()
    ref = world.registry.champion()
    assert ref is not None
    mlflow.set_tracking_uri(world.registry.url)
    try:
        model = mlflow.pyfunc.load_model(f"models:/{ref.name}/{ref.version}")
    finally:
        mlflow.set_tracking_uri(None)
    rows = world.lake.read("core_events").head(5)
    said = pl.from_pandas(model.predict(rows.to_pandas()))
    wanted = world.lake.read("out_event_scores").join(rows.select("event"), on="event", how="semi").sort("event")
    assert said.sort("event")["probability_pc"].to_list() == wanted["probability_pc"].to_list()
