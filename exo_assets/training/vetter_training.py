"""Training of the vetter: fits as independent tasks, out-of-fold predictions, the choice among them.

Belongs here: the whole recipe as pure functions of a table of labelled signals; `run` decides where tasks are computed.
Does not belong here: Ray, MLflow, files.

The test stars never reach this module: callers pass training stars only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.features.from_light_curves import has_curve, hide_curves
from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.transformer import PIPELINE_BLOCK, Matrix, SignalTransformer, has_block
from exo_assets.training.augmentation import Copies, hide_block, masked_copies
from exo_assets.training.blend import Blend, fit_blend, fit_class_weights, is_worth_blending
from exo_assets.training.calibration import Calibrator, choose, log_loss, softmax, threshold
from exo_assets.training.conformal import SETS, fit_limits
from exo_assets.training.network import Network
from exo_assets.training.neural import NeuralFit
from exo_assets.training.settings import TrainingSettings
from exo_assets.training.vetter import CLASSES, DISPOSITION_COLUMNS, LAYOUTS, Expert, Vetter

Ints = npt.NDArray[np.int64]
HEADS = ("planet", "archive")
NO_CURVE = "no_curve"
"""Beside the layouts, where light curves are seen: each signal in the layout it has, without its light curve."""


class Runner(Protocol):
    """Computes `function(shared, task)` for each task, in order of the tasks; serial or on a cluster."""

    def __call__(self, function: Callable[[Any, Any], Any], shared: Any, tasks: Sequence[Any]) -> list[Any]:
        """Results in the order of `tasks`."""
        ...


def serial(function: Callable[[Any, Any], Any], shared: Any, tasks: Sequence[Any]) -> list[Any]:
    """The runner that computes here, one after the other."""
    return [function(shared, task) for task in tasks]


@dataclass(frozen=True)
class Data:
    """What every task needs: masked copies of all training signals and each signal in both layouts (and NO_CURVE)."""

    copies: Copies
    x: Mapping[str, Matrix]
    label: Ints
    mission: npt.NDArray[np.str_]
    fold: Ints


@dataclass(frozen=True)
class Task:
    """One fit. `head` is planet or archive; `target` the mission it is for; `holdout` the fold left out (None: none).

    Rows of other missions weigh `other`. With `plain`, only unmasked copies are used (for choosing `other` cheaply).
    """

    head: str
    target: str
    other: float
    holdout: int | None
    seed: int
    rounds: int
    params: Mapping[str, float | int | bool]
    plain: bool = False
    balance: str = "plain"


@dataclass(frozen=True)
class Fit:
    """A fitted model as text and, for the held-out signals, row numbers and raw scores by layout."""

    model: str
    rows: Ints
    raw: Mapping[str, Matrix]


def fit_task(data: Data, task: Task) -> Fit:
    """Fit one task (single-threaded, deterministic) and predict what it held out."""
    import lightgbm

    row = data.copies.row
    weight = data.copies.weight.copy()
    if task.plain:
        weight *= data.copies.plain
    weight *= np.where(data.mission[row] == task.target, 1.0, task.other)
    if task.head == "planet":
        weight *= data.label[row] != 1
    if task.holdout is not None:
        weight *= data.fold[row] != task.holdout
    if task.balance == "weights":
        weight *= balancing(data.label[row], weight)
    used = np.flatnonzero(weight > 0)
    label = data.label[row[used]]
    binary = task.head == "planet"
    params = {
        **task.params,
        "objective": "binary" if binary else "multiclass",
        **({} if binary else {"num_class": len(CLASSES)}),
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": task.seed,
        "verbosity": -1,
    }
    dataset = lightgbm.Dataset(
        data.copies.x[used],
        (label == 0).astype(np.float64) if binary else label,
        weight=weight[used],
        feature_name=list(FEATURE_NAMES),
        categorical_feature=["mission"],
        params={"verbosity": -1},
    )
    booster = lightgbm.train(params, dataset, task.rounds)
    held = np.zeros(len(data.label), dtype=bool)
    if task.holdout is not None:
        held = (data.fold == task.holdout) & (data.mission == task.target)
    rows = np.flatnonzero(held)
    raw = {
        layout: np.asarray(booster.predict(x[rows], raw_score=True, num_threads=1)).reshape(len(rows), -1)
        for layout, x in data.x.items()
        if len(rows)
    }
    return Fit(booster.model_to_string(), rows, raw)


def balancing(label: Ints, weight: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Factors per row that give every class present the same total weight and leave the sum as it is."""
    totals = np.bincount(label, weights=weight)
    factor = np.divide(weight.sum() / (totals > 0).sum(), totals, out=np.zeros_like(totals), where=totals > 0)
    return np.asarray(factor[label])


