"""Which signals are judged by whom, and the published figures."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from exo_assets.evaluation import plots
from exo_assets.evaluation.contracts import ML_PERFORMANCE_HISTORY, ML_VETTER_METRICS, ML_VETTER_PREDICTIONS
from exo_assets.evaluation.predictions import held_out, predictions
from exo_assets.evaluation.report import headline, metrics_table, performance_history
from exo_assets.evaluation.threads import in_threads
from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.pictures import image
from exo_assets.training.model_ref import ModelRef
from exo_assets.training.splits import in_test
from exo_assets.training.vetter import Vetter
from exo_assets.training.vetter_training import Trained


@pytest.fixture(scope="module")
def judged(candidate: ModelRef, trained: Trained, signals: pl.DataFrame) -> pl.DataFrame:
    return predictions(candidate, trained.vetter, signals, trained.out_of_fold)


@pytest.fixture(scope="module")
def figures(judged: pl.DataFrame, signals: pl.DataFrame) -> pl.DataFrame:
    return metrics_table(judged, signals, seed=1)


def test_every_disposed_signal_is_judged_once_per_input(judged: pl.DataFrame, signals: pl.DataFrame) -> None:
    ML_VETTER_PREDICTIONS.check(judged)
    for inputs in ("as_archived", "without_diagnostics"):
        assert judged.filter(inputs=inputs)["signal_id"].sort().equals(signals["signal_id"].sort())


def test_test_rows_are_those_of_the_frozen_stars(judged: pl.DataFrame, signals: pl.DataFrame) -> None:
    frozen = {s for s in signals["mission_star_id"] if in_test(s)}
    assert set(held_out(signals)["mission_star_id"]) == frozen
    assert set(judged.filter(split="test")["star_id"]) == frozen
    assert not set(judged.filter(split="oof")["star_id"]) & frozen


def test_a_star_with_one_name_in_the_test_set_is_there_with_all() -> None:
    names = [f"TIC {i}" for i in range(200)]
    frozen, free = next(n for n in names if in_test(n)), next(n for n in names if not in_test(n))
    both = pl.DataFrame({"signal_id": ["a", "b"], "star_id": ["S", "S"], "mission_star_id": [frozen, free]})
    assert held_out(both)["signal_id"].to_list() == ["a", "b"]


def test_test_scores_are_those_of_the_vetter(judged: pl.DataFrame, vetter: Vetter, signals: pl.DataFrame) -> None:
    stars = held_out(signals)
    expected = vetter.score(stars).select("signal_id", expected="probability_planet")
    shown = judged.filter(split="test", inputs="as_archived").join(expected, on="signal_id")
    assert (shown["probability_planet"] - shown["expected"]).abs().max() == 0
    hidden = judged.filter(split="test", inputs="without_diagnostics").join(expected, on="signal_id")
    assert (hidden["probability_planet"] - hidden["expected"]).abs().max() > 0.01, "the diagnostics must matter"


def test_figures_are_those_of_the_rows(figures: pl.DataFrame, judged: pl.DataFrame) -> None:
    ML_VETTER_METRICS.check(figures)
    rows = judged.filter(pl.col("disposition") != "CANDIDATE", split="test", inputs="as_archived")
    truth, score = (rows["disposition"] == "CONFIRMED").to_numpy(), rows["probability_planet"].to_numpy()

    def figure(metric: str) -> dict[str, float]:
        chosen = figures.filter(head="planet", population="kepler", split="test", inputs="as_archived", metric=metric)
        return chosen.row(0, named=True)

    assert figure("roc_auc")["value"] == pytest.approx(roc_auc_score(truth, score), abs=1e-6)
    assert figure("average_precision")["value"] == pytest.approx(average_precision_score(truth, score), abs=1e-6)
    auc = figure("roc_auc")
    assert auc["low"] < auc["value"] < auc["high"]
    assert (auc["n_signals"], auc["n_stars"]) == (rows.height, rows["star_id"].n_unique())
    assert auc["prevalence"] == pytest.approx(truth.mean(), abs=1e-6)


def test_unseen_holds_all_signals_and_carries_the_figures_to_beat(figures: pl.DataFrame, signals: pl.DataFrame) -> None:
    resolved = signals.filter(pl.col("disposition") != "CANDIDATE").height
    unseen = figures.filter(head="planet", population="kepler", split="unseen", inputs="as_archived")
    assert set(unseen["n_signals"]) == {resolved}
    beaten = dict(unseen.select("metric", "baseline").drop_nulls().iter_rows())
    assert beaten["roc_auc"] == 0.987 and beaten["ece"] == 0.019
    assert figures.filter(pl.col("baseline").is_not_null(), pl.col("split") != "unseen").is_empty()


def test_bins_divide_the_population(figures: pl.DataFrame, signals: pl.DataFrame) -> None:
    accuracy = figures.filter(metric="accuracy", head="planet", split="unseen", inputs="as_archived")
    whole = accuracy.filter(population="overall")["n_signals"][0]
    for name in ("snr_", "period_", "radius_"):
        bins = accuracy.filter(pl.col("population").str.starts_with(name))
        assert bins.height > 2 and bins["n_signals"].sum() == whole


def test_threads_change_nothing(figures: pl.DataFrame, judged: pl.DataFrame, signals: pl.DataFrame) -> None:
    assert metrics_table(judged, signals, seed=1, map_=in_threads).equals(figures)


def test_headline_is_of_test_stars(figures: pl.DataFrame) -> None:
    first = headline(figures)
    row = figures.filter(head="planet", population="kepler", split="test", inputs="as_archived", metric="ece")
    assert first["kepler ece"] == row["value"][0]
    assert "k2 roc_auc" not in first


def test_history_appends_and_never_rewrites(figures: pl.DataFrame) -> None:
    monday, tuesday = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)
    first = performance_history(figures, "a" * 64, None, monday)
    ML_PERFORMANCE_HISTORY.check(first)
    assert performance_history(figures, "a" * 64, first, tuesday).equals(first)
    other_data = performance_history(figures, "b" * 64, first, tuesday)
    assert other_data.height == 2 * first.height and other_data.head(first.height).equals(first)
    retrained = figures.with_columns(candidate_digest=pl.lit("e" * 64), candidate_version=pl.lit("3"))
    both = performance_history(retrained, "b" * 64, other_data, tuesday)
    ML_PERFORMANCE_HISTORY.check(both)
    assert both["candidate_version"].unique().sort().to_list() == ["2", "3"]


def test_pictures_are_pictures(judged: pl.DataFrame, vetter: Vetter, signals: pl.DataFrame) -> None:
    tested = judged.filter(split="test", inputs="as_archived")
    strength = vetter.contributions(held_out(signals).head(50))[:, :-1]
    for png in (
        plots.ranking(tested),
        plots.calibration(tested),
        plots.confusion(tested),
        plots.importance(strength, FEATURE_NAMES),
        plots.forward(tested),
    ):
        assert png.startswith(b"\x89PNG") and len(png) > 3000
        assert image(png, "x").startswith("![x](data:image/png;base64,iVBOR")
