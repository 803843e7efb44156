"""Which stars the model may learn from, and the folds among them.

Belongs here: the frozen test set and the folds, both pure functions of star names, so that new data never move a star.
"""

from __future__ import annotations

import hashlib

import polars as pl

TEST_SHARE = 0.2
"""Share of stars in the frozen test set. Changing it changes the meaning of every figure ever recorded."""


def unit_hash(text: str) -> float:
    """A number in [0, 1) from the SHA-256 of `text`."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:13], 16) / 16**13


def in_test(mission_star_id: str) -> bool:
    """Whether a star, by one of its mission names, is in the frozen test set."""
    return unit_hash(mission_star_id) < TEST_SHARE


def assign_splits(stars: pl.DataFrame, folds: int) -> pl.DataFrame:
    """`star_id`, `split` (train or test) and `fold` of every star in `stars` [star_id, mission_star_id].

    A star is in the test set if any of its mission names says so; its fold (0 .. folds-1) comes from its first name
    in sorted order. `fold` is null for test stars.
    """
    named = stars.select("star_id", "mission_star_id").unique().sort("star_id", "mission_star_id")
    named = named.with_columns(
        pl.col("mission_star_id").map_elements(in_test, return_dtype=pl.Boolean).alias("test"),
        (pl.lit("fold:") + pl.col("mission_star_id")).map_elements(unit_hash, return_dtype=pl.Float64).alias("u"),
    )
    one = named.group_by("star_id", maintain_order=True).agg(pl.col("test").any(), pl.col("u").first())
    return one.select(
        "star_id",
        pl.when("test").then(pl.lit("test")).otherwise(pl.lit("train")).alias("split"),
        pl.when(~pl.col("test")).then((pl.col("u") * folds).floor()).cast(pl.Int64).alias("fold"),
    )
