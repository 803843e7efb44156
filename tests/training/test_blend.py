"""Weights of the blend, and of the classes' logits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.training.blend import Blend, fit_blend, fit_class_weights, is_worth_blending
from exo_assets.training.calibration import softmax


def drawn(seed: int, n: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two noisy views of the same log-odds, and labels drawn from it."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 2, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-truth))).astype(float)
    return truth + rng.normal(0, 1, n), truth + rng.normal(0, 1, n), y


def loss(odds: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(np.logaddexp(0, odds) - y * odds))


def test_a_blend_is_better_than_either_on_new_signals() -> None:
    blend = fit_blend(*drawn(1))
    a, b, y = drawn(2)
    assert 0.2 < blend.features < 0.8 and 0.2 < blend.network < 0.8
    assert loss(blend(a, b), y) < min(loss(a, y), loss(b, y))


@given(st.integers(0, 50))
def test_noise_weighs_nothing_and_nothing_weighs_less_than_nothing(seed: int) -> None:
    a, _, y = drawn(seed, 600)
    noise = np.random.default_rng(seed + 1).normal(0, 1, len(y))
    blend = fit_blend(a, noise, y)
    assert 0 < blend.network < 0.3 < blend.features


def test_one_model_alone_is_taken_as_it_is() -> None:
    a, b, y = drawn(3)
    assert fit_blend(a, None, y) == Blend(1.0, 0.0)
    assert fit_blend(a, b, np.ones_like(y)) == Blend()
    assert np.array_equal(Blend()(a, None), a)
    with pytest.raises(ValueError, match="network"):
        Blend(0.5, 0.5)(a, None)


def test_a_second_model_is_blended_only_where_it_helps() -> None:
    a, b, y = drawn(6)
    fold = np.arange(len(y)) % 5
    assert is_worth_blending(a, b, y, fold)
    assert not is_worth_blending(a, np.random.default_rng(7).normal(size=len(y)), y, fold)
    assert not is_worth_blending(a, a, y, fold)
    assert not is_worth_blending(a, b, np.ones_like(y), fold)


def test_temperature_is_found_again() -> None:
    rng = np.random.default_rng(4)
    z = rng.normal(0, 2, (20_000, 3))
    label = np.array([rng.choice(3, p=p) for p in softmax(z)])
    (weight,) = fit_class_weights([z * 2.5], label)
    assert 1 / weight == pytest.approx(2.5, rel=0.06)


def test_two_sets_of_logits_share_the_weight() -> None:
    rng = np.random.default_rng(5)
    z = rng.normal(0, 2, (8000, 3))
    label = np.array([rng.choice(3, p=p) for p in softmax(z)])
    one, other = (z + rng.normal(0, 1, z.shape) for _ in range(2))
    weights = fit_class_weights([one, other], label)
    assert weights == pytest.approx((weights[0], weights[0]), rel=0.15)
