"""Prediction sets hold the truth as often as they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.training.conformal import SETS, SetLimits, fit_limits


def drawn(seed: int, n: int, bias: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a model (wrong by `bias` log-odds) and what the signals are."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 2, n)
    return 1 / (1 + np.exp(-odds - bias)), rng.random(n) < 1 / (1 + np.exp(-odds))


@pytest.mark.parametrize("bias", [-2.0, 0.0, 2.0])
@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_each_class_is_covered_whatever_the_model_says(bias: float, coverage: float) -> None:
    held = []
    for seed in range(60):
        limits = fit_limits(*drawn(seed, 400, bias), coverage)
        p, planet = drawn(seed + 1000, 400, bias)
        sets = limits.sets(p)
        right = (sets == "unsure") | (sets == np.where(planet, "planet", "false positive"))
        held.append((right[planet].mean(), right[~planet].mean()))
    assert (np.mean(held, axis=0) >= coverage - 0.01).all()


@given(st.integers(0, 1000), st.integers(0, 40), st.floats(0.5, 0.99))
def test_limits_are_probabilities_and_sets_are_known(seed: int, n: int, coverage: float) -> None:
    p, planet = drawn(seed, n)
    limits = fit_limits(p, planet, coverage)
    assert 0 <= limits.planet_from <= 1 and 0 <= limits.false_positive_to <= 1
    assert set(limits.sets(p)) <= set(SETS)


def test_too_few_to_promise_anything_is_unsure() -> None:
    limits = fit_limits(np.array([0.99, 0.01]), np.array([True, False]), 0.95)
    assert limits == SetLimits(0.0, 1.0)
    assert list(limits.sets(np.array([0.999, 0.001]))) == ["unsure", "unsure"]


def test_neither_counts_as_unsure() -> None:
    assert list(SetLimits(0.7, 0.3).sets(np.array([0.9, 0.5, 0.1]))) == ["planet", "unsure", "false positive"]
