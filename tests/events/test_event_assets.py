"""The assets of events: with the table, and without it."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import dagster as dg
import polars as pl
import pytest

from exo_assets.archive.contracts import CUMULATIVE, DR25_KOI, DR25_TCE
from exo_assets.events.assets import ASSETS
from exo_assets.events.contracts import CONTRACTS
from exo_assets.training.vetter_training import serial
from exo_resources.lake import Lake
from tests.events.conftest import SMALL
from tests.events.synthetic_events import raw_events, raw_kois

PICTURE = "recall at 99 % precision"


def _run(lake: Lake) -> dg.ExecuteInProcessResult:
    resources = {
        "lake": lake,
        "settings": SimpleNamespace(profile="fast", seed=3),
        "ray_runtime": SimpleNamespace(map=serial),
    }
    result = dg.materialize(ASSETS, resources=resources)
    assert result.success
    return result


def _tables(lake: Lake) -> dict[str, pl.DataFrame]:
    return {contract.name: lake.read(contract.name) for contract in CONTRACTS}


def _shown(result: dg.ExecuteInProcessResult) -> Mapping[str, dg.MetadataValue]:  # type: ignore[type-arg]
    return result.asset_materializations_for_node("ml_event_metrics")[0].metadata


def _write(lake: Lake, raw: pl.DataFrame) -> None:
    lake.write(DR25_TCE.name, raw)
    lake.write(DR25_KOI.name, raw_kois(raw) if raw.height else DR25_KOI.empty())
    lake.write(CUMULATIVE.name, CUMULATIVE.empty())


def test_without_the_archives_table_everything_is_empty_and_says_why(lake: Lake) -> None:
    _write(lake, DR25_TCE.empty())
    result, tables = _run(lake), _tables(lake)
    assert PICTURE not in _shown(result)
    assert {name: frame.height for name, frame in tables.items()} == dict.fromkeys(tables, 0)
    notes = {name: lake.version(name).notes for name in tables}  # type: ignore[union-attr]
    assert all("why_empty" in n for n in notes.values())


def test_with_it_there_are_scores_and_figures(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exo_assets.events.settings.event_settings", lambda *_: SMALL)
    raw = raw_events(700)
    _write(lake, raw)
    result, tables = _run(lake), _tables(lake)
    assert _shown(result)[PICTURE].value.startswith("![recall](data:image/png;base64,")  # type: ignore[union-attr]
    assert tables["core_events"].height == tables["out_event_scores"].height == 700
    papers = tables["ml_event_metrics"].filter(split="published")
    assert dict(papers.select("model", "value").iter_rows()) == {"exominer_2022": 0.936, "best_before_exominer": 0.763}
    assert set(tables["ml_event_metrics"].filter(model="event_vetter")["labels"]) == {"join"}
    first = lake.version("ml_event_predictions").notes["model"]  # type: ignore[union-attr]
    kept = lake.keys("events/vetter")
    assert kept and all(first in key for key in kept)
    _write(lake, raw_events(650, seed=5))
    _run(lake)
    again = lake.keys("events/vetter")
    assert len(again) == len(kept) and not any(first in key for key in again), "the old model is not left behind"
