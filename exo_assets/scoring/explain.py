"""Judgements with what the views argued for.

Belongs here: `judge` and occlusions over the same features. Does not belong here: either of them, or pictures.
"""

from __future__ import annotations

from typing import Protocol

import polars as pl

from exo_assets.scoring.known import NOTHING, Known
from exo_assets.scoring.score import Scorer, prepare
from exo_assets.training.view_reasons import ViewReasons


class Explainer(Scorer, Protocol):
    """The part of `exo_assets.training.vetter.Vetter` that explaining uses."""

    def unseen_views(self, mission: str) -> str | None:
        """Why no views of this mission's signals are seen; None when they are."""

    def occlude_features(self, features: pl.DataFrame) -> list[ViewReasons | None]:
        """What the views of each row argued for; None where none are seen."""


def judge_and_explain(
    signals: pl.DataFrame, vetter: Explainer, known: Known = NOTHING
) -> tuple[pl.DataFrame, list[ViewReasons | None]]:
    """`score.judge`, and of each row what its views argued for: None where the vetter sees none."""
    prepared = prepare(signals, vetter, known=known)
    judged = prepared.judged(vetter.score_features(prepared.features))
    found = dict(zip(prepared.features["signal_id"], vetter.occlude_features(prepared.features), strict=True))
    return judged, [found.get(str(row)) for row in range(signals.height)]
