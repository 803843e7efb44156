"""The star bootstrap: the draws, their intervals, and the pairing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from exo_assets.evaluation import bootstrap
from exo_assets.evaluation.bootstrap import bootstrap_by_star, paired_difference
from exo_assets.evaluation.metrics import Array, binary_metrics


def _sample(n_stars: int, seed: int, skill: float = 1.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    per_star = generator.integers(1, 4, n_stars)
    stars = np.repeat(np.arange(n_stars), per_star)
    truth = np.repeat(generator.integers(0, 2, n_stars), per_star)
    logit = skill * (truth - 0.5) + generator.normal(size=stars.size)
    return stars, truth, 1 / (1 + np.exp(-logit))


def test_each_draw_equals_sklearn_on_the_rows_drawn() -> None:
    stars, truth, score = _sample(60, seed=1)
    code, count = bootstrap._codes(stars)
    weights = np.concatenate(list(bootstrap._draws(code, count, seed=5, resamples=25)))
    assert weights.shape == (25, stars.size)
    figures = binary_metrics(truth, score, weights)
    for row, weight in enumerate(weights.astype(int)):
        assert all(len(set(weight[stars == s])) == 1 for s in range(60)), "a star's signals are drawn together"
        drawn_truth, drawn = np.repeat(truth, weight), np.repeat(score, weight)
        assert figures["roc_auc"][row] == pytest.approx(roc_auc_score(drawn_truth, drawn))
        assert figures["average_precision"][row] == pytest.approx(average_precision_score(drawn_truth, drawn))


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    stars, truth, score = _sample(40, seed=2)

    def figures(weights: Array) -> dict[str, Array]:
        return binary_metrics(truth, score, weights)

    whole = bootstrap_by_star(stars, figures, seed=3, resamples=50)
    monkeypatch.setattr(bootstrap, "_CELLS", 7 * stars.size)
    for name, interval in bootstrap_by_star(stars, figures, seed=3, resamples=50).items():
        assert (interval.value, interval.low, interval.high) == pytest.approx(
            (whole[name].value, whole[name].low, whole[name].high), rel=1e-12
        )


def test_every_draw_has_as_many_stars_as_the_sample() -> None:
    code, count = bootstrap._codes(np.arange(30))
    weights = next(bootstrap._draws(code, count, seed=0, resamples=200))
    assert (weights.sum(axis=1) == 30).all()
    assert weights.mean() == pytest.approx(1.0)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # Accuracy of a coin with known odds: stars of two signals that stand or fall together.
    generator, covered, trials = np.random.default_rng(0), 0, 200
    for trial in range(trials):
        truth = np.repeat(generator.random(150) < 0.8, 2).astype(float)
        stars = np.repeat(np.arange(150), 2)

        def share(weights: Array, truth: Array = truth) -> dict[str, Array]:
            return {"share": weights @ truth / weights.sum(axis=1)}

        interval = bootstrap_by_star(stars, share, seed=trial, resamples=200)["share"]
        covered += interval.low <= 0.8 <= interval.high
    assert 0.88 <= covered / trials <= 0.99


def test_stars_give_wider_intervals_than_signals() -> None:
    truth = np.repeat(np.random.default_rng(4).random(200) < 0.7, 3).astype(float)

    def share(weights: Array) -> dict[str, Array]:
        return {"share": weights @ truth / weights.sum(axis=1)}

    by_star = bootstrap_by_star(np.repeat(np.arange(200), 3), share, seed=1)["share"]
    by_signal = bootstrap_by_star(np.arange(600), share, seed=1)["share"]
    ratio = (by_star.high - by_star.low) / (by_signal.high - by_signal.low)
    assert 1.4 < ratio < 2.1  # sqrt(3) = 1.73


def test_paired_difference_of_a_model_with_itself_is_nothing() -> None:
    stars, truth, score = _sample(50, seed=6)

    def model(weights: Array) -> dict[str, Array]:
        return binary_metrics(truth, score, weights)

    for interval in paired_difference(stars, model, model, seed=1, resamples=40).values():
        assert (interval.value, interval.low, interval.high) == (0, 0, 0)


def test_paired_difference_sees_what_unpaired_intervals_hide() -> None:
    stars, truth, good = _sample(150, seed=7)
    worse = np.clip(good + np.random.default_rng(8).normal(0, 0.15, good.size), 0, 1)

    def model(score: np.ndarray) -> bootstrap.Metrics:
        return lambda weights: binary_metrics(truth, score, weights)

    difference = paired_difference(stars, model(good), model(worse), seed=2)["roc_auc"]
    alone = bootstrap_by_star(stars, model(good), seed=2)["roc_auc"]
    assert difference.value > 0
    assert difference.high - difference.low < alone.high - alone.low


def test_nothing_to_resample_is_an_error() -> None:
    with pytest.raises(ValueError, match="no signals to resample"):
        bootstrap_by_star([], lambda w: {"x": w.sum(axis=1)}, seed=0)


def test_undefined_figures_stay_undefined() -> None:
    found = bootstrap_by_star([1, 2, 3], lambda w: binary_metrics([1, 1, 1], [0.1, 0.2, 0.9], w), seed=0, resamples=20)
    assert np.isnan(found["roc_auc"].value) and np.isnan(found["roc_auc"].low)
    assert found["accuracy"].value == pytest.approx(1 / 3)
