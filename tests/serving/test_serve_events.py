"""Threshold-crossing events at the real endpoint: as `exo score` answers, none, bad rows, a champion that moves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from live_endpoint import Live, Load, Model

from exo_assets.events.contracts import CORE_EVENTS, ML_EVENT_CHAMPION
from exo_assets.events.core import core_events
from exo_assets.events.features import build_features
from exo_assets.events.settings import EventSettings
from exo_assets.events.training import train_events
from exo_assets.events.vetter import EventVetter
from exo_assets.scoring.event_files import EVENT_ADDED, NAMELESS, score_events_frame
from exo_assets.serving.assets import serve_events
from exo_assets.training.model_ref import EVENT_MODEL_NAME, ModelRef
from exo_resources.lake import Lake
from tests.events.synthetic_events import raw_events

pytestmark = pytest.mark.ray
CSV = {"content-type": "text/csv"}
RAW = raw_events(900, labelled=True)


def _trained(folder: Path, seed: int) -> tuple[ModelRef, Path, EventVetter]:
    none = pl.DataFrame()
    events = core_events(RAW, none, none)[0]
    plan = EventSettings(seed, folds=3, rounds=12, plain_rounds=8)
    vetter = train_events(events, build_features(events), plan).vetter
    vetter.save(folder)
    return ModelRef(EVENT_MODEL_NAME, str(seed), f"run{seed}", vetter.digest), folder, vetter


class _Registry:
    """Hands out folders by digest."""

    def __init__(self, *models: tuple[ModelRef, Path]) -> None:
        self.paths = {ref.digest: path for ref, path in models}

    def fetch(self, ref: ModelRef) -> Path:
        return self.paths[ref.digest]

    def metrics(self, _: ModelRef) -> dict[str, float]:
        return {"auc": 0.9}

    def logged_at(self, _: ModelRef) -> int:
        return 1


def _serve(live: Live, lake: Lake, first: Model, registry: _Registry, ref: ModelRef) -> dg.ExecuteInProcessResult:
    lake.write("ml_event_champion", ML_EVENT_CHAMPION.conform(pl.DataFrame([ref.as_row()])))
    signals = _Registry((first.ref, first.path))
    found = {"lake": lake, "registry": signals, "event_registry": registry, "serve": live.client}
    defined = {k: dg.ResourceDefinition.hardcoded_resource(v) for k, v in found.items()}
    return dg.materialize([serve_events], resources=defined, raise_on_error=False)


def _object(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def test_events_at_the_endpoint(live: Live, first: Model, lake: Lake, tmp_path: Path) -> None:
    one, two = _trained(tmp_path / "one", 1), _trained(tmp_path / "two", 2)
    assert one[0].digest != two[0].digest
    table = RAW[:30]
    mixed = pl.concat([table, table[:1].with_columns(kepid=pl.lit(None, pl.String))])
    signal = {"mission": "kepler", "period_days": 9.5, "depth_ppm": 616.0}
    with live.http() as http:
        for reply in (
            http.post("/v1/predict_batch", content=table.write_csv().encode(), headers=CSV),
            http.post("/v1/predict", json=_object(table.row(0, named=True))),
        ):
            assert reply.status_code == 503 and "exo run" in reply.json()["remedy"]
        assert http.get("/v1/model").json()["events"] is None
        assert http.post("/v1/predict", json=signal).status_code == 200
        known = CORE_EVENTS.conform(core_events(RAW, pl.DataFrame(), pl.DataFrame())[0])
        lake.write("core_events", known)
        registry = _Registry(one[:2], two[:2])
        try:
            for ref, _, vetter in (one, two, one):
                done = _serve(live, lake, first, registry, ref)
                assert done.success and [e.passed for e in done.get_asset_check_evaluations()] == [True]
                expected = score_events_frame(mixed, vetter, known)
                answer = http.post("/v1/predict_batch", content=mixed.write_csv().encode(), headers=CSV)
                assert answer.status_code == 200 and answer.content == expected.write_csv().encode()
                assert answer.headers["x-exo-model"] == ref.digest
                assert expected["problems"].to_list() == [None] * 30 + [NAMELESS]
                for row, said in zip(table[:3].to_dicts(), expected[:3].select(EVENT_ADDED).to_dicts(), strict=True):
                    single = http.post("/v1/predict", json=_object(row)).json()
                    assert single == {**json.loads(json.dumps(said)), "model": ref.as_row()}
                assert http.get("/v1/model").json()["events"]["digest"] == ref.digest
                assert http.post("/v1/predict", json=signal).json()["model"] == first.ref.as_row()
            row = _object(table.row(0, named=True))
            with Load(live, row) as events, Load(live, signal) as signals:
                for ref in (two[0], one[0]):
                    assert _serve(live, lake, first, registry, ref).success
            assert {status for status, _ in (*events.replies, *signals.replies)} == {200}, "a request was lost"
            assert {digest for _, digest in events.replies} == {one[0].digest, two[0].digest}
            assert {digest for _, digest in signals.replies} == {first.ref.digest}
            paths = http.get("/openapi.json").json()["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
            _, schema = paths["application/json"]["schema"]["anyOf"]
            assert {"kepid", "tce_plnt_num", "tce_period"} <= set(schema["properties"]) & set(RAW.columns)
            assert http.post("/v1/explain", json=row).status_code == 409
            nameless = http.post("/v1/predict", json={k: v for k, v in row.items() if k != "kepid"})
            assert nameless.status_code == 422 and "kepid" in nameless.text
            nested = http.post("/v1/predict", json={**row, "tce_depth": [1]})
            assert nested.status_code == 422 and nested.json()["problems"][0]["field"] == "tce_depth"
            good = live.client.last_good()
            assert good is not None and good.events is not None and good.events.ref == one[0]
            # Files of another model under the second's name: refused, and what was before answers.
            failed = _serve(live, lake, first, _Registry(one[:2], (two[0], one[1])), two[0])
            assert not failed.success and "digest" in str(failed.failure_data_for_node("serve_events"))
            assert http.get("/v1/model").json()["events"]["digest"] == one[0].digest
            assert live.client.status().healthy
        finally:
            live.client.deploy(first.deployed, details={"metrics": {"auc": 0.9}}, timeout_s=120)
            live.client.mark_good(first.deployed)
