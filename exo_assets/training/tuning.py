"""The space of the hyper-parameter search and what it minimises.

Belongs here: pure functions of data and parameters. Does not belong here: the search itself (Ray Tune).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from exo_assets.training.calibration import Calibrator, log_loss
from exo_assets.training.settings import TrainingSettings
from exo_assets.training.vetter_training import Data, Task, fit_task

SPACE: Mapping[str, tuple[float, float, str]] = {
    "learning_rate": (0.02, 0.15, "log"),
    "num_leaves": (8, 31, "int"),
    "max_depth": (4, 6, "int"),
    "min_child_samples": (5, 60, "int"),
    "feature_fraction": (0.2, 0.9, "uniform"),
    "lambda_l2": (0.01, 20.0, "log"),
}
"""Leaves and depth end where SHAP values can be tabulated (forest.py); rounds are fixed."""


@dataclass(frozen=True)
class Search:
    """What a trial needs: the data of the training and its settings, and the missions to judge."""

    data: Data
    settings: TrainingSettings
    missions: tuple[str, ...]


def objective(search: Search, parameters: Mapping[str, Any]) -> float:
    """Mean over missions and layouts of the out-of-fold log loss after Platt's calibration, one bag."""
    s, data = search.settings, search.data
    params = {**s.planet, **parameters}
    losses = []
    for mission in search.missions:
        raw = {layout: np.full(len(data.label), np.nan) for layout in data.x}
        for fold in range(s.folds):
            fit = fit_task(data, Task("planet", mission, 0.0, fold, s.seed, s.planet_rounds, params))
            for layout, values in fit.raw.items():
                raw[layout][fit.rows] = values[:, 0]
        for values in raw.values():
            here = (data.mission == mission) & (data.label != 1) & np.isfinite(values)
            y = (data.label[here] == 0).astype(np.float64)
            losses.append(log_loss(y, Calibrator.fit("platt", values[here], y)(values[here])))
    return float(np.mean(losses))
