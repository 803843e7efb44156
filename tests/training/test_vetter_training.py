"""The recipe: folds that hold what they hold out, copies that carry no label, out-of-fold tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.transformer import SignalTransformer, has_block
from exo_assets.training.augmentation import hide_block, masked_copies
from exo_assets.training.contracts import ML_VETTER_OOF
from exo_assets.training.settings import TrainingSettings
from exo_assets.training.tuning import SPACE, Search, objective
from exo_assets.training.vetter_training import (
    Task,
    Trained,
    balancing,
    fit_task,
    learnable,
    prepare,
    train_vetter,
)
from tests.training.conftest import SMALL


def test_absence_of_the_block_carries_no_label(train: pl.DataFrame) -> None:
    kepler = train.filter(pl.col("mission") == "kepler", pl.col("disposition") != "CANDIDATE")
    planet = (kepler["disposition"] == "CONFIRMED").to_numpy()
    lost = ~has_block(kepler).to_numpy()
    assert planet[lost].mean() < 0.05 < planet.mean()  # in the catalogue absence says false positive
    copies = masked_copies(kepler, SignalTransformer(), None, chance=0.0, seed=1)
    without = np.isnan(copies.x[:, FEATURE_NAMES.index("log_mes")])
    share = np.average(planet[copies.row[without]], weights=copies.weight[without])
    assert share == pytest.approx(planet.mean(), abs=1e-12)


def test_copies_of_a_signal_share_its_weight(train: pl.DataFrame) -> None:
    copies = masked_copies(train, SignalTransformer(), None, chance=0.5, seed=1)
    total = np.bincount(copies.row, weights=copies.weight, minlength=train.height)
    kepler, block = (train["mission"] == "kepler").to_numpy(), has_block(train).to_numpy()
    assert np.allclose(total[~kepler], 1.0) and np.allclose(total[kepler & block], 1.0)
    assert np.allclose(total[kepler & ~block], 0.5)


def test_hiding_the_block_hides_it_for_kepler_only(train: pl.DataFrame) -> None:
    hidden = hide_block(train)
    assert not has_block(hidden).any()
    tess = pl.col("mission") == "tess"
    assert hidden.filter(tess).equals(train.filter(tess))
    assert hidden.filter(~tess)["depth_ppm"].equals(train.filter(~tess)["depth_ppm"])


def test_a_held_out_fold_is_not_learned_from(train: pl.DataFrame) -> None:
    """Labels of the held-out fold are turned around: its predictions must not move, and those of others must."""
    _, data = prepare(train.sort("signal_id"), None, SMALL)
    turned = replace(data, label=np.where(data.fold == 1, 2 - data.label, data.label))
    held = [fit_task(d, Task("planet", "tess", 0.25, 1, 5, 10, SMALL.planet)) for d in (data, turned)]
    assert len(held[0].rows) > 50 and np.array_equal(held[0].raw["full"], held[1].raw["full"])
    learned = [fit_task(d, Task("planet", "tess", 0.25, 0, 5, 10, SMALL.planet)) for d in (data, turned)]
    assert not np.array_equal(learned[0].raw["full"], learned[1].raw["full"])


def test_out_of_fold_predictions_cover_the_training_stars(trained: Trained, train: pl.DataFrame) -> None:
    oof = ML_VETTER_OOF.conform(trained.out_of_fold)
    assert ML_VETTER_OOF.problems(oof) == []
    assert set(oof["signal_id"]) == set(train["signal_id"])
    assert oof.filter("as_archived").height == train.height
    basic = oof.filter(layout="basic")
    assert basic.height == train.height
    assert oof.filter(layout="full")["mission"].unique().to_list() == ["kepler"]


def test_weights_of_other_missions_were_tried(trained: Trained) -> None:
    assert trained.tried.height == 9
    for mission, expert in trained.vetter.experts.items():
        best = trained.tried.filter(mission=mission).sort("log_loss")["other_missions"][0]
        assert expert.other_missions == best


def test_too_little_to_learn_from_is_said(train: pl.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"40 planets and as many false positives.*kepler \(\d"):
        train_vetter(train.filter(mission="kepler").head(60), SMALL)


def test_balancing_gives_classes_the_same_weight() -> None:
    label, weight = np.array([0, 0, 0, 2]), np.array([1.0, 1.0, 0.5, 0.5])
    balanced = weight * balancing(label, weight)
    assert balanced[:3].sum() == pytest.approx(balanced[3:].sum()) and balanced.sum() == pytest.approx(3.0)


def test_the_search_minimises_out_of_fold_log_loss(train: pl.DataFrame) -> None:
    _, data = prepare(train.sort("signal_id"), None, SMALL)
    search = Search(data, SMALL, tuple(learnable(data, SMALL)))
    assert search.missions == ("kepler", "k2", "tess")
    good, useless = (objective(search, {"learning_rate": rate}) for rate in (0.1, 1e-9))
    assert good < 0.6 < useless  # a model that never moves knows the shares of the classes only


def test_start_of_the_search_lies_in_its_space() -> None:
    for name, (low, high, _kind) in SPACE.items():
        assert low <= TrainingSettings().planet[name] <= high, name
