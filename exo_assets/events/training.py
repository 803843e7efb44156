"""Training of the event vetter: independent fits, predictions for stars that a model never saw, calibration.

Belongs here: the recipe as pure functions of tables; `run` decides where fits are computed. Does not belong here: Ray,
the lake, figures (report.py).

The frozen test stars are those of the signals' vetter (training/splits.py): none is ever learned from, and nothing is
chosen by them. A second, plain LightGBM on the archive's own columns is fitted to the same rows, to be compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.events.columns import MEASURED
from exo_assets.events.contracts import ML_EVENT_PREDICTIONS
from exo_assets.events.features import CONTEXT_COLUMNS, feature_names
from exo_assets.events.labels import LABELS
from exo_assets.events.sets import fit_limits
from exo_assets.events.settings import EventSettings, Parameters
from exo_assets.events.vetter import PROBABILITIES, EventVetter, matrix, planet_log_odds, probabilities
from exo_assets.training.calibration import Calibrator, choose
from exo_assets.training.splits import assign_folds, assign_splits
from exo_assets.training.vetter_training import Runner, serial

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TEST = -1
"""Fold of the frozen test stars; leaving it out is training on all training stars."""
PLAIN_COLUMNS = tuple(c.name for c in MEASURED if c.name != "t0_bkjd")
"""What the plain model sees: the archive's columns as they are."""


@dataclass(frozen=True)
class Data:
    """What every fit needs: the matrix of each model, labels (index into LABELS), folds of both kinds."""

    x: dict[str, Array]
    label: Ints
    fold: Ints
    published_fold: Ints


@dataclass(frozen=True)
class Task:
    """One fit of `model` (event or plain) without the rows of fold `holdout` of `folds` (fold or published_fold)."""

    model: str
    folds: str
    holdout: int
    seed: int
    rounds: int
    params: Parameters


@dataclass(frozen=True)
class Fit:
    """A fitted model as text, and the raw scores (rows, classes) of what it left out."""

    text: str
    rows: Ints
    raw: Array


def fit_task(data: Data, task: Task) -> Fit:
    """Fit one task (single-threaded, deterministic) and predict what it left out."""
    import lightgbm

    fold, x = getattr(data, task.folds), data.x[task.model]
    rows = np.flatnonzero(fold == task.holdout)
    used = np.flatnonzero((fold != task.holdout) & (fold != TEST))
    params = {
        **task.params,
        "objective": "multiclass",
        "num_class": len(LABELS),
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": task.seed,
        "verbosity": -1,
    }
    dataset = lightgbm.Dataset(x[used], data.label[used], params={"verbosity": -1})
    booster = lightgbm.train(params, dataset, task.rounds)
    raw = booster.predict(x[rows], raw_score=True, num_threads=1) if len(rows) else np.zeros((0, len(LABELS)))
    return Fit(booster.model_to_string(), rows, np.asarray(raw).reshape(len(rows), len(LABELS)))


@dataclass(frozen=True)
class Trained:
    """The vetter, `ml_event_predictions`, and [event, star_id, label, score] over the published folds (or empty)."""

    vetter: EventVetter
    predictions: pl.DataFrame
    published: pl.DataFrame


def learnable(events: pl.DataFrame) -> pl.DataFrame:
    """The events that have a label and are not rogue, with `split` and, for training stars, `fold`."""
    named = events.with_columns(mission_star_id="star_id")
    return named.filter(pl.col("label").is_not_null() & ~pl.col("is_rogue")).sort("event")


def divided(rows: pl.DataFrame, folds: int) -> pl.DataFrame:
    """`learnable` rows with `split`, and `fold` (TEST for test stars): both functions of the star's name."""
    split = rows.join(assign_splits(rows), on="star_id", how="left", maintain_order="left")
    dealt = assign_folds(split.filter(split="train"), folds)
    return split.join(dealt, on="star_id", how="left", maintain_order="left").with_columns(
        pl.col("fold").fill_null(TEST)
    )


def scarce(rows: pl.DataFrame, settings: EventSettings) -> str | None:
    """Why `divided` rows are too few to learn from; None when they are enough."""
    train = rows.filter(split="train")
    counts = {label: train.filter(label=label).height for label in LABELS}
    if min(counts.values()) >= settings.least_per_class:
        return None
    return f"too few labelled events to learn from (of each kind {settings.least_per_class} are needed): {counts}"


