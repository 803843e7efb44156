"""What is to be known of a found signal, in words.

Belongs here: the flags that the search itself knows of; tables, pages and dossiers show the same words. Does not belong
here: flags of the judgement (`exo_assets.scoring.found`).
"""

from __future__ import annotations

import polars as pl

from exo_assets.lightcurves.star_contracts import WITH_SCATTERED, WITHOUT_SCATTERED

OTHER_PERIODS = "the data allow other periods"
FLAGS: dict[str, pl.Expr] = {
    "below the thresholds of the search: not ranked": pl.col("below_threshold"),
    "the star varies at this period by more than the signal's depth": pl.col("is_variable"),
    OTHER_PERIODS: pl.col("period_alternatives_days").list.len() > 0,
    "found at a harmonic of the catalogued period": pl.col("match") == "harmonic",
    **{words: pl.col("scattered_light") == words for words in (WITH_SCATTERED, WITHOUT_SCATTERED)},
}
"""Words, and of which rows of `core_search` they hold."""


def in_words(flags: dict[str, pl.Expr]) -> pl.Expr:
    """Expression: the words of those that hold, a list."""
    return pl.concat_list(pl.when(holds).then(pl.lit(words)) for words, holds in flags.items()).list.drop_nulls()
