"""`out_found_scores` from the tables of a night: whole, labelled, ranked, and not judged again without need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tiny_vetter import koi_diagnostics, koi_signals, tiny_vetter

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.evaluation.contracts import ML_VETTER_CHAMPION
from exo_assets.features.from_light_curves import with_diagnostics
from exo_assets.features.signal_contracts import FEAT_SIGNAL_DIAGNOSTICS, FEAT_VIEW_INDEX
from exo_assets.lightcurves.contracts import RAW_MAST__LIGHT_CURVES, RAW_USER__LIGHT_CURVES
from exo_assets.lightcurves.star_contracts import CORE_FOUND_SIGNALS, CORE_SEARCHED_STARS
from exo_assets.scoring import found_assets
from exo_assets.scoring.batch import RESULT, score_resilient
from exo_assets.scoring.checks import every_found_signal_accounted_for
from exo_assets.scoring.contracts import OUT_FOUND_SCORES
from exo_assets.scoring.found import as_signals, named_stars
from exo_assets.scoring.score import judge
from exo_assets.training.model_ref import MODEL_NAME, ModelRef
from exo_resources.known_signals import KnownSignals
from exo_resources.lake import Lake
from exo_resources.signal_views import SignalViews
from exo_resources.star_tables import StarEntry, StarRows, StarTables

CATALOGUED = koi_signals().filter(pl.col("star_radius_sun").is_not_null()).head(3)
STARS = [f"KIC {number}" for number in CATALOGUED["kic_id"]]
STRANGER = "KIC 5"


class _Folder:
    """A registry whose one model is in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fetch(self, ref: ModelRef) -> Path:
        assert ref.digest == seeing().digest
        return self.folder


def seeing() -> Any:
    return tiny_vetter(sees_curves=True)


def found_rows() -> list[dict[str, Any]]:
    """A catalogued signal, another of its star, a weak one and one on a star of no catalogue."""
    plain = {
        **{"mission": "kepler", "number": 1, "period_days": 12.5, "t0_bjd": 2_455_000.0, "duration_hours": 4.0},
        **{"depth_ppm": 812.0, "sde": 12.0, "snr": 15.0, "n_transits": 9, "density_sun": 1.0, "match": "none"},
        **{"below_threshold": False, "is_variable": False, "period_alternatives_days": []},
    }
    same = {"match": "same", "signal_id": CATALOGUED["signal_id"][0], "period_ratio": 1.0}
    return [
        plain | {"tce_id": f"{STARS[0]}-01", "star_id": STARS[0], **same},
        plain | {"tce_id": f"{STARS[0]}-02", "star_id": STARS[0], "number": 2, "period_days": 3.3, "depth_ppm": 90.0},
        plain | {"tce_id": f"{STARS[1]}-01", "star_id": STARS[1], "below_threshold": True, "snr": 5.0},
        plain | {"tce_id": f"{STRANGER}-01", "star_id": STRANGER},
    ]


def stars() -> pl.DataFrame:
    return CORE_SEARCHED_STARS.conform(
        pl.DataFrame({"star_id": [*STARS, STRANGER], "mission": ["kepler"] * 4, "flux_kind": ["PDCSAP_FLUX"] * 4})
    )


def file(star: str, source: str) -> dict[str, Any]:
    return {"star_id": star, "source": source, "status": "kept", "mission": "kepler", "file_name": f"{star}.fits"}


