"""`out_event_scores`: every event as the vetter sees it.

Belongs here: the rows of that table. Does not belong here: predictions that measure the vetter (training.py): it has
learned from most of the events that it scores here.
"""

from __future__ import annotations

import polars as pl

from exo_assets.events.contracts import OUT_EVENT_SCORES
from exo_assets.events.training import divided, learnable
from exo_assets.events.vetter import EventVetter


def event_scores(vetter: EventVetter, digest: str, events: pl.DataFrame) -> pl.DataFrame:
    """`out_event_scores` of `core_events` by the vetter with `digest`. An event was learned from when it has a label,
    its star is none of the frozen test stars, and the vetter knew it when it was trained."""
    known = vetter.context.select("event")
    learned = divided(learnable(events), 1).filter(split="train").join(known, on="event", how="semi").select("event")
    scored = (
        events.select("event", "star_id", "label")
        .join(vetter.judge(events), on="event", how="left", maintain_order="left")
        .join(learned.with_columns(was_learned_from=pl.lit(True)), on="event", how="left", maintain_order="left")
        .with_columns(pl.col("was_learned_from").fill_null(False), model_digest=pl.lit(digest))
    )
    return OUT_EVENT_SCORES.conform(scored).sort("event")
