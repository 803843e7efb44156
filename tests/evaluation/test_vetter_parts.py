"""Features, network and blend beside each other."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from exo_assets.evaluation import interval_plots
from exo_assets.evaluation.continual import continual_table, is_judged, teachable
from exo_assets.evaluation.contracts import ML_CONTINUAL_LEARNING, ML_VETTER_PARTS
from exo_assets.evaluation.metrics import set_metrics
from exo_assets.evaluation.parts import PUBLISHED, parts_table
from exo_assets.evaluation.reliability import LEAST_IN_BIN, reliability_rows
from exo_assets.training.continual import WAYS, Learnt


def judged(n: int = 900, network: float = 1.0) -> pl.DataFrame:
    """Predictions of two models with independent errors, and of their mean."""
    rng = np.random.default_rng(3)
    truth = rng.normal(0, 2, n)
    planet = rng.random(n) < 1 / (1 + np.exp(-truth))
    features, other = truth + rng.normal(0, 1, n), network * (truth + rng.normal(0, 1, n))
    return pl.DataFrame(
        {
            "candidate_version": "1",
            "candidate_digest": "d",
            "signal_id": [f"s{i}" for i in range(n)],
            "mission": ["kepler"] * n,
            "star_id": [f"star {i // 2}" for i in range(n)],
            "disposition": np.where(planet, "CONFIRMED", "FALSE POSITIVE"),
            "split": ["test" if i // 2 % 5 == 0 else "oof" for i in range(n)],
            "inputs": "as_archived",
            "probability_planet": 1 / (1 + np.exp(-(features + other / max(network, 1e-9)) / 2)),
            "log_odds_features": features,
            "log_odds_network": other,
        }
    )


def where(n: int) -> pl.DataFrame:
    """Signals of four periods in turn, whose SNR is known of every second one only."""
    i = np.arange(n)
    return pl.DataFrame(
        {
            "signal_id": [f"s{k}" for k in i],
            "period_days": np.array([1.0, 5.0, 50.0, 200.0])[i % 4],
            "snr": [5.0 if k % 2 else None for k in i],
        }
    )


@pytest.mark.parametrize("scale", [0.2, 5.0])
def test_the_blend_of_two_good_models_is_better_and_scale_does_not_matter(scale: float) -> None:
    table = parts_table(judged(network=scale), where(900), seed=1)
    ML_VETTER_PARTS.check(table)
    unseen = table.filter(population="kepler", split="unseen")
    value = {(r["model"], r["metric"]): r["value"] for r in unseen.iter_rows(named=True)}
    assert value["blend", "roc_auc"] > max(value["features", "roc_auc"], value["network", "roc_auc"])
    assert value["network", "log_loss"] == pytest.approx(value["features", "log_loss"], abs=0.06)
    gain = unseen.filter(model="blend - features", metric="roc_auc").row(0, named=True)
    assert gain["low"] > 0 and gain["value"] == pytest.approx(
        value["blend", "roc_auc"] - value["features", "roc_auc"], abs=1e-6
    )


def test_without_a_network_only_what_was_published_is_there() -> None:
    table = parts_table(judged().with_columns(log_odds_network=pl.lit(None, pl.Float64)), where(900), seed=1)
    assert table.height == len(PUBLISHED) and table["note"].null_count() == 0
    assert table["population"].unique().to_list() == ["published"]
    assert interval_plots.differences(table) is None and interval_plots.reliability_by_bin(table) is None


def test_a_model_that_is_too_sure_in_one_bin_is_seen_there() -> None:
    rows = judged(4000).with_columns(is_planet=pl.col("disposition") == "CONFIRMED")
    own = 1 / (1 + np.exp(-rows["log_odds_features"].to_numpy()))
    long = np.arange(4000) % 4 == 3
    rows = rows.with_columns(fair=pl.lit(0.5), bold=pl.Series(np.where(long, 0.9, own)))
    found = list(reliability_rows(rows, where(4000), ("bold", "fair")))
    told = {(r["model"], r["population"]): r for r in found}
    off = told["bold", "kepler_period_100_and_above"]
    assert off["high"] < -0.3 and off["n_signals"] == 1000 and off["split"] == "unseen"  # type: ignore[operator]
    share = rows.filter(pl.Series(long))["is_planet"].mean()
    assert off["value"] == pytest.approx(share - 0.9, abs=1e-6)  # type: ignore[operator]
    fair = told["fair", "kepler_snr_below_10"]
    assert fair["low"] < 0 < fair["high"] and fair["n_signals"] == 2000  # type: ignore[operator]
    assert {p for _, p in told if "snr" in p} == {"kepler_snr_below_10"}, "bins without signals are not told"


def test_a_bin_of_few_signals_is_not_told() -> None:
    rows = judged(4 * LEAST_IN_BIN - 1).with_columns(is_planet=pl.col("disposition") == "CONFIRMED", p=pl.lit(0.5))
    told = {r["population"] for r in reliability_rows(rows, where(rows.height), ("p",))}
    periods = {p for p in told if "period" in str(p)}
    assert periods == {"kepler_period_below_3", "kepler_period_3_to_10", "kepler_period_10_to_100"}


def test_parts_are_pictured() -> None:
    table = parts_table(judged(), where(900), seed=1)
    for png in (interval_plots.differences(table), interval_plots.reliability_by_bin(table)):
        assert png is not None and png.startswith(b"\x89PNG") and len(png) > 3000


def test_figures_of_sets() -> None:
    found = set_metrics([1, 1, 0, 0], ["planet", "false positive", "unsure", "planet"])
    assert {name: float(v[0]) for name, v in found.items()} == {
        "set_coverage_planet": 0.5,
        "set_coverage_false_positive": 0.5,
        "set_unsure_share": 0.25,
    }


def test_ways_of_learning_are_judged_on_both_missions() -> None:
    rows = judged(400).with_columns(
        mission=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("kepler")).otherwise(pl.lit("tess"))
    )
    rows = rows.filter(is_judged())
    odds = rows["log_odds_features"].to_numpy()
    worse = np.where(
        (rows["mission"] == "kepler").to_numpy(), odds, 0.1 * odds + np.random.default_rng(1).normal(size=400)
    )
    table = continual_table(Learnt({way: worse if way == "old mission only" else odds for way in WAYS}), rows, seed=1)
    ML_CONTINUAL_LEARNING.check(table)
    auc = {(r["way"], r["role"]): r["value"] for r in table.filter(metric="roc_auc").iter_rows(named=True)}
    assert auc["old mission only", "new"] < auc["fine-tuned", "new"] == auc["full retraining", "new"]
    assert auc["old mission only", "old"] == auc["fine-tuned", "old"]
    assert interval_plots.continual(table).startswith(b"\x89PNG")


def test_one_mission_alone_is_said_to_be_too_little() -> None:
    rows = judged(300)
    assert teachable(rows, 20) == "tess has 0 planets and 0 false positives, 20 of each are needed"
    both = pl.concat([rows, rows.with_columns(mission=pl.lit("tess"))])
    assert teachable(both, 20) is None