@dataclass(frozen=True)
class Networked:
    """A trained network; by layout, the out-of-fold logits (rows of Data, 3) of the networks of its folds; and all the
    networks that were trained."""

    network: Network
    logits: Mapping[str, Matrix]
    fits: Sequence[NeuralFit]


@dataclass(frozen=True)
class Trained:
    """A vetter, its out-of-fold predictions [signal_id, mission, label, probability_planet, prediction_set,
    disposition_*, log_odds_*, fold, layout], what was tried on the way, and the networks that were trained."""

    vetter: Vetter
    out_of_fold: pl.DataFrame
    tried: pl.DataFrame
    fits: Sequence[NeuralFit] = ()


def prepare(
    signals: pl.DataFrame, star_counts: pl.DataFrame | None, settings: TrainingSettings
) -> tuple[SignalTransformer, Data]:
    """The fitted transformer and the input of all tasks, from labelled training signals (with `fold`)."""
    label = signals["disposition"].replace_strict(dict(zip(CLASSES, range(3), strict=True)), return_dtype=pl.Int64)
    resolved = label != 1
    transformer = SignalTransformer.fit(signals.filter(resolved), (label == 0).filter(resolved), star_counts)
    x = {
        "full": transformer.matrix(transformer.features(signals, star_counts)),
        "basic": transformer.matrix(transformer.features(hide_block(signals), star_counts)),
    }
    if transformer.curves_of:
        x[NO_CURVE] = transformer.matrix(transformer.features(hide_curves(signals), star_counts))
    data = Data(
        copies=masked_copies(signals, transformer, star_counts, settings.random_mask, settings.seed),
        x=x,
        label=label.to_numpy(),
        mission=signals["mission"].cast(pl.String).to_numpy().astype(str),
        fold=signals["fold"].to_numpy().astype(np.int64),
    )
    return transformer, data


def train_vetter(
    signals: pl.DataFrame,
    settings: TrainingSettings,
    star_counts: pl.DataFrame | None = None,
    run: Runner = serial,
    *,
    facts: Mapping[str, Any] | None = None,
    learn: Callable[[SignalTransformer, Data], Networked] | None = None,
) -> Trained:
    """Train on `signals`: columns of `core_signals` with a disposition and `fold`, training stars only.

    `learn` trains the network beside the features' models, on rows sorted by signal_id; without it there is none.
    ValueError when no mission has `least_per_class` planets and false positives.
    """
    signals = signals.sort("signal_id")
    transformer, data = prepare(signals, star_counts, settings)
    block = has_block(signals).to_numpy()
    missions = learnable(data, settings)
    if not missions:
        raise ValueError(
            f"no mission has {settings.least_per_class} planets and as many false positives to learn from: "
            + ", ".join(f"{m} {_class_counts(data, m)}" for m in MISSIONS)
        )
    networked = learn(transformer, data) if learn else None
    others, tried = _choose_others(data, missions, settings, run)
    tasks = [t for m in missions for t in _tasks(m, others[m], settings)]
    fits = run(fit_task, data, tasks)
    done = list(zip(tasks, fits, strict=True))

    # Out-of-fold scores are averaged over the bags, as the vetter's are: the calibration sees what it will get.
    raw = {layout: np.zeros(len(data.label)) for layout in data.x}
    z = {layout: np.zeros((len(data.label), len(CLASSES))) for layout in data.x}
    for task, fit in done:
        if len(fit.rows):
            for layout in data.x:
                if task.head == "planet":
                    raw[layout][fit.rows] += fit.raw[layout][:, 0] / settings.bags
                else:
                    z[layout][fit.rows] += fit.raw[layout] / settings.archive_bags

    logits = networked.logits if networked else None
    odds = {layout: z_[:, 0] - z_[:, 2] for layout, z_ in logits.items()} if logits else None
    experts: dict[str, Expert] = {}
    found = Predicted(
        probability={layout: np.full(len(data.label), np.nan) for layout in data.x},
        sets=np.full(len(data.label), SETS[2], dtype=object),
        forest=raw,
        network=odds,
    )
    for m in missions:
        here = data.mission == m
        made = {h: tuple(f.model for t, f in done if (t.head, t.target, t.holdout) == (h, m, None)) for h in HEADS}
        parts = [z["full"][here], *([logits["full"][here]] if logits else [])]
        archive_blend = Blend(*fit_class_weights(parts, data.label[here]))
        experts[m] = Expert(
            made["planet"],
            made["archive"],
            archive_blend=archive_blend,
            other_missions=others[m],
            **_calibrate(data, found, block, m, settings),
        )
        for layout in data.x:
            z[layout][here] = archive_blend(z[layout][here], logits[layout][here] if logits else None)
    vetter = Vetter(
        transformer=transformer,
        experts=experts,
        fallback=max(missions, key=lambda m: (sum(_class_counts(data, m)), m)),
        facts=dict(facts or {}),
        network=networked.network if networked else None,
    )
    judged = np.isin(data.mission, missions)
    rows = {"full": judged & block, "basic": judged}
    if NO_CURVE in data.x:
        rows[NO_CURVE] = judged & np.isin(data.mission, transformer.curves_of) & has_curve(signals).to_numpy()
    return Trained(vetter, _out_of_fold(signals, rows, block, found, z), tried, networked.fits if networked else ())


