"""The asset out_view_explanations: who is explained, what is recorded of failures, and why it is empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
from seeing_vetter import WEIGHT, seeing_vetter
from tiny_vetter import koi_diagnostics, koi_signals, tiny_vetter

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.evaluation.contracts import ML_VETTER_CHAMPION
from exo_assets.features.from_light_curves import with_diagnostics
from exo_assets.features.seen_views import SEEN_VIEWS, VIEW_BINS
from exo_assets.features.signal_contracts import FEAT_SIGNAL_DIAGNOSTICS, FEAT_VIEW_INDEX
from exo_assets.features.view_arrays import array_key, npy_bytes
from exo_assets.scoring import view_explanations
from exo_assets.scoring.assets import PICTURES, out_view_explanations
from exo_assets.scoring.batch import model_files, to_arrow
from exo_assets.scoring.score import prepare
from exo_assets.scoring.view_explanations import RESULT, explain_batch, explain_resilient, pictures
from exo_assets.scoring.view_page import page_of
from exo_assets.training.model_ref import MODEL_NAME, ModelRef
from exo_assets.training.vetter import Vetter
from exo_assets.training.view_reasons import ViewReasons
from exo_resources.lake import Lake
from exo_resources.signal_views import SignalViews

DIGEST = "d1"


def _catalogue() -> pl.DataFrame:
    """A few signals of each disposition; one without, a candidate of TESS, and one of which nothing is known."""
    parts = [koi_signals().filter(disposition=d).head(4) for d in ("CONFIRMED", "CANDIDATE", "FALSE POSITIVE")]
    rows = pl.concat(parts).with_row_index("n")
    kind, n = pl.col("disposition"), pl.col("n")
    rows = rows.with_columns(
        disposition=pl.when(n != 0).then(kind),
        mission=pl.when(n == 4).then(pl.lit("tess")).otherwise(pl.col("mission")),
    )
    blind = [c.name for c in CORE_SIGNALS.columns if c.dtype == pl.Float64 and c.name not in ("ra_deg", "dec_deg")]
    rows = rows.with_columns(pl.when(n != 5).then(pl.col(c)).alias(c) for c in blind)
    return CORE_SIGNALS.conform(rows)


@pytest.fixture
def resources(lake: Lake, tmp_path: Path) -> dict[str, Any]:
    signals = _catalogue()
    lake.write("core_signals", signals.sample(fraction=1, shuffle=True, seed=2))
    lake.write(FEAT_SIGNAL_DIAGNOSTICS.name, koi_diagnostics())
    # All but the last have views.
    index = signals.head(-1).select("signal_id", "star_id", "mission").with_row_index("row")
    lake.write(FEAT_VIEW_INDEX.name, FEAT_VIEW_INDEX.conform(index.with_columns(digest=pl.lit(DIGEST))))
    for number, (name, bins) in enumerate(VIEW_BINS.items()):
        noise = np.random.default_rng(number).normal(0, 0.4, (index.height, bins))
        lake.put(array_key(DIGEST, name), npy_bytes(noise.astype(np.float32)))

    class Here:
        """A registry whose model is `model`, and tasks that are done at once."""

        model: Vetter = seeing_vetter()

        def fetch(self, _: ModelRef) -> Path:
            self.model.save(tmp_path / self.model.version)
            return tmp_path / self.model.version

        def map(self, function: Any, shared: Any, tasks: Any) -> list[Any]:
            return [function(shared, task) for task in tasks]

    here = Here()
    ref = ModelRef(MODEL_NAME, "7", "run", here.model.digest)
    lake.write("ml_vetter_champion", ML_VETTER_CHAMPION.conform(pl.DataFrame([ref.as_row()])))
    return {"lake": lake, "registry": here, "ray_runtime": here, "signal_views": SignalViews(lake)}


def _made(resources: dict[str, Any]) -> dict[str, Any]:
    defined = {k: dg.ResourceDefinition.hardcoded_resource(v) for k, v in resources.items()}
    result = dg.materialize([out_view_explanations], resources=defined, raise_on_error=False)
    assert result.success, result.failure_data_for_node("out_view_explanations")
    (event,) = result.get_asset_materialization_events()
    return {k: v.value for k, v in event.step_materialization_data.materialization.metadata.items()}


def test_signals_that_are_not_resolved_are_explained_view_by_view(lake: Lake, resources: dict[str, Any]) -> None:
    said = _made(resources)
    rows, names = lake.read("out_view_explanations"), _catalogue()["signal_id"]
    # No disposition, and two candidates of Kepler's that something is known of.
    asked = {names[0], names[6], names[7]}
    explained = rows.filter(pl.col("reason").is_null())
    assert set(explained["signal_id"]) == asked and said["explained"] == 3
    assert explained.group_by("signal_id").agg(pl.col("view").sort())["view"].to_list() == [sorted(SEEN_VIEWS)] * 3
    assert set(explained["network_weight"]) == {WEIGHT} and set(rows["model_version"]) == {seeing_vetter().version}
    (lost,) = rows.filter(pl.col("reason").is_not_null()).to_dicts()
    assert (lost["signal_id"], lost["reason"], lost["view"]) == (names[5], "no measured quantity", None)
    assert said["lost"] == 1 and said["dagster/row_count"] == 3 * 5 + 1 and "tess" in said["unseen"]
    shown = [name for name in asked if name in said]
    assert len(shown) == min(PICTURES, 3) and said[shown[0]].startswith(f"![{shown[0]}](data:image/png;base64,")

    # What is stored is what the vetter says of the whole catalogue.
    signals = lake.read("core_signals").sort("signal_id")
    seen = resources["signal_views"].beside(
        with_diagnostics(signals, koi_diagnostics()), lake.read(FEAT_VIEW_INDEX.name)
    )
    prepared = prepare(seen, seeing_vetter())
    found = dict(zip(prepared.features["signal_id"], seeing_vetter().occlude_features(prepared.features), strict=True))
    one = explained.filter(view="odd_view").row(0, named=True)
    here = found[str(signals["signal_id"].to_list().index(one["signal_id"]))]
    assert here is not None and one["log_odds_network"] == pytest.approx(here.log_odds_network, abs=1e-5)
    assert np.allclose(one["effect"], here.occlusions["odd_view"].effect, atol=1e-5)
    assert one["centre"] == here.occlusions["odd_view"].centre.tolist()


def test_a_champion_that_sees_no_views_leaves_it_empty_and_says_why(lake: Lake, resources: dict[str, Any]) -> None:
    resources["registry"].model = tiny_vetter()
    said = _made(resources)
    assert lake.read("out_view_explanations").is_empty() and "no network" in said["empty_because"]


def test_without_views_it_is_empty_and_says_why(lake: Lake, resources: dict[str, Any]) -> None:
    lake.write(FEAT_VIEW_INDEX.name, FEAT_VIEW_INDEX.empty())
    assert "not resolved has views" in _made(resources)["empty_because"]
    assert lake.read("out_view_explanations").is_empty()


@pytest.fixture(scope="module")
def features() -> pl.DataFrame:
    """Features of three signals with views."""
    rng = np.random.default_rng(1)
    rows = with_diagnostics(koi_signals(), koi_diagnostics()).head(3)
    views = [np.concatenate([rng.normal(0, 0.4, b) for b in VIEW_BINS.values()]).tolist() for _ in range(3)]
    return prepare(rows.with_columns(pl.Series("views", views, pl.List(pl.Float32))), seeing_vetter()).features


class _Picky:
    """As the vetter, but it fails on one signal, and says nonsense of another."""

    def __getattr__(self, name: str) -> Any:
        return getattr(seeing_vetter(), name)

    def occlude_features(self, features: pl.DataFrame) -> Any:
        if "1" in features["signal_id"]:
            raise RuntimeError("cannot explain 1")
        found = seeing_vetter().occlude_features(features)
        if "2" in features["signal_id"]:
            assert found[0] is not None
            found[0].occlusions["odd_view"].effect[3] = np.nan
        return found


def test_a_signal_that_fails_is_a_row_with_the_reason(features: pl.DataFrame) -> None:
    rows = explain_resilient(features, _Picky())  # type: ignore[arg-type]
    assert rows.schema == RESULT and rows.filter(pl.col("reason").is_null())["signal_id"].unique().to_list() == ["0"]
    assert dict(rows.drop_nulls("reason").select("signal_id", "reason").iter_rows()) == {
        "1": "RuntimeError: cannot explain 1",
        "2": "ValueError: the model's answer is not a number",
    }


def test_a_batch_travels_and_its_strongest_are_drawn(
    features: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeing_vetter().save(tmp_path)
    rows = explain_batch(model_files(tmp_path), to_arrow(features))
    assert rows.equals(explain_resilient(features, seeing_vetter()))
    titles: list[str] = []

    def titled(found: ViewReasons, title: str) -> bytes:
        titles.append(title)
        return page_of(found, title)

    monkeypatch.setattr(view_explanations, "page_of", titled)
    drawn = pictures(rows, features, {n: f"K{n}" for n in features["signal_id"]}, 2)
    most = {f"K{n}": max(abs(e) for v in g["effect"] for e in v) for (n,), g in rows.group_by("signal_id")}
    assert list(drawn) == titles == sorted(most, key=lambda n: -most[n])[:2]
    assert all(png.startswith(b"\x89PNG") for png in drawn.values())
