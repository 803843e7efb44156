"""What light curves tell, in training: nothing from a handful, much from many, and never that there is one."""

from __future__ import annotations

from dataclasses import replace

import lightgbm
import numpy as np
import polars as pl
import pytest

from exo_assets.features.from_light_curves import CURVE_NAMES, hide_curves, with_diagnostics
from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.tabular import count_signals
from exo_assets.training.augmentation import curve_weight, masked_copies
from exo_assets.training.vetter_training import Trained, prepare, train_vetter
from tests.features.synthetic import catalogue, diagnostics_of
from tests.training.conftest import SMALL

TINY = replace(SMALL, planet_rounds=40, archive_rounds=3, other_missions=(0.0,), bags=1)


@pytest.fixture(scope="module")
def kepler() -> pl.DataFrame:
    made = catalogue(1600, seed=4, missions=("kepler",))
    return made.with_columns(fold=pl.col("star_id").str.slice(4).cast(pl.Int64) % SMALL.folds)


def test_a_handful_of_light_curves_trains_the_same_model(
    train: pl.DataFrame, signals: pl.DataFrame, trained: Trained
) -> None:
    few = with_diagnostics(train, diagnostics_of(train, share=0.1, telling=5.0))
    again = train_vetter(few, SMALL, count_signals(signals))
    assert again.vetter.digest == trained.vetter.digest
    assert again.vetter.score(few).equals(trained.vetter.score(train))


def test_columns_that_are_never_known_leave_the_trees_as_they_were(train: pl.DataFrame, trained: Trained) -> None:
    x = trained.vetter.transformer.matrix(trained.vetter.features(train))
    unseen = [FEATURE_NAMES.index(name) for name in CURVE_NAMES]
    assert np.isnan(x[:, unseen]).all()
    y = (train["disposition"] == "CONFIRMED").to_numpy().astype(float)
    fixed = {"objective": "binary", "deterministic": True, "num_threads": 1, "seed": 3, "verbosity": -1}
    without = np.delete(x, unseen, axis=1)
    scores = [lightgbm.train({**SMALL.planet, **fixed}, lightgbm.Dataset(m, y), 30).predict(m) for m in (x, without)]
    assert np.array_equal(*scores)


def test_many_light_curves_are_learned_from_and_named_as_reasons(kepler: pl.DataFrame) -> None:
    many = with_diagnostics(kepler, diagnostics_of(kepler, share=0.7, telling=6.0))
    found = train_vetter(many, TINY)
    assert found.vetter.transformer.curves_of == ("kepler",)
    odd_even = pl.col("lc_odd_even_sigma")
    told = many.filter(odd_even > 6, pl.col("disposition") == "FALSE POSITIVE")
    scored, blind = found.vetter.score(told), found.vetter.score(hide_curves(told))
    assert scored["probability_planet"].mean() < 0.6 * blind["probability_planet"].mean()
    reasons = scored["reasons"].list.eval(pl.element().struct.field("feature")).list.contains("lc_odd_even_sigma")
    assert reasons.mean() > 0.8
    assert np.allclose(found.vetter.contributions(told).sum(axis=1), found.vetter.raw_score(told))


def test_having_a_light_curve_says_nothing_however_stars_were_chosen(kepler: pl.DataFrame) -> None:
    # Curves of nine in ten planets and one in four false positives, which tell nothing.
    planet = pl.col("disposition") == "CONFIRMED"
    chosen = pl.concat([kepler.filter(planet).sample(fraction=0.9, seed=1), kepler.filter(~planet)[::4]])
    biased = with_diagnostics(kepler, diagnostics_of(chosen, share=1.0)).sort("signal_id")
    trained = train_vetter(biased, TINY)
    vetter = trained.vetter
    assert vetter.transformer.curves_of == ("kepler",)
    fresh = catalogue(600, seed=9, missions=("kepler",))
    seen = vetter.raw_score(with_diagnostics(fresh, diagnostics_of(fresh, share=1.0, seed=5)))
    shift = seen - vetter.raw_score(fresh)
    assert abs(shift.mean()) < 0.15, "log-odds"


def test_each_class_is_shown_with_its_light_curve_as_much(kepler: pl.DataFrame) -> None:
    false = pl.col("disposition") == "FALSE POSITIVE"
    chosen = pl.concat([kepler.filter(~false), kepler.filter(false)[::3]])
    biased = with_diagnostics(kepler, diagnostics_of(chosen, share=0.9)).sort("signal_id")
    transformer, data = prepare(biased, None, SMALL)
    weight = curve_weight(biased, transformer)
    copies = masked_copies(biased, transformer, None, SMALL.random_mask, SMALL.seed)
    assert np.array_equal(copies.weight, data.copies.weight)
    with_curve = ~np.isnan(copies.x[:, FEATURE_NAMES.index("lc_odd_even_sigma")])
    label = biased["disposition"].to_numpy()
    shares = {}
    for name in ("CONFIRMED", "FALSE POSITIVE"):
        of = label[copies.row] == name
        shares[name] = copies.weight[of & with_curve].sum() / copies.weight[of].sum()
    assert shares["CONFIRMED"] == pytest.approx(shares["FALSE POSITIVE"], rel=0.15)
    assert 0.1 < shares["CONFIRMED"] < 0.2
    # A signal's copies weigh the same, with a curve or without.
    plain = masked_copies(hide_curves(biased), transformer, None, SMALL.random_mask, SMALL.seed)
    sums = [np.bincount(c.row, c.weight, biased.height) for c in (copies, plain)]
    assert np.allclose(*sums) and weight.max() == pytest.approx(0.5)
