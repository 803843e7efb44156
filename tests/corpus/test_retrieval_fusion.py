from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from exo_assets.corpus.fusion import (
    EQUAL,
    MOSTLY_DENSE,
    RECIPROCAL,
    Fusion,
    best_of_documents,
    deepest,
    fuse,
    ranked,
    reciprocal_ranks,
    stretched,
)

NAN = float("nan")
DENSE = np.array([0.9, 0.5, 0.1, 0.7])
KEYWORD = np.array([NAN, 8.0, 4.0, NAN])
SCORES = hnp.arrays(float, st.integers(1, 30), elements=st.floats(-5, 5) | st.just(NAN))


def test_weighted_sums_of_stretched_scores() -> None:
    legs = {"dense": DENSE, "keyword": KEYWORD}
    dense = DENSE / 0.9
    assert fuse(legs, EQUAL) == pytest.approx([0.5, 0.5 * dense[1] + 0.5, 0.5 * dense[2] + 0.25, 0.5 * dense[3]])
    assert fuse(legs, MOSTLY_DENSE) == pytest.approx([0.7, 0.7 * dense[1] + 0.3, 0.7 * dense[2] + 0.15, 0.7 * dense[3]])
    assert fuse(legs, Fusion({"dense": 7, "keyword": 3})) == pytest.approx(fuse(legs, MOSTLY_DENSE))


def test_a_weighted_score_means_the_same_however_deep_the_legs_were_searched() -> None:
    random = np.random.default_rng(0)
    legs = {"dense": random.uniform(-0.2, 0.9, 500), "keyword": random.gamma(1, 3, 500)}
    shallow, deep = (fuse(legs, Fusion({"dense": 0.5, "keyword": 0.5}, depth)) for depth in (100, 500))
    both = [set(ranked(scores, 100).tolist()) for scores in legs.values()]
    rows = sorted(both[0] & both[1])
    assert len(rows) > 5 and shallow[rows] == pytest.approx(deep[rows])


def test_reciprocal_ranks_add_up() -> None:
    assert reciprocal_ranks(KEYWORD) == pytest.approx([NAN, 1 / 61, 1 / 62, NAN], nan_ok=True)
    fused = fuse({"dense": DENSE, "keyword": KEYWORD}, RECIPROCAL)
    assert fused == pytest.approx([1 / 61, 1 / 63 + 1 / 61, 1 / 64 + 1 / 62, 1 / 62])


def test_each_leg_brings_in_its_best_only() -> None:
    fused = fuse({"dense": DENSE, "keyword": KEYWORD}, Fusion({"dense": 0.5, "keyword": 0.5}, depth=1))
    assert fused == pytest.approx([0.5, 0.5, NAN, NAN], nan_ok=True)


def test_a_leg_that_found_nothing_changes_nothing() -> None:
    nothing = np.full(4, NAN)
    for how in (EQUAL, RECIPROCAL):
        fused = fuse({"dense": DENSE, "keyword": nothing}, how)
        assert ranked(fused, 4).tolist() == ranked(DENSE, 4).tolist()
    assert np.isnan(fuse({"dense": nothing, "keyword": nothing}, EQUAL)).all()


def test_one_passage_of_each_document() -> None:
    scores = np.array([0.1, 0.9, 0.8, NAN, 0.3])
    assert best_of_documents(scores, ["a", "b", "b", "c", "a"], 10).tolist() == [1, 4]
    assert best_of_documents(scores, ["a", "b", "b", "c", "a"], 1).tolist() == [1]


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="not all 0"):
        Fusion({"dense": 0.0, "keyword": 0.0})
    with pytest.raises(ValueError, match="0 or more"):
        Fusion({"dense": -1.0, "keyword": 2.0})
    with pytest.raises(ValueError, match="depth"):
        Fusion(depth=0)
    with pytest.raises(ValueError, match="the legs are"):
        fuse({"dense": DENSE}, EQUAL)


@settings(deadline=None)
@given(SCORES, st.integers(1, 40))
def test_ranked_is_a_stable_sort_of_what_was_found(scores: np.ndarray, limit: int) -> None:
    expected = sorted((r for r in range(scores.size) if not np.isnan(scores[r])), key=lambda r: -scores[r])[:limit]
    assert ranked(scores, limit).tolist() == expected
    assert np.flatnonzero(~np.isnan(deepest(scores, limit))).tolist() == sorted(expected)


@settings(deadline=None)
@given(SCORES, st.floats(0.1, 10))
def test_stretching_keeps_the_order_and_forgets_the_scale(scores: np.ndarray, scale: float) -> None:
    out = stretched(scores)
    assert (np.isnan(out) == np.isnan(scores)).all()
    found, given_scores = out[~np.isnan(out)], scores[~np.isnan(scores)]
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found[np.argsort(given_scores)]) >= 0).all()
    if found.size and given_scores.max() > 1e-3:
        assert found.max() == 1 and out == pytest.approx(stretched(scores * scale), abs=1e-6, nan_ok=True)


@settings(deadline=None)
@given(SCORES)
def test_two_legs_that_agree_rank_as_one(scores: np.ndarray) -> None:
    scores = scores + 6  # none below what nothing in common scores
    for how in (EQUAL, RECIPROCAL):
        fused = fuse({"dense": scores, "keyword": scores}, how)
        assert ranked(fused, 5)[:1].tolist() == ranked(scores, 5)[:1].tolist()
