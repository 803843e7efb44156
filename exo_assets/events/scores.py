"""`out_event_scores`: every event as the vetter sees it.

Belongs here: the rows of that table. Does not belong here: predictions that measure the vetter (training.py): it has
learned from most of the events that it scores here.
"""

from __future__ import annotations

import polars as pl

from exo_assets.events.contracts import OUT_EVENT_SCORES
from exo_assets.events.labels import LABELS
from exo_assets.events.vetter import PROBABILITIES, EventVetter


def event_scores(
    vetter: EventVetter, events: pl.DataFrame, features: pl.DataFrame, predictions: pl.DataFrame
) -> pl.DataFrame:
    """`out_event_scores` of `core_events`, their features, and the predictions that say which were learned from."""
    most = pl.concat_list(PROBABILITIES).list.arg_max()
    learned = predictions.filter(split="oof").select("event", was_learned_from=pl.lit(True))
    scored = (
        events.select("event", "star_id", "label")
        .join(vetter.score(features), on="event", how="left", maintain_order="left")
        .join(learned, on="event", how="left", maintain_order="left")
        .with_columns(
            pl.col("was_learned_from").fill_null(False),
            verdict=most.replace_strict(dict(enumerate(LABELS)), return_dtype=pl.String),
            model_digest=pl.lit(vetter.digest),
        )
    )
    return OUT_EVENT_SCORES.conform(scored).sort("event")