def learnable(data: Data, settings: TrainingSettings) -> list[str]:
    """Missions with enough planets and false positives for an expert of their own."""
    return [m for m in MISSIONS if min(_class_counts(data, m)) >= settings.least_per_class]


def _class_counts(data: Data, mission: str) -> tuple[int, int]:
    here = data.label[data.mission == mission]
    return int((here == 0).sum()), int((here == 2).sum())


def _tasks(mission: str, other: float, s: TrainingSettings) -> list[Task]:
    """Every fit of a mission's expert: each fold left out, then none; bags with seeds of their own."""
    held: list[int | None] = [*range(s.folds), None]
    return [
        Task("planet", mission, other, f, s.seed + bag, s.planet_rounds, s.planet, balance=s.balance)
        for f in held
        for bag in range(s.bags)
    ] + [
        Task("archive", mission, 0.0, f, s.seed + bag, s.archive_rounds, s.archive)
        for f in held
        for bag in range(s.archive_bags)
    ]


def _choose_others(
    data: Data, missions: Sequence[str], s: TrainingSettings, run: Runner
) -> tuple[dict[str, float], pl.DataFrame]:
    """Weight of the other missions' rows for each expert: the least out-of-fold log loss, on unmasked copies."""
    present = {m for m in MISSIONS if min(_class_counts(data, m))}
    choices = {m: s.other_missions if present - {m} else (0.0,) for m in missions}
    tasks = [
        Task("planet", m, w, f, s.seed, s.selection_rounds, s.planet, plain=True)
        for m in missions
        for w in choices[m]
        if len(choices[m]) > 1
        for f in range(s.folds)
    ]
    fits = run(fit_task, data, tasks) if tasks else []
    scores: dict[tuple[str, float], list[tuple[Ints, Matrix]]] = {}
    for task, fit in zip(tasks, fits, strict=True):
        if len(fit.rows):
            scores.setdefault((str(task.target), task.other), []).append((fit.rows, fit.raw["basic"][:, 0]))
    rows = []
    for (mission, weight), parts in scores.items():
        at, raw = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
        keep = data.label[at] != 1
        y = (data.label[at[keep]] == 0).astype(np.float64)
        # Rows of other missions shift the class shares; calibration will undo that, so it is undone here too.
        rows.append((mission, weight, log_loss(y, Calibrator.fit("platt", raw[keep], y)(raw[keep]))))
    tried = pl.DataFrame(
        rows, schema={"mission": pl.String, "other_missions": pl.Float64, "log_loss": pl.Float64}, orient="row"
    )
    best = dict.fromkeys(missions, 0.0)
    for mission in missions:
        mine = tried.filter(mission=mission).sort("log_loss", "other_missions")
        if mine.height:
            best[mission] = float(mine["other_missions"][0])
    return best, tried


@dataclass(frozen=True)
class Predicted:
    """Out-of-fold predictions of all rows, by layout but for `sets`: calibrated probability of a planet, prediction
    set as archived, and the log-odds that the probability is blended from."""

    probability: Mapping[str, Matrix]
    sets: npt.NDArray[np.object_]
    forest: Mapping[str, Matrix]
    network: Mapping[str, Matrix] | None


