"""Which stars the model may learn from, and the folds among them.

Belongs here: the frozen test set and the folds of the training stars, pure functions of star names, so that new data
never move a star. The names are keys: KIC, TIC and EPIC numbers, or what `core_k2_hosts` keeps for a host without one.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

TEST_SHARE = 0.2
"""Share of stars in the frozen test set. Changing it changes the meaning of every figure ever recorded."""


def unit_hash(text: str) -> float:
    """A number in [0, 1) from the SHA-256 of `text`."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:13], 16) / 16**13


def validation_draw(star_id: str) -> float:
    """A number in [0, 1) of the star, by which it is chosen to decide when a network's training stops."""
    return unit_hash(f"inner:{star_id}")


def moved(learned: pl.DataFrame, today: pl.DataFrame) -> pl.DataFrame:
    """Signals of `learned` [signal_id, fold] that are in the test set or in another fold of `today` [signal_id, split,
    fold]. A model that learned them cannot be gone on from: its networks have seen what they would be judged on."""
    both = learned.unique("signal_id").join(today, on="signal_id", suffix="_now")
    return both.filter((pl.col("split") == "test") | pl.col("fold").ne_missing(pl.col("fold_now")))


def in_test(mission_star_id: str) -> bool:
    """Whether a star, by one of its mission names, is in the frozen test set."""
    return unit_hash(mission_star_id) < TEST_SHARE


def assign_splits(stars: pl.DataFrame) -> pl.DataFrame:
    """`star_id` and `split` (train or test) of every star in `stars` [star_id, mission_star_id].

    A star is in the test set if any of its mission names says so.
    """
    named = stars.select("star_id", "mission_star_id").unique()
    tested = named.with_columns(pl.col("mission_star_id").map_elements(in_test, return_dtype=pl.Boolean).alias("test"))
    return (
        tested.group_by("star_id")
        .agg(pl.col("test").any())
        .sort("star_id")
        .select("star_id", pl.when("test").then(pl.lit("test")).otherwise(pl.lit("train")).alias("split"))
    )


def fold_balance(rows: pl.DataFrame, folds: int) -> pl.DataFrame:
    """How evenly each mission's stars of each label lie in the folds; one row a mission and label.

    `rows` [mission, label, star_id, fold] are signals of training stars. `smallest` and `largest`: the stars of a fold
    over an even share. `p_value`: chance that independent draws of folds are so uneven (Pearson's chi-squared test).
    """
    from scipy.stats import chisquare

    parts = (
        rows.unique(["mission", "label", "star_id"])
        .sort("mission", "label")
        .group_by("mission", "label", maintain_order=True)
    )
    out = []
    for (mission, label), part in parts:
        count = np.bincount(part["fold"].to_numpy(), minlength=folds)
        share = count / count.mean()
        chance = float(chisquare(count).pvalue)
        out.append((mission, label, part.height, float(share.min()), float(share.max()), chance))
    schema = {"mission": pl.String, "label": pl.String, "stars": pl.Int64}
    return pl.DataFrame(
        out, schema={**schema, "smallest": pl.Float64, "largest": pl.Float64, "p_value": pl.Float64}, orient="row"
    )


def assign_folds(signals: pl.DataFrame, folds: int) -> pl.DataFrame:
    """`star_id` and `fold` (0 .. folds-1) of every star in `signals`.

    By a hash of the star's name alone: neither new stars nor new labels move a star to another fold, so a network that
    goes on from one of yesterday's folds (continual.py) has not seen what that fold leaves out. What it costs is that
    missions and labels are dealt by chance; `fold_balance` tells how evenly.
    """
    stars = signals.select("star_id").unique().sort("star_id")
    hashed = ("fold:" + pl.col("star_id")).map_elements(unit_hash, return_dtype=pl.Float64)
    return stars.with_columns(fold=(hashed * folds).cast(pl.Int64))
