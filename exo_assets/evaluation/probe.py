"""The search for leaks: small models that should fail, and models that should not need one feature.

Belongs here: the probes, on the features as the candidate's own transformer hands them to the model.
Does not belong here: what is tolerated (`gates.py`).

- all_features: the yardstick of the other probes, a small model, cross-validated on the candidate's folds.
- drop_group: the same without one group of features. A large loss is a feature to be looked at.
- feature_alone: the ranking by one feature, in its better direction. Near 1 it is the label in disguise.
- missingness_alone: only which features are known. K2's table tells planets by that perfectly; the model must not.
- permuted_labels: labels exchanged between stars. Anything but 0.5 means that stars cross the folds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.evaluation.contracts import ML_LEAKAGE_PROBE
from exo_assets.evaluation.metrics import binary_metrics, point
from exo_assets.evaluation.report import DECIMALS
from exo_assets.evaluation.threads import Map, in_turn
from exo_assets.features.from_light_curves import CURVE_NAMES, has_curve, hide_curves
from exo_assets.features.registry import FEATURE_NAMES, FEATURES
from exo_assets.features.transformer import PIPELINE_BLOCK, Matrix, SignalTransformer, has_block
from exo_assets.training.augmentation import hide_block
from exo_assets.training.model_ref import ModelRef

Ints = npt.NDArray[np.int64]
ROUNDS = 80
PARAMS = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_child_samples": 20,
    "feature_fraction": 0.5,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
PERMUTATIONS = 4
"""One alone scatters by 0.012 around 0.5 on the archive's 7,800 resolved training signals; their mean by half that."""
LEAST_PER_CLASS = 30
"""Signals of each class below which a mission is not probed."""


@dataclass(frozen=True)
class Probe:
    """One small model: its name, who it is judged on, its input and labels, and the folds it is judged by."""

    probe: str
    population: str
    inputs: str
    subject: str
    x: Matrix
    y: Ints
    fold: Ints


def leakage_probe(
    candidate: ModelRef, signals: pl.DataFrame, transformer: SignalTransformer, *, seed: int, map_: Map = in_turn
) -> pl.DataFrame:
    """`ml_leakage_probe` of `candidate`. `signals`: resolved training signals, columns of core_signals and `fold`."""
    signals = signals.filter(pl.col("disposition") != "CANDIDATE").sort("signal_id")
    probes = list(_probes(signals, transformer, seed))
    aucs = map_(lambda p: _feature_auc(p) if p.probe == "feature_alone" else _model_auc(p, seed), probes)
    yardstick = {p.inputs: auc for p, auc in zip(probes, aucs, strict=True) if p.probe == "all_features"}
    rows = [
        {
            "candidate_version": candidate.version,
            "candidate_digest": candidate.digest,
            "probe": p.probe,
            "population": p.population,
            "inputs": p.inputs,
            "subject": p.subject,
            "roc_auc": None if np.isnan(auc) else round(auc, DECIMALS),
            "change": round(auc - yardstick[p.inputs], DECIMALS) if p.probe == "drop_group" else None,
            "n_signals": len(p.y),
        }
        for p, auc in zip(probes, aucs, strict=True)
    ]
    return ML_LEAKAGE_PROBE.conform(pl.DataFrame(rows, schema=ML_LEAKAGE_PROBE.schema))


