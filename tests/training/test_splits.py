"""The frozen test set and the folds."""

from __future__ import annotations

import hashlib

import polars as pl

from exo_assets.training.splits import TEST_SHARE, assign_splits, in_test


def stars(n: int) -> pl.DataFrame:
    names = [f"KIC {i}" for i in range(n)]
    return pl.DataFrame({"star_id": names, "mission_star_id": names})


def test_the_test_set_is_frozen() -> None:
    """These stars are in or out for ever: every figure ever recorded rests on it."""
    digest = hashlib.sha256("".join(str(int(in_test(f"KIC {i}"))) for i in range(5000)).encode()).hexdigest()
    assert digest[:16] == "3e02718ad87409ff"


def test_shares() -> None:
    made = assign_splits(stars(20_000), folds=5)
    assert abs((made["split"] == "test").mean() - TEST_SHARE) < 0.01
    per_fold = made.filter(split="train").group_by("fold").len()["len"]
    assert per_fold.len() == 5 and per_fold.min() > 0.9 * per_fold.max()
    assert made.filter(split="test")["fold"].null_count() == (made["split"] == "test").sum()


def test_new_stars_never_move_old_ones() -> None:
    few, many = assign_splits(stars(300), 5), assign_splits(stars(3000).sample(fraction=1.0, shuffle=True, seed=1), 5)
    both = few.join(many, on="star_id", suffix="_later")
    assert both.height == 300
    assert both["split"].equals(both["split_later"]) and both["fold"].equals(both["fold_later"])


def test_a_star_with_several_names_is_in_the_test_set_if_any_says_so() -> None:
    tested = next(f"TIC {i}" for i in range(100) if in_test(f"TIC {i}"))
    free = next(f"KIC {i}" for i in range(100) if not in_test(f"KIC {i}"))
    two_names = pl.DataFrame({"star_id": ["a", "a", "b"], "mission_star_id": [free, tested, free + "0"]})
    assert assign_splits(two_names, 5).filter(star_id="a")["split"].to_list() == ["test"]