def train_events(
    events: pl.DataFrame, features: pl.DataFrame, settings: EventSettings, run: Runner = serial
) -> Trained:
    """Train on the labelled events of training stars; ValueError when they are too few.

    `events` has the columns of `core_events`; `features` is `build_features` of all events.
    """
    rows = divided(learnable(events), settings.folds)
    if reason := scarce(rows, settings):
        raise ValueError(reason)
    data = prepared(rows, features, settings)
    tasks = _tasks(data, settings)
    done = list(zip(tasks, run(fit_task, data, tasks), strict=True))
    raw = {m: _left_out(done, m, "fold", len(data.label)) for m in ("event", "plain")}
    test = data.fold == TEST
    score, planet = planet_log_odds(raw["event"]), (data.label == 0).astype(float)
    calibration = choose(score[~test], planet[~test], data.fold[~test])
    p = np.zeros((len(score), len(LABELS)))
    for fold in np.unique(data.fold):
        inside = data.fold == fold
        # Training stars get a calibration that did not see their fold either.
        rest = ~inside & ~test
        own = calibration if fold == TEST else Calibrator.fit(calibration.kind, score[rest], planet[rest])
        p[inside] = probabilities(raw["event"][inside], own)
    facts = {"seed": settings.seed, "events": int((~test).sum()), "bags": settings.bags, "rounds": settings.rounds}
    members = tuple(fit.text for task, fit in done if (task.model, task.folds, task.holdout) == ("event", "fold", TEST))
    # Probabilities of training stars are of models and calibrations that saw neither: what limits are to be fitted on.
    limits = fit_limits(p[~test], data.label[~test])
    context = events.select(CONTEXT_COLUMNS).sort("event")
    vetter = EventVetter(tuple(feature_names(features)), members, calibration, limits, context, facts)
    judged = rows.with_columns(
        *(pl.Series(name, column) for name, column in zip(PROBABILITIES, p.T, strict=True)),
        score=pl.Series(score),
        plain_score=pl.Series(planet_log_odds(raw["plain"])),
        split=pl.when(split="test").then(pl.lit("test")).otherwise(pl.lit("oof")),
        fold=pl.when(pl.col("fold") != TEST).then("fold"),
        model_digest=pl.lit(vetter.digest),
    )
    return Trained(vetter, ML_EVENT_PREDICTIONS.conform(judged), _published(rows, done, data))


def prepared(rows: pl.DataFrame, features: pl.DataFrame, settings: EventSettings) -> Data:
    """The input of all fits."""
    own = rows.select("event").join(features, on="event", how="left", maintain_order="left")
    published = rows["published_fold"].fill_null(TEST)
    if not settings.published_folds:
        published = pl.Series([TEST]).new_from_index(0, rows.height)
    return Data(
        x={"event": matrix(own, feature_names(features)), "plain": matrix(rows, PLAIN_COLUMNS)},
        label=rows["label"].replace_strict({n: i for i, n in enumerate(LABELS)}, return_dtype=pl.Int64).to_numpy(),
        fold=rows["fold"].to_numpy(),
        published_fold=published.to_numpy(),
    )


def _tasks(data: Data, s: EventSettings) -> list[Task]:
    """Each fold left out, then the test stars alone; the folds of the labelled file, where they are asked for."""
    held = [int(f) for f in np.unique(data.fold)]
    if TEST not in held:
        held.append(TEST)
    tasks = [Task("event", "fold", f, s.seed + bag, s.rounds, s.params) for f in held for bag in range(s.bags)]
    tasks += [Task("plain", "fold", f, s.seed, s.plain_rounds, s.plain) for f in held]
    folds = [int(f) for f in np.unique(data.published_fold) if f != TEST]
    return tasks + [Task("event", "published_fold", f, s.seed, s.rounds, s.params) for f in folds]


def _left_out(done: Sequence[tuple[Task, Fit]], model: str, folds: str, rows: int) -> Array:
    """Raw scores of every row by the models that left it out, averaged over the bags."""
    total, count = np.zeros((rows, len(LABELS))), np.zeros(rows)
    for task, fit in done:
        if (task.model, task.folds) == (model, folds):
            total[fit.rows] += fit.raw
            count[fit.rows] += 1
    return np.asarray(total / np.maximum(count, 1)[:, None])


def _published(rows: pl.DataFrame, done: Sequence[tuple[Task, Fit]], data: Data) -> pl.DataFrame:
    raw = _left_out(done, "event", "published_fold", rows.height)
    judged = rows.select("event", "star_id", "label").with_columns(score=pl.Series(planet_log_odds(raw)))
    return judged.filter(pl.Series(data.published_fold != TEST))
