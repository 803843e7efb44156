"""The flat arrays against LightGBM itself."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.training.forest import MOST_NODES, Forest

N_FEATURES = 6
ODD = [0.0, -0.0, 1e-40, -1e-40, np.nan, np.inf, -np.inf, -1.0, 3.0, 40.0, 1e300]


def _rows(rng: np.random.Generator, n: int) -> Any:
    """Numbers with gaps, zeros and extremes; the last column is a category."""
    x = rng.normal(size=(n, N_FEATURES))
    x[:, 1] = np.round(x[:, 1])
    x[rng.random(x.shape) < 0.15] = np.nan
    x[rng.random(x.shape) < 0.05] = 0.0
    x[:, -1] = rng.integers(0, 70, n)  # more than two words of categories
    return x


def _train(seed: int, *, gaps: bool = True, **params: Any) -> str:
    rng = np.random.default_rng(seed)
    x = _rows(rng, 600)
    if not gaps:
        x = np.nan_to_num(x)
    signal = np.nan_to_num(x[:, 0]) * 2 + (x[:, -1] % 3 == 1) + rng.normal(size=len(x))
    classes = params.get("num_class", 2)
    y = np.clip(np.digitize(signal, np.linspace(-1, 2, classes - 1)), 0, classes - 1)
    settings_ = {"objective": "binary", "num_leaves": 15, "max_depth": 6, "verbosity": -1, "num_threads": 1, **params}
    data = lightgbm.Dataset(x, y, categorical_feature=[N_FEATURES - 1], params={"verbosity": -1})
    return lightgbm.train(settings_, data, 12).model_to_string()


def _agree(texts: list[str], x: Any) -> None:
    boosters = [lightgbm.Booster(model_str=text) for text in texts]
    forest = Forest(texts)
    raw = np.mean([b.predict(x, raw_score=True, num_threads=1) for b in boosters], axis=0).reshape(len(x), -1)
    assert np.allclose(forest.raw(x), raw, rtol=0, atol=1e-12)
    if forest.n_classes == 1:
        contributions = np.mean([b.predict(x, pred_contrib=True, num_threads=1) for b in boosters], axis=0)
        assert np.allclose(forest.contributions(x), contributions, rtol=0, atol=1e-12)
        assert np.allclose(forest.contributions(x).sum(axis=1), forest.raw(x)[:, 0], rtol=0, atol=1e-12)


@given(
    seed=st.integers(0, 10**6),
    leaves=st.integers(2, 31),
    depth=st.integers(1, 7),
    extra=st.booleans(),
    gaps=st.booleans(),
    zero_as_missing=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_scores_and_shap_values_are_lightgbms(
    seed: int, leaves: int, depth: int, extra: bool, gaps: bool, zero_as_missing: bool
) -> None:
    text = _train(
        seed, gaps=gaps, num_leaves=leaves, max_depth=depth, extra_trees=extra, zero_as_missing=zero_as_missing
    )
    rng = np.random.default_rng(seed + 1)
    x = _rows(rng, 80)
    x[:30] = rng.choice(ODD, size=(30, N_FEATURES))
    x[:30, -1] = rng.choice([np.nan, -1.0, 0.0, 1.0, 31.0, 32.0, 69.0, 70.0, 1000.0], size=30)
    _agree([text], x)


def test_bags_are_averaged() -> None:
    _agree([_train(1), _train(2), _train(3, num_leaves=4)], _rows(np.random.default_rng(9), 100))


def test_several_classes() -> None:
    _agree([_train(1, objective="multiclass", num_class=3)], _rows(np.random.default_rng(9), 100))


@pytest.mark.parametrize("leaves", [2, 8, 60])
def test_shap_values_of_differences_between_classes_are_lightgbms(leaves: int) -> None:
    params: dict[str, Any] = {
        "objective": "multiclass",
        "num_class": 3,
        "num_leaves": leaves,
        "max_depth": -1,
        "extra_trees": True,
    }
    texts = [_train(seed, min_child_samples=1, **params) for seed in (1, 2)]
    rng = np.random.default_rng(9)
    x = _rows(rng, 70)
    sign = np.array([[1, -1, 0], [1, 0, -1], [0, 0, 0], [0, 1, 0]])[rng.integers(0, 4, len(x))]
    forest = Forest(texts)
    parts = [lightgbm.Booster(model_str=text).predict(x, pred_contrib=True, num_threads=1) for text in texts]
    by_class = np.mean(parts, axis=0).reshape(len(x), 3, N_FEATURES + 1)
    found = forest.differences(x, sign)
    assert np.allclose(found, (by_class * sign[:, :, None]).sum(axis=1), rtol=0, atol=1e-12)
    assert np.allclose(found.sum(axis=1), (forest.raw(x) * sign).sum(axis=1), rtol=0, atol=1e-12)
    alone = np.concatenate([forest.differences(x[i : i + 1], sign[i : i + 1]) for i in range(len(x))])
    assert np.array_equal(alone, found)


def test_a_sign_for_each_score_is_asked_for() -> None:
    with pytest.raises(ValueError, match="sign"):
        Forest([_train(1)]).differences(np.zeros((2, N_FEATURES)), np.ones((2, 3)))


def test_trees_without_a_split() -> None:
    text = _train(1, min_child_samples=1000)
    assert "num_leaves=1\n" in text
    _agree([text], _rows(np.random.default_rng(9), 5))


def test_rows_do_not_depend_on_their_company() -> None:
    forest, x = Forest([_train(4)]), _rows(np.random.default_rng(9), 50)
    alone = np.concatenate([forest.contributions(x[i : i + 1]) for i in range(len(x))])
    assert np.array_equal(alone, forest.contributions(x))


def test_no_rows() -> None:
    forest = Forest([_train(1)])
    assert forest.contributions(np.empty((0, N_FEATURES))).shape == (0, N_FEATURES + 1)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda t: "nothing", "no LightGBM model"),
        (lambda t: t.replace("left_child=1 ", "left_child=900 ", 1), "damaged"),
        (lambda t: t.replace("left_child=1 ", "left_child=0 ", 1), "damaged"),
        (lambda t: t.replace("split_feature=0 ", "split_feature=77 ", 1), "damaged"),
    ],
)
def test_what_is_no_model_is_refused(damage: Any, says: str) -> None:
    text = _train(1)
    assert damage(text) != text
    with pytest.raises(ValueError, match=says):
        Forest([damage(text)])


def test_a_matrix_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="6 features"):
        Forest([_train(1)]).raw(np.zeros((2, 5)))


def test_trees_too_large_to_tabulate_are_refused() -> None:
    forest = Forest([_train(1, num_leaves=MOST_NODES + 40, max_depth=-1, min_child_samples=1)])
    assert len(forest.raw(np.zeros((1, N_FEATURES)))) == 1
    with pytest.raises(ValueError, match="num_leaves"):
        forest.contributions(np.zeros((1, N_FEATURES)))
    with pytest.raises(ValueError, match="num_leaves"):
        forest.differences(np.zeros((1, N_FEATURES)), np.ones((1, 1)))