@pytest.fixture
def resources(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    seeing().save(tmp_path / "model")
    monkeypatch.setattr(found_assets, "in_batches", lambda features, *_: score_resilient(features, seeing()))
    tables = StarTables(lake)
    files = RAW_MAST__LIGHT_CURVES.conform(pl.DataFrame([file(STARS[0], "snapshot")]))
    arrow = files.to_arrow(compat_level=pl.CompatLevel.oldest())
    tables.write(RAW_MAST__LIGHT_CURVES.name, "kepler-01", files.schema, [StarRows(StarEntry(STARS[0], "f"), arrow)])
    lake.write(RAW_USER__LIGHT_CURVES.name, RAW_USER__LIGHT_CURVES.conform(pl.DataFrame([file(STRANGER, "user")])))
    lake.write(CORE_FOUND_SIGNALS.name, CORE_FOUND_SIGNALS.conform(pl.DataFrame(found_rows())))
    lake.write(CORE_SEARCHED_STARS.name, stars())
    lake.write("core_signals", CORE_SIGNALS.conform(CATALOGUED))
    # Measured under the catalogue's name where the catalogue has the signal, else under its own.
    names = pl.DataFrame({"signal_id": [CATALOGUED["signal_id"][0], f"{STRANGER}-01"]})
    measured = koi_diagnostics().head(2).drop("signal_id").hstack(names)
    tces = pl.Series("tce_id", [f"{STARS[0]}-01", f"{STRANGER}-01"])
    lake.write(FEAT_SIGNAL_DIAGNOSTICS.name, FEAT_SIGNAL_DIAGNOSTICS.conform(measured.with_columns(tces)))
    lake.write(FEAT_VIEW_INDEX.name, FEAT_VIEW_INDEX.empty())
    ref = ModelRef(MODEL_NAME, "7", "run", seeing().digest)
    lake.write("ml_vetter_champion", ML_VETTER_CHAMPION.conform(pl.DataFrame([ref.as_row()])))
    return {
        **{"lake": lake, "star_tables": tables, "registry": _Folder(tmp_path / "model"), "ray_runtime": None},
        "signal_views": SignalViews(lake),
    }


def run(resources: dict[str, Any]) -> dg.ExecuteInProcessResult:
    defined = {k: dg.ResourceDefinition.hardcoded_resource(v) for k, v in resources.items()}
    assets = [*found_assets.ASSETS, every_found_signal_accounted_for]
    return dg.materialize(assets, resources=defined, raise_on_error=False)


def facts(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()}


def test_found_signals_are_judged_ranked_and_labelled(lake: Lake, resources: dict[str, Any]) -> None:
    result = run(resources)
    assert result.success and all(e.passed for e in result.get_asset_check_evaluations())
    rows = OUT_FOUND_SCORES.check(lake.read(OUT_FOUND_SCORES.name))
    assert rows["tce_id"].to_list() == sorted(row["tce_id"] for row in found_rows())
    by_name = {row["tce_id"]: row for row in rows.iter_rows(named=True)}
    assert by_name[f"{STARS[1]}-01"]["rank"] is None and by_name[f"{STARS[1]}-01"]["probability_planet"] is not None
    assert sorted(rows["rank"].drop_nulls()) == [1, 2, 3]
    ranked = rows.drop_nulls("rank").sort("rank")
    assert ranked["probability_planet"].is_sorted(descending=True)
    own, stranger = by_name[f"{STARS[0]}-01"], by_name[f"{STRANGER}-01"]
    assert own["has_diagnostics"] and own["curve_source"] == "snapshot" and own["signal_id"]
    assert "the light curve ships with the package" in own["flags"]
    assert stranger["has_diagnostics"] and stranger["host_id"] is None
    assert {"the light curve was imported by a user", "the catalogue does not know the star"} <= set(stranger["flags"])

    # The same numbers come out of the one path that judges anything.
    found = lake.read(CORE_FOUND_SIGNALS.name).sort("tce_id")
    known = named_stars(lake.read("core_signals"))
    measured = lake.read(FEAT_SIGNAL_DIAGNOSTICS.name).with_columns(signal_id="tce_id")
    signals = with_diagnostics(as_signals(found, known), measured)
    here = judge(signals, seeing(), known=KnownSignals(lake).read(signals))
    same = ("probability_planet", "verdict", "n_signals_known", "completed_from")
    assert_frame_equal(rows.select(same), here.select(same))
    told = facts(result)
    assert (told["judged"], told["lost"], told["ranked"], told["ranked_in_no_catalogue"]) == (4, 0, 3, 2)
    assert f"{STRANGER}-01" in told["in_no_catalogue"] and f"{STARS[0]}-01" not in told["in_no_catalogue"]


def test_nothing_is_judged_again_while_nothing_changed(lake: Lake, resources: dict[str, Any]) -> None:
    run(resources)
    before = lake.version(OUT_FOUND_SCORES.name)
    again = run(resources)
    assert not facts(again)["recomputed"] and lake.version(OUT_FOUND_SCORES.name) == before
    # A file that was asked for once more, with the same outcome, changes nothing; one from elsewhere does.
    own = pl.DataFrame([file(STRANGER, "user"), file(STARS[2], "user")])
    lake.write(RAW_USER__LIGHT_CURVES.name, RAW_USER__LIGHT_CURVES.conform(own))
    (again,) = lake.read(OUT_FOUND_SCORES.name)["first_found_at"].unique().to_list()
    told = facts(run(resources))
    assert told["recomputed"] and told["new_in_no_catalogue"] == 0
    assert set(lake.read(OUT_FOUND_SCORES.name)["first_found_at"]) == {again}
    rows = [*found_rows(), found_rows()[-1] | {"tce_id": f"{STRANGER}-02", "period_days": 77.0}]
    lake.write(CORE_FOUND_SIGNALS.name, CORE_FOUND_SIGNALS.conform(pl.DataFrame(rows)))
    assert facts(run(resources))["new_in_no_catalogue"] == 1


def test_nothing_found_is_no_failure(lake: Lake, resources: dict[str, Any]) -> None:
    lake.write(CORE_FOUND_SIGNALS.name, CORE_FOUND_SIGNALS.empty())
    result = run(resources)
    assert result.success and lake.read(OUT_FOUND_SCORES.name).is_empty()
    assert all(e.passed for e in result.get_asset_check_evaluations())


def test_a_signal_that_the_model_fails_on_is_a_row_with_the_reason(
    lake: Lake, resources: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(features: pl.DataFrame, *_: object) -> pl.DataFrame:
        done = score_resilient(features, seeing())
        lost = pl.when(pl.col("signal_id") == "0").then(pl.lit("the model broke")).alias("reason")
        names = [name for name in RESULT.names() if name not in ("signal_id", "reason")]
        kept = (pl.when(pl.col("signal_id") != "0").then(pl.col(name)).alias(name) for name in names)
        return done.with_columns(lost, *kept)

    monkeypatch.setattr(found_assets, "in_batches", failing)
    result = run(resources)
    assert result.success and all(e.passed for e in result.get_asset_check_evaluations())
    rows = lake.read(OUT_FOUND_SCORES.name)
    assert rows.filter(stage="model").select("reason", "rank", "verdict").rows() == [("the model broke", None, None)]
    judged_and_strong = rows.filter(pl.col("reason").is_null(), ~pl.col("below_threshold"))
    assert rows["rank"].count() == judged_and_strong.height


def test_a_model_that_fails_on_everything_fails_the_asset(
    lake: Lake, resources: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def useless(features: pl.DataFrame, *_: object) -> pl.DataFrame:
        named = {name: pl.lit(None, kind) for name, kind in RESULT.items() if name != "signal_id"}
        return features.select("signal_id", **(named | {"reason": pl.lit("broken")}))

    monkeypatch.setattr(found_assets, "in_batches", useless)
    result = run(resources)
    assert not result.success and lake.version(OUT_FOUND_SCORES.name) is None
    assert "judged not one of 4 found signals" in str(result.failure_data_for_node(OUT_FOUND_SCORES.name))


@pytest.mark.parametrize("wrong", ["lost", "silent", "ranked though weak"])
def test_the_check_notices_what_is_wrong(lake: Lake, resources: dict[str, Any], wrong: str) -> None:
    run(resources)
    rows = lake.read(OUT_FOUND_SCORES.name)
    weak = pl.col("below_threshold")
    broken = {
        "lost": rows[:-1],
        "silent": rows.with_columns(probability_planet=pl.lit(None, pl.Float64)),
        "ranked though weak": rows.with_columns(rank=pl.when(weak).then(pl.lit(4)).otherwise(pl.col("rank"))),
    }
    lake.write(OUT_FOUND_SCORES.name, broken[wrong])
    defined = {"lake": dg.ResourceDefinition.hardcoded_resource(lake)}
    job = dg.Definitions(asset_checks=[every_found_signal_accounted_for], resources=defined)
    result = job.resolve_implicit_global_asset_job_def().execute_in_process(raise_on_error=False)
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
