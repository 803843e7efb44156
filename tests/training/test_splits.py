"""The frozen test set and the folds."""

from __future__ import annotations

import hashlib

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.training.splits import TEST_SHARE, assign_folds, assign_splits, fold_balance, in_test, moved


def stars(n: int) -> pl.DataFrame:
    names = [f"KIC {i}" for i in range(n)]
    return pl.DataFrame({"star_id": names, "mission_star_id": names})


def test_the_test_set_is_frozen() -> None:
    """These stars are in or out for ever: every figure ever recorded rests on it."""
    digest = hashlib.sha256("".join(str(int(in_test(f"KIC {i}"))) for i in range(5000)).encode()).hexdigest()
    assert digest[:16] == "3e02718ad87409ff"


def test_share() -> None:
    made = assign_splits(stars(20_000))
    assert abs((made["split"] == "test").mean() - TEST_SHARE) < 0.01


def test_new_stars_never_move_old_ones() -> None:
    few, many = assign_splits(stars(300)), assign_splits(stars(3000).sample(fraction=1.0, shuffle=True, seed=1))
    both = few.join(many, on="star_id", suffix="_later")
    assert both.height == 300
    assert both["split"].equals(both["split_later"])


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=200), st.integers(2, 6), st.integers(1, 200))
def test_folds_are_grouped_by_star_and_never_move(numbers: list[int], folds: int, first: int) -> None:
    signals = pl.DataFrame({"star_id": [f"star {n}" for n in numbers]})
    made = assign_folds(signals, folds)
    assert made["star_id"].n_unique() == made.height == signals["star_id"].n_unique()
    assert made["fold"].is_between(0, folds - 1).all()
    before = assign_folds(signals.head(first), folds)
    assert before.equals(made.join(before, on="star_id", how="semi").sort("star_id"))


def test_folds_are_of_one_size() -> None:
    shares = assign_folds(stars(20_000), 5)["fold"].value_counts(normalize=True)["proportion"]
    assert abs(shares - 0.2).max() < 0.01


def test_folds_by_hash_are_balanced_and_lopsided_ones_are_told() -> None:
    made = assign_folds(stars(3_000), 5).with_columns(
        mission=pl.Series(["kepler", "k2", "tess"] * 1_000), label=pl.Series(["CONFIRMED", "FALSE POSITIVE"] * 1_500)
    )
    even = fold_balance(made, 5)
    assert even.height == 6 and even["stars"].sum() == 3_000
    assert (even["p_value"] > 1e-6).all() and even["smallest"].min() > 0.7 and even["largest"].max() < 1.3
    # All of K2's false positives in one fold: that fold would be judged by models that never saw one.
    lost = (pl.col("mission") == "k2") & (pl.col("label") == "FALSE POSITIVE")
    guilty = fold_balance(made.with_columns(fold=pl.when(lost).then(0).otherwise("fold")), 5).filter(
        pl.col("p_value") < 1e-6
    )
    assert guilty.select("mission", "label").rows() == [("k2", "FALSE POSITIVE")]
    assert guilty["smallest"][0] == 0 and guilty["largest"][0] == 5
    # A star counts once, whatever the number of its signals.
    assert fold_balance(pl.concat([made, made]), 5).equals(even)


def test_a_star_with_several_names_is_in_the_test_set_if_any_says_so() -> None:
    tested = next(f"TIC {i}" for i in range(100) if in_test(f"TIC {i}"))
    free = next(f"KIC {i}" for i in range(100) if not in_test(f"KIC {i}"))
    two_names = pl.DataFrame({"star_id": ["a", "a", "b"], "mission_star_id": [free, tested, free + "0"]})
    assert assign_splits(two_names).filter(star_id="a")["split"].to_list() == ["test"]


def test_what_changed_sides_or_folds_is_told() -> None:
    learned = pl.DataFrame({"signal_id": ["a", "a", "b", "c", "d"], "fold": [0, 0, 1, 2, 3]})
    today = pl.DataFrame(
        {"signal_id": ["a", "b", "c", "e"], "split": ["train", "test", "train", "test"], "fold": [0, None, 4, None]}
    )
    assert moved(learned, today).sort("signal_id")["signal_id"].to_list() == ["b", "c"]
    assert moved(learned.filter(signal_id="a"), today).is_empty()
