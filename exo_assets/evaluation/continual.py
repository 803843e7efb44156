"""What is gained and what forgotten when a second mission is learned: `ml_continual_learning`.

Belongs here: figures with intervals of the ways of learning. Does not belong here: the ways (training/continual.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from exo_assets.catalogs.contracts import RESOLVED
from exo_assets.evaluation.bootstrap import bootstrap_by_star
from exo_assets.evaluation.contracts import ML_CONTINUAL_LEARNING
from exo_assets.evaluation.metrics import binary_metrics
from exo_assets.evaluation.report import interval_columns, sizes
from exo_assets.training.calibration import sigmoid
from exo_assets.training.continual import WAYS, Learnt

PAIR = ("kepler", "tess")
SHOWN = ("accuracy", "roc_auc", "average_precision", "log_loss", "ece")


def continual_table(learnt: Learnt, judged: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """`judged` are the resolved test signals of PAIR, in the order of the log-odds; nothing is calibrated."""
    return ML_CONTINUAL_LEARNING.conform(
        pl.DataFrame(list(_rows(learnt, judged, seed)), schema=ML_CONTINUAL_LEARNING.schema)
    )


def _rows(learnt: Learnt, judged: pl.DataFrame, seed: int) -> Iterator[dict[str, object]]:
    for way, odds in learnt.log_odds.items():
        for role, mission in zip(("old", "new"), PAIR, strict=True):
            here = (judged["mission"].cast(pl.String) == mission).to_numpy()
            part, probability = judged.filter(here), sigmoid(odds[here])
            truth = (part["disposition"] == "CONFIRMED").to_numpy()
            found = bootstrap_by_star(
                part["star_id"].to_numpy(),
                lambda w, t=truth, p=probability: binary_metrics(t, p, w),  # type: ignore[misc]
                seed=seed,
            )
            for metric in SHOWN:
                yield {
                    "way": way,
                    "description": WAYS[way],
                    "role": role,
                    "mission": mission,
                    "metric": metric,
                    **interval_columns(found[metric]),
                    **sizes(part),
                }


def teachable(rows: pl.DataFrame, least: int) -> str | None:
    """Why the ways cannot be compared on these labelled signals; None when they can."""
    for mission in PAIR:
        mine = rows.filter(mission=mission)
        planets, others = ((mine["disposition"] == d).sum() for d in RESOLVED)
        if min(planets, others) < least:
            return f"{mission} has {planets} planets and {others} false positives, {least} of each are needed"
    return None


def is_judged() -> pl.Expr:
    """Whether a test signal is judged: resolved, and of PAIR."""
    return pl.col("mission").cast(pl.String).is_in(PAIR) & pl.col("disposition").is_in(RESOLVED)