def _calibrate(
    data: Data, found: Predicted, block: npt.NDArray[np.bool_], mission: str, s: TrainingSettings
) -> dict[str, Any]:
    """Blend, calibration, verdict thresholds and set limits of a mission's expert; fills in the mission's rows of
    `found.probability` and `found.sets`.

    What is filled in comes from blends, calibrations and limits that did not see the fold; the expert's are fitted on
    all of it.
    """
    here = np.flatnonzero(data.mission == mission)
    resolved, fold, with_block = data.label[here] != 1, data.fold[here], block[here]
    y = (data.label[here] == 0).astype(np.float64)

    def scores(layout: str, rows: Ints) -> tuple[Matrix, Matrix | None]:
        return found.forest[layout][here[rows]], None if found.network is None else found.network[layout][here[rows]]

    blend: dict[str, Blend] = {}
    calibration: dict[str, Calibrator] = {}
    for layout in LAYOUTS:
        fitted, source = resolved, layout
        if layout == "full" and mission in PIPELINE_BLOCK:
            fitted = resolved & with_block
        if min((y[fitted] == c).sum() for c in (0, 1)) < s.least_per_class:
            fitted, source = resolved, "basic"
        rows = np.flatnonzero(fitted)
        forest, network = scores(source, rows)
        blended = network is not None and is_worth_blending(forest, network, y[rows], fold[rows])
        blend[layout] = fit_blend(forest, network if blended else None, y[rows])
        calibration[layout] = choose(blend[layout](forest, network), y[rows], fold[rows])
        for f in np.unique(fold):
            rest, inside = np.flatnonzero(fitted & (fold != f)), np.flatnonzero(fold == f)
            forest, network = scores(source, rest)
            mix = fit_blend(forest, network if blended else None, y[rest])
            two = len(np.unique(y[rest])) == 2
            map_ = Calibrator("identity")
            if two:
                map_ = Calibrator.fit(calibration[layout].kind, mix(forest, network), y[rest])
            found.probability[layout][here[inside]] = map_(mix(*scores(layout, inside)))
            if NO_CURVE in found.probability:
                alike = inside[with_block[inside] == (layout == "full")]
                found.probability[NO_CURVE][here[alike]] = map_(mix(*scores(NO_CURVE, alike)))
    honest = np.where(with_block, found.probability["full"][here], found.probability["basic"][here])
    planet = y == 1
    for f in np.unique(fold):
        rest = resolved & (fold != f)
        found.sets[here[fold == f]] = fit_limits(honest[rest], planet[rest], s.coverage).sets(honest[fold == f])
    as_is, planet = honest[resolved], planet[resolved]
    high = threshold(as_is, planet, s.precision)
    low = threshold(1 - as_is, ~planet, s.precision)
    return {
        "blend": blend,
        "calibration": calibration,
        "low": 1 - max(s.certainty, low if low is not None else s.precision),
        "high": max(s.certainty, high if high is not None else s.precision),
        "limits": fit_limits(as_is, planet, s.coverage),
    }


def _out_of_fold(
    signals: pl.DataFrame,
    judged: Mapping[str, npt.NDArray[np.bool_]],
    block: npt.NDArray[np.bool_],
    found: Predicted,
    z: Mapping[str, Matrix],
) -> pl.DataFrame:
    """Out-of-fold predictions of the judged: each signal in the layout it has and, where that is full, in basic too;
    where its light curve is seen, also without it. `z` are blended logits of the dispositions. Prediction sets are of
    signals as archived, null otherwise."""
    frames = []
    for layout, chosen in judged.items():
        rows = np.flatnonzero(chosen)
        as_archived = (layout != NO_CURVE) & (block[rows] == (layout == "full"))
        archive = softmax(z[layout][rows])
        frames.append(
            signals[rows]
            .select("signal_id", "mission", pl.col("disposition").alias("label"), "fold")
            .with_columns(
                pl.Series("layout", [layout] * len(rows), dtype=pl.String),
                pl.Series("as_archived", as_archived),
                pl.Series("probability_planet", found.probability[layout][rows]),
                pl.Series(
                    "prediction_set",
                    [s if kept else None for s, kept in zip(found.sets[rows], as_archived, strict=True)],
                    dtype=pl.String,
                ),
                *(pl.Series(name, archive[:, i]) for i, name in enumerate(DISPOSITION_COLUMNS)),
                pl.Series("log_odds_features", found.forest[layout][rows], dtype=pl.Float64),
                pl.Series(
                    "log_odds_network",
                    found.network[layout][rows] if found.network else [None] * len(rows),
                    dtype=pl.Float64,
                ),
            )
        )
    return pl.concat(frames)
