"""The figures against scikit-learn's, plain and weighted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from exo_assets.evaluation.metrics import (
    BINARY_METRICS,
    ECE_BINS,
    MULTICLASS_METRICS,
    binary_metrics,
    curves,
    multiclass_metrics,
    point,
    probability_metrics,
    ranking_metrics,
    reliability,
    share,
)

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    """Labels of both classes, scores with many ties, and whole-number weights that keep both classes."""
    n = draw(st.integers(4, 60))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    truth = generator.integers(0, 2, n)
    truth[:2] = [0, 1]
    score = np.round(generator.random(n), draw(st.integers(1, 4)))
    weight = generator.integers(0, 4, n)
    weight[:2] = 1
    return truth, score, weight


@given(rows())
@settings(max_examples=150, deadline=None)
def test_binary_figures_equal_sklearn(case: Rows) -> None:
    truth, score, weight = case
    ours = point(binary_metrics(truth, score, weight))
    drawn_truth, drawn = np.repeat(truth, weight), np.repeat(score, weight)
    guess = (drawn >= 0.5).astype(int)
    clipped = np.clip(drawn, 1e-15, 1 - 1e-15)
    precision, recall, _ = sk.precision_recall_curve(drawn_truth, drawn)
    precision, recall = precision[:-1], recall[:-1]  # without sklearn's artificial last point (recall 0, precision 1)
    pure = recall[precision >= 0.99]
    theirs = {
        "roc_auc": sk.roc_auc_score(drawn_truth, drawn),
        "average_precision": sk.average_precision_score(drawn_truth, drawn),
        "precision_at_recall_90": precision[recall >= 0.9 - 1e-12].max(),
        "precision_at_recall_95": precision[recall >= 0.95 - 1e-12].max(),
        "recall_at_precision_99": pure.max() if pure.size else 0.0,
        "accuracy": sk.accuracy_score(drawn_truth, guess),
        "macro_f1": sk.f1_score(drawn_truth, guess, average="macro"),
        "log_loss": sk.log_loss(drawn_truth, np.c_[1 - clipped, clipped]),
        "brier": sk.brier_score_loss(drawn_truth, drawn),
    }
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, abs=1e-9), name


@given(rows())
@settings(max_examples=60, deadline=None)
def test_a_part_of_the_figures_is_as_among_all_of_them(case: Rows) -> None:
    truth, score, weight = case
    every = point(binary_metrics(truth, score, weight))
    assert point(ranking_metrics(*case)) == {name: every[name] for name in BINARY_METRICS[:5]}
    assert point(probability_metrics(*case)) == {name: every[name] for name in BINARY_METRICS[7:]}
    assert share((score >= 0.5) == truth, weight)[0] == every["accuracy"]


@given(rows())
@settings(max_examples=60, deadline=None)
def test_weights_are_repetition(case: Rows) -> None:
    truth, score, weight = case
    weighted = point(binary_metrics(truth, score, weight))
    repeated = point(binary_metrics(np.repeat(truth, weight), np.repeat(score, weight)))
    assert set(weighted) == set(BINARY_METRICS)
    for name, value in repeated.items():
        assert weighted[name] == pytest.approx(value, abs=1e-9), name


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_multiclass_figures_equal_sklearn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    label = np.r_[0, 1, 2, generator.integers(0, 3, 40)]
    table = generator.dirichlet([1, 1, 1], label.size)
    ours = point(multiclass_metrics(label, table))
    guess = table.argmax(axis=1)
    assert set(ours) == set(MULTICLASS_METRICS)
    assert ours["accuracy"] == pytest.approx(sk.accuracy_score(label, guess))
    assert ours["macro_f1"] == pytest.approx(sk.f1_score(label, guess, average="macro", labels=[0, 1, 2]))
    assert ours["roc_auc"] == pytest.approx(sk.roc_auc_score(label, table, multi_class="ovr"))
    assert ours["log_loss"] == pytest.approx(sk.log_loss(label, table))


def test_calibration_error_of_a_known_case() -> None:
    # Two bins are occupied: 0.1 (observed 0.5, off by 0.4) and 0.9 (observed 1.0, off by 0.1), half the rows each.
    assert point(binary_metrics([0, 1, 1, 1], [0.1, 0.1, 0.9, 0.9]))["ece"] == pytest.approx(0.25)
    assert ECE_BINS == 15
    diagram = reliability([0, 1, 1, 1], [0.1, 0.1, 0.9, 0.9])
    assert diagram["observed"].tolist() == [0.5, 1.0]
    assert diagram["count"].tolist() == [2, 2]


def test_one_class_alone_has_no_ranking() -> None:
    lone = point(binary_metrics([1, 1], [0.2, 0.9]))
    assert np.isnan(lone["roc_auc"]) and np.isnan(lone["average_precision"])
    assert lone["accuracy"] == 0.5


def test_curves_end_at_everything() -> None:
    shape = curves([0, 1, 0, 1], [0.1, 0.8, 0.8, 0.9])
    assert shape["recall"].tolist() == [0.5, 1.0, 1.0]
    assert shape["precision"][0] == 1.0
    assert shape["false_positive_rate"][-1] == 1.0


@pytest.mark.parametrize(
    ("truth", "score", "message"),
    [
        ([0, 2], [0.1, 0.2], "labels must be"),
        ([0, 1], [0.1, float("nan")], "probabilities must be"),
        ([0, 1], [0.1, 1.2], "probabilities must be"),
        ([0, 1], [0.1], "equally long"),
    ],
)
def test_impossible_input_is_refused(truth: list[int], score: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        binary_metrics(truth, score)


def test_weights_of_another_set_are_refused() -> None:
    with pytest.raises(ValueError, match="weights are for 3 rows"):
        binary_metrics([0, 1], [0.1, 0.2], [1, 1, 1])
