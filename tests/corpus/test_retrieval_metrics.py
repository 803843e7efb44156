from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.corpus.retrieval_metrics import RETRIEVAL_METRICS, differences, gains, intervals, per_query

JUDGED = [{"a": 2.0, "b": 1.0, "z": 0.0}, {"c": 1.0}, {"d": 1.0, "e": 1.0}]
RESULTS = [["x", "b", "a"], ["c"], []]


def test_figures_by_hand() -> None:
    figures = per_query(gains(RESULTS, JUDGED))
    ideal = 2 + 1 / np.log2(3)
    assert figures["ndcg_at_10"] == pytest.approx([(1 / np.log2(3) + 2 / np.log2(4)) / ideal, 1.0, 0.0])
    assert figures["recall_at_100"] == pytest.approx([1.0, 1.0, 0.0])
    assert figures["mrr"] == pytest.approx([0.5, 1.0, 0.0])
    assert tuple(figures) == RETRIEVAL_METRICS


def test_figures_look_no_deeper_than_they_say() -> None:
    results = [[*(f"x{n}" for n in range(10)), "a"], [*(f"x{n}" for n in range(100)), "a"]]
    figures = per_query(gains(results, [{"a": 1.0}, {"a": 1.0}]))
    assert figures["ndcg_at_10"].tolist() == [0.0, 0.0]
    assert figures["recall_at_100"].tolist() == [1.0, 0.0]
    assert figures["mrr"] == pytest.approx([1 / 11, 1 / 101])


def test_no_result_at_all_is_a_zero() -> None:
    figures = per_query(gains([[], []], [{"a": 1.0}, {"b": 1.0}]))
    assert all(values.tolist() == [0.0, 0.0] for values in figures.values())


def test_judgements_that_cannot_be_scored_are_refused() -> None:
    with pytest.raises(ValueError, match="no relevant passage"):
        gains([["a"]], [{"a": 0.0}])
    with pytest.raises(ValueError, match="named twice"):
        gains([["a", "a"]], [{"a": 1.0}])
    with pytest.raises(ValueError, match="2 rankings for 1"):
        gains([[], []], [{"a": 1.0}])


def test_intervals_hold_the_mean_and_are_of_queries() -> None:
    random = np.random.default_rng(0)
    figures = {"mrr": random.uniform(size=400)}
    found = intervals(figures, seed=1)["mrr"]
    assert found.value == pytest.approx(figures["mrr"].mean())
    half = 1.96 * figures["mrr"].std() / 20
    assert found.low == pytest.approx(found.value - half, abs=0.3 * half)
    assert found.high == pytest.approx(found.value + half, abs=0.3 * half)
    assert intervals(figures, seed=1) == intervals(figures, seed=1)


def test_a_difference_is_paired() -> None:
    first = {"mrr": np.random.default_rng(0).uniform(size=300)}
    second = {"mrr": first["mrr"] - 0.01}
    found = differences(first, second, seed=0)["mrr"]
    assert (found.low, found.value, found.high) == pytest.approx((0.01, 0.01, 0.01))
    grouped = intervals(first, seed=0, groups=np.repeat(np.arange(3), 100))["mrr"]
    assert grouped.high - grouped.low != pytest.approx(
        intervals(first, seed=0)["mrr"].high - intervals(first, seed=0)["mrr"].low
    )


@settings(deadline=None)
@given(st.permutations([f"d{n}" for n in range(14)]), st.sets(st.integers(0, 13), min_size=1))
def test_figures_lie_between_0_and_1_and_the_best_order_is_1(order: list[str], relevant: set[int]) -> None:
    judged = {f"d{n}": 1.0 + n % 3 for n in relevant}
    figures = per_query(gains([order, sorted(order, key=lambda i: -judged.get(i, 0.0))], [judged, judged]))
    assert all((0 <= values[0] <= 1 + 1e-12) and values[1] == pytest.approx(1.0) for values in figures.values())
    assert all(values[0] <= values[1] + 1e-12 for values in figures.values())
