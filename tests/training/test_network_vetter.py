"""The vetter with a network: what the blend promises to those who score and explain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from exo_assets.features.from_light_curves import hide_curves
from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.tabular import count_signals
from exo_assets.training.fit_torch import fit
from exo_assets.training.neural import NeuralJob
from exo_assets.training.vetter import SCORE_SCHEMA, Vetter, digest_of_folder
from exo_assets.training.vetter_training import NO_CURVE, prepare
from tests.training import network_vetter as made


def test_views_move_the_answer_and_the_network_weighs_something() -> None:
    vetter = made.small().vetter
    assert vetter.network is not None and vetter.transformer.curves_of == ("kepler",)
    assert vetter.experts["kepler"].blend["full"].network > 0.01
    shown = made.seen(made.signals())
    with_, without = vetter.score(shown), vetter.score(made.signals())
    assert with_.schema == SCORE_SCHEMA
    has = shown["views"].is_not_null()
    same = with_["log_odds_network"] == without["log_odds_network"]
    assert has.any() and not same.filter(has).any() and same.filter(~has).all()
    assert with_["log_odds_features"].equals(without["log_odds_features"])


def test_the_network_learned_what_the_views_show() -> None:
    held = made.signals().filter(pl.col("split") == "test", pl.col("disposition") != "CANDIDATE")
    held = held.join(made.index(), on="signal_id", how="semi")
    planet = (held["disposition"] == "CONFIRMED").to_numpy()

    def auc(rows: pl.DataFrame) -> float:
        odds = made.small().vetter.score(rows)["log_odds_network"].to_numpy()
        return float((odds[planet][:, None] > odds[~planet][None, :]).mean())

    assert auc(made.seen(held)) > max(0.9, auc(held) - 0.02)


def test_contributions_sum_to_the_score_and_name_views() -> None:
    vetter = made.small().vetter
    rows, counts = made.seen(made.signals().head(200)), count_signals(made.signals())
    found = vetter.contributions(rows, counts)
    assert found.shape == (rows.height, len(vetter.contributing) + 1)
    assert np.abs(found.sum(axis=1) - vetter.raw_score(rows, counts)).max() < 1e-9
    views = found[:, len(FEATURE_NAMES) : -1]
    has = rows["views"].is_not_null().to_numpy()
    assert (np.abs(views[has]).sum(axis=1) > 0).all() and not views[~has].any()


def test_a_vetter_without_the_network_that_it_blends_is_not_loaded(tmp_path: Path) -> None:
    made.small().vetter.save(tmp_path)
    for path in tmp_path.glob("network_*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"blends a network, but its files network_\* are missing"):
        Vetter.load(tmp_path)


def test_a_network_is_saved_loaded_and_part_of_the_digest(tmp_path: Path) -> None:
    vetter = made.small().vetter
    vetter.save(tmp_path)
    again = Vetter.load(tmp_path)
    rows = made.seen(made.signals().head(100))
    assert again.digest == vetter.digest == digest_of_folder(tmp_path)
    assert again.score(rows).equals(vetter.score(rows))
    assert Vetter(vetter.transformer, vetter.experts, vetter.fallback, vetter.facts).digest != vetter.digest


def test_the_served_files_say_what_was_trained() -> None:
    gap = made.small().vetter.network_gap(made.seen(made.signals().head(150)))
    assert gap is not None and gap < 1e-5


def test_rows_do_not_depend_on_their_company() -> None:
    vetter, counts = made.small().vetter, count_signals(made.signals())
    features = vetter.features(made.seen(made.signals()), counts)
    together = vetter.score_features(features)
    apart = pl.concat([vetter.score_features(features[i : i + 97]) for i in range(0, features.height, 97)])
    exact = pl.selectors.string()
    assert apart.select(exact).equals(together.select(exact))
    numbers = pl.selectors.float()
    assert np.allclose(apart.select(numbers).to_numpy(), together.select(numbers).to_numpy(), rtol=0, atol=1e-5)


def test_a_fold_network_does_not_know_the_labels_of_its_fold() -> None:
    rows = made.signals().filter(split="train").sort("signal_id")
    transformer, data = prepare(rows, count_signals(made.signals()), made.SMALL)
    told = made.network_data(rows, transformer, data)
    turned = replace(told, label=np.where(told.fold == 0, 2 - told.label, told.label))
    job = NeuralJob("fold0", 3, 0)
    one, other = (fit(d, replace(made.NEURAL, epochs=1), job) for d in (told, turned))
    assert all(np.array_equal(one.logits[layout], other.logits[layout]) for layout in one.logits)
    assert {rows["fold"][int(r)] for r in one.rows} == {0}


def test_out_of_fold_predictions_are_whole() -> None:
    found = made.small().out_of_fold
    assert found["log_odds_network"].null_count() == 0
    assert 0 < found.filter(layout=NO_CURVE).height <= made.index().height
    assert found.filter("as_archived")["prediction_set"].null_count() == 0


def test_hidden_curves_hide_views() -> None:
    assert "views" not in hide_curves(made.seen(made.signals())).columns