def _probes(signals: pl.DataFrame, transformer: SignalTransformer, seed: int) -> Iterator[Probe]:
    y = (signals["disposition"] == "CONFIRMED").to_numpy().astype(np.int64)
    fold, mission = signals["fold"].to_numpy().astype(np.int64), signals["mission"].to_numpy()
    full = transformer.matrix(transformer.features(signals))
    basic = transformer.matrix(transformer.features(hide_curves(hide_block(signals))))
    bare = transformer.matrix(transformer.features(hide_curves(signals)))
    curve = has_curve(signals).to_numpy()
    block = signals.select(has_block(signals).alias("b")).to_series().to_numpy()

    yield Probe("all_features", "overall", "as_archived", "", full, y, fold)
    for n in range(PERMUTATIONS):
        labels = _permuted(signals, y, seed + n)
        yield Probe("permuted_labels", "overall", "as_archived", f"permutation {n + 1}", full, labels, fold)
    for group in dict.fromkeys(f.group for f in FEATURES):
        kept = [i for i, f in enumerate(FEATURES) if f.group != group]
        yield Probe("drop_group", "overall", "as_archived", group, full[:, kept], y, fold)
    for m in MISSIONS:
        here = mission == m
        if min((y[here] == c).sum() for c in (0, 1)) < LEAST_PER_CLASS:
            continue
        for i, name in enumerate(FEATURE_NAMES):
            if name != "mission" and (m in transformer.curves_of or name not in CURVE_NAMES):
                yield Probe("feature_alone", m, "as_archived", name, full[here][:, [i]], y[here], fold[here])
        # Whether a signal has the pipeline's block is not for the model to see (it is calibrated apart and trained on
        # hidden copies), so the paperwork is judged among the signals that have it, and with it hidden for all.
        with_block = here & block if m in PIPELINE_BLOCK else here
        if min((y[with_block] == c).sum() for c in (0, 1)) >= LEAST_PER_CLASS:
            yield Probe(
                "missingness_alone", m, "as_archived", "", _known(bare[with_block]), y[with_block], fold[with_block]
            )
        # Light curves likewise: copies show them with each class's share, so only what is known within them can speak.
        seen = with_block & curve & (m in transformer.curves_of)
        if min((y[seen] == c).sum() for c in (0, 1)) >= LEAST_PER_CLASS:
            yield Probe("missingness_alone", m, "as_archived", "light_curve", _known(full[seen]), y[seen], fold[seen])
        yield Probe("missingness_alone", m, "without_diagnostics", "", _known(basic[here]), y[here], fold[here])


def _known(x: Matrix) -> Matrix:
    """Which features are known, those of the system aside: a star with one signal has no ratio of periods, and that is
    physics and not paperwork."""
    paperwork = [i for i, f in enumerate(FEATURES) if f.group not in ("system", "mission")]
    x = x[:, paperwork]
    return (~np.isnan(x)).astype(np.float64)


def _permuted(signals: pl.DataFrame, y: Ints, seed: int) -> Ints:
    """Labels exchanged between stars: all signals of a star get the label of another star's first one.

    Between all stars alike: exchanged within missions, the mission itself would still tell its share of planets.
    """
    _, first, of = np.unique(signals["star_id"].to_numpy(), return_index=True, return_inverse=True)
    return np.asarray(np.random.default_rng(seed).permutation(y[first])[of])


def _feature_auc(probe: Probe) -> float:
    """Ranking by one feature, unknown below all, in its better direction."""
    values = np.nan_to_num(probe.x[:, 0], nan=-np.inf)
    rank = np.unique(values, return_inverse=True)[1]
    auc = point(binary_metrics(probe.y, rank / max(1, rank.max())))["roc_auc"]
    return max(auc, 1 - auc)


def _model_auc(probe: Probe, seed: int) -> float:
    """Cross-validated ROC AUC: the mean over folds, by their size.

    Not pooled: a fold with many planets is judged by a model that saw few, and pooling would count that as a ranking
    the wrong way round, which shows where there is nothing else to learn.
    """
    import lightgbm

    if (probe.x == probe.x[0]).all():
        return 0.5  # no column varies: nothing can be ranked
    aucs, sizes = [], []
    for f in np.unique(probe.fold):
        held = probe.fold == f
        if len(np.unique(probe.y[~held])) < 2 or len(np.unique(probe.y[held])) < 2:
            continue
        data = lightgbm.Dataset(probe.x[~held], probe.y[~held].astype(np.float64), params={"verbosity": -1})
        booster = lightgbm.train({**PARAMS, "seed": seed}, data, ROUNDS)
        score = np.asarray(booster.predict(probe.x[held], num_threads=1))
        aucs.append(point(binary_metrics(probe.y[held], score))["roc_auc"])
        sizes.append(int(held.sum()))
    return float(np.average(aucs, weights=sizes)) if aucs else float("nan")
