"""Plain training against class weights, SMOTE and a linear model, on the same folds.

Belongs here: the comparison and the rule by which one is kept. Does not belong here: the vetter's own recipe.

Everything that is fitted (imputation, scaling, oversampling) is fitted inside the fold. Only what the vetter can use
may be kept: it reads unknowns as they are, while SMOTE can only invent neighbours of imputed signals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.features.transformer import Matrix, SignalTransformer
from exo_assets.training.calibration import Calibrator
from exo_assets.training.settings import TrainingSettings
from exo_assets.training.vetter_training import Runner, balancing, serial

METHODS: Mapping[str, str] = {
    "plain": "LightGBM on features with unknowns as they are",
    "weights": "the same, both classes weighing the same",
    "smote": "LightGBM on imputed and scaled features, false or true planets invented by SMOTE inside the fold",
    "logistic": "logistic regression on imputed and scaled features",
}
USABLE = ("plain", "weights")
FIGURES = ("roc_auc", "average_precision", "precision_at_recall_90", "macro_f1", "log_loss", "ece")


@dataclass(frozen=True)
class Fold:
    """One method on one fold."""

    method: str
    fold: int
    seed: int
    rounds: int
    params: Mapping[str, float | int | bool]


@dataclass(frozen=True)
class Rows:
    """Resolved training signals: features as they are, whether a planet, fold and mission."""

    features: pl.DataFrame
    signals: pl.DataFrame
    y: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]


def fit_fold(rows: Rows, task: Fold) -> npt.NDArray[np.float64]:
    """Probabilities of the held-out fold."""
    inside, held = rows.fold != task.fold, rows.fold == task.fold
    y = rows.y[inside]
    transformer = SignalTransformer.fit(rows.signals.filter(inside), pl.Series(y == 1))
    shown = transformer.withhold(rows.features)
    fixed = {"objective": "binary", "num_threads": 1, "deterministic": True, "seed": task.seed, "verbosity": -1}
    params = {**task.params, **fixed}
    if task.method in USABLE:
        x = transformer.matrix(shown)
        weight = balancing(y, np.ones(len(y))) if task.method == "weights" else None
        return _lightgbm(params, task.rounds, x[inside], y, weight=weight, held=x[held])
    x = transformer.dense(shown)
    if task.method == "smote":
        from imblearn.over_sampling import SMOTE

        made, label = SMOTE(random_state=task.seed).fit_resample(x[inside], y)
        return _lightgbm(params, task.rounds, made, label, weight=None, held=x[held])
    if task.method == "logistic":
        from sklearn.linear_model import LogisticRegression

        return np.asarray(LogisticRegression(C=0.3, max_iter=2000).fit(x[inside], y).predict_proba(x[held])[:, 1])
    raise ValueError(f"unknown method {task.method!r}; known are {', '.join(METHODS)}")


def _lightgbm(
    params: Mapping[str, Any], rounds: int, x: Matrix, y: npt.NDArray[np.int64], *, weight: Any, held: Matrix
) -> npt.NDArray[np.float64]:
    import lightgbm

    data = lightgbm.Dataset(x, y.astype(np.float64), weight=weight, params={"verbosity": -1})
    return np.asarray(lightgbm.train(dict(params), data, rounds).predict(held, num_threads=1))


def compare(
    features: pl.DataFrame, signals: pl.DataFrame, settings: TrainingSettings, run: Runner = serial
) -> pl.DataFrame:
    """A row per method: figures on pooled out-of-fold predictions, and which method is kept.

    `features` are rows of `feat_signals`, `signals` the same rows of `core_signals` with `fold`; candidates are left
    out. Ranking figures are of the raw output; log loss and ECE after Platt's calibration, as the vetter is calibrated
    afterwards too.
    """
    from exo_assets.evaluation.metrics import binary_metrics, point

    signals = signals.filter(pl.col("disposition") != "CANDIDATE").sort("signal_id")
    features = signals.select("signal_id").join(features, on="signal_id", how="left", maintain_order="left")
    rows = Rows(
        features,
        signals,
        (signals["disposition"] == "CONFIRMED").to_numpy().astype(np.int64),
        signals["fold"].to_numpy().astype(np.int64),
    )
    tasks = [
        Fold(m, int(f), settings.seed, settings.selection_rounds, settings.planet)
        for m in METHODS
        for f in np.unique(rows.fold)
    ]
    out = []
    done = list(zip(tasks, run(fit_fold, rows, tasks), strict=True))
    for method, description in METHODS.items():
        p = np.empty(len(rows.y))
        for task, held in done:
            if task.method == method:
                p[rows.fold == task.fold] = held
        raw = np.log(np.clip(p, 1e-9, 1)) - np.log(np.clip(1 - p, 1e-9, 1))
        calibrated = Calibrator.fit("platt", raw, rows.y.astype(np.float64))(raw)
        ranked, judged = point(binary_metrics(rows.y, p)), point(binary_metrics(rows.y, calibrated))
        figures = ranked | {name: judged[name] for name in ("log_loss", "ece")}
        out.append(
            {"method": method, "description": description, "n_signals": len(rows.y)} | {n: figures[n] for n in FIGURES}
        )
    table = pl.DataFrame(out)
    ap = dict(zip(table["method"], table["average_precision"], strict=True))
    kept = "weights" if ap["weights"] >= ap["plain"] + settings.balance_gain else "plain"
    return table.with_columns(
        is_usable=pl.col("method").is_in(USABLE),
        is_best=pl.col("average_precision") == pl.col("average_precision").max(),
        is_kept=pl.col("method") == kept,
    )
