"""The frozen test set and the folds."""

from __future__ import annotations

import hashlib
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.training.splits import TEST_SHARE, assign_folds, assign_splits, in_test


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


labelled = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.sampled_from(["kepler", "tess"]),
        st.sampled_from(["CONFIRMED", "CANDIDATE", "FALSE POSITIVE", None]),
    ),
    min_size=1,
    max_size=200,
)


@given(labelled, st.integers(2, 6), st.randoms(use_true_random=False))
def test_folds_are_grouped_by_star_and_stratified(rows: list[Any], folds: int, random: Any) -> None:
    schema = {"star_id": pl.String, "mission": pl.String, "disposition": pl.String}
    signals = pl.DataFrame([(f"star {s}", m, d) for s, m, d in rows], schema=schema, orient="row")
    made = assign_folds(signals, folds)
    assert made["star_id"].n_unique() == made.height == signals["star_id"].n_unique()
    kinds = signals.group_by("star_id").agg(pl.concat_list("mission", "disposition").sort().alias("kind"))
    per_kind = kinds.join(made, on="star_id").group_by("kind", "fold").len()
    for _, kind in per_kind.group_by("kind"):
        least = kind["len"].min() if kind.height == folds else 0
        assert kind["len"].max() - least <= 1
    random.shuffle(rows)
    again = pl.DataFrame([(f"star {s}", m, d) for s, m, d in rows], schema=schema, orient="row")
    assert assign_folds(again, folds).equals(made)


def test_a_star_with_several_names_is_in_the_test_set_if_any_says_so() -> None:
    tested = next(f"TIC {i}" for i in range(100) if in_test(f"TIC {i}"))
    free = next(f"KIC {i}" for i in range(100) if not in_test(f"KIC {i}"))
    two_names = pl.DataFrame({"star_id": ["a", "a", "b"], "mission_star_id": [free, tested, free + "0"]})
    assert assign_splits(two_names).filter(star_id="a")["split"].to_list() == ["test"]
