"""What the features' models, the network and their blend are worth beside each other, and beside what was published.

Belongs here: `ml_vetter_parts` from predictions. Does not belong here: scoring.

The parts are compared on the same signals, in pairs: the interval is that of the difference. Their log-odds are made
probabilities by Platt's map of each mission, fitted on the training stars out of fold; the blend has its own
calibration.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.evaluation.bootstrap import Metrics, bootstrap_by_star, paired_difference
from exo_assets.evaluation.contracts import ML_VETTER_PARTS
from exo_assets.evaluation.metrics import binary_metrics
from exo_assets.evaluation.published import EXOMINER
from exo_assets.evaluation.reliability import reliability_rows
from exo_assets.evaluation.report import interval_columns, resolved, sizes
from exo_assets.training.calibration import Calibrator

PARTS = {"features": "log_odds_features", "network": "log_odds_network"}
BLEND = "probability_planet"
SHOWN = ("roc_auc", "average_precision", "precision_at_recall_90", "recall_at_precision_99", "log_loss", "ece")
LEAST = 30
"""Signals of each class below which a population is not compared."""

PUBLISHED: tuple[tuple[str, str, float, str], ...] = (
    (
        "AstroNet (Shallue & Vanderburg 2018)",
        "roc_auc",
        0.988,
        "Kepler DR24 events with Autovetter labels, full light curves only; split by event, not by star",
    ),
    (
        "ExoNet (Ansdell et al. 2018)",
        "average_precision",
        0.980,
        "the same events with centroids and stellar parameters; split by event",
    ),
    (
        "LightGBM on 789 tsfresh features (Malik et al. 2021)",
        "roc_auc",
        0.948,
        "AstroNet's test set, light curves only",
    ),
    (
        f"{EXOMINER.name} ({EXOMINER.source})",
        EXOMINER.metric,
        EXOMINER.value,
        "Kepler DR25 events, planet candidates against all else, pipeline diagnostics and pixel data; split by target "
        "(our figure on that task: ml_event_metrics)",
    ),
)
"""Model, figure, value, and what differs from the figures of this table: label, data, split."""


def parts_table(predictions: pl.DataFrame, signals: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """`ml_vetter_parts` of `ml_vetter_predictions`; without a network only what was published stands in it.

    `signals` (core_signals) gives signal to noise and period, by which reliability is told.
    """
    judged = resolved(predictions.filter(inputs="as_archived"))
    rows = [
        {
            "model": model,
            "population": "published",
            "split": "published",
            "metric": metric,
            "value": value,
            "note": note,
        }
        for model, metric, value, note in PUBLISHED
    ]
    if judged["log_odds_network"].null_count() == 0 and judged.height:
        calibrated = _calibrated(judged)
        rows += list(_compared(calibrated, seed))
        rows += list(reliability_rows(calibrated, signals, (*PARTS, "blend")))
    return ML_VETTER_PARTS.conform(pl.DataFrame(rows, schema=ML_VETTER_PARTS.schema))


def _calibrated(judged: pl.DataFrame) -> pl.DataFrame:
    """`judged` with a probability by each part, in columns of the parts' names."""
    out = []
    for _, mission in judged.group_by("mission", maintain_order=True):
        taught = mission.filter(split="oof")
        y = taught["is_planet"].to_numpy().astype(np.float64)
        columns = {}
        for part, column in PARTS.items():
            map_ = Calibrator("identity")
            if len(np.unique(y)) == 2:
                map_ = Calibrator.fit("platt", taught[column].to_numpy(), y)
            columns[part] = pl.Series(part, map_(mission[column].to_numpy()))
        out.append(mission.with_columns(**columns, blend=pl.col(BLEND)))
    return pl.concat(out)


def _compared(judged: pl.DataFrame, seed: int) -> Iterator[dict[str, object]]:
    for population, split in product(("overall", *MISSIONS), ("test", "unseen")):
        part = judged if population == "overall" else judged.filter(mission=population)
        part = part if split == "unseen" else part.filter(split=split)
        planets = int(part["is_planet"].sum())
        if min(planets, part.height - planets) < LEAST:
            continue
        stars, truth = part["star_id"].to_numpy(), part["is_planet"].to_numpy()
        figures = {name: _metrics(truth, part[name].to_numpy()) for name in (*PARTS, "blend")}
        found = {name: bootstrap_by_star(stars, metrics, seed=seed) for name, metrics in figures.items()}
        for other in PARTS:
            pair = paired_difference(stars, figures["blend"], figures[other], seed=seed)
            found[f"blend - {other}"] = pair
        for model, intervals in found.items():
            for metric in SHOWN:
                yield {
                    "model": model,
                    "population": population,
                    "split": split,
                    "metric": metric,
                    **interval_columns(intervals[metric]),
                    **sizes(part),
                }


def _metrics(truth: np.ndarray, probability: np.ndarray) -> Metrics:
    return lambda weights: binary_metrics(truth, probability, weights)
