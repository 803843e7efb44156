"""Learning from a new mission: what is gained on it, and what is forgotten of the old one, by several ways of learning.

Belongs here: the ways, side by side on the same data. Does not belong here: the penalty itself (continual_torch.py),
figures with intervals (evaluation), or where networks are trained.

The network alone is compared, on the features without views: few signals of a second mission have any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from exo_assets.features.seen_views import VIEWS_WIDTH
from exo_assets.training.network import Network
from exo_assets.training.network_training import RunJobs
from exo_assets.training.neural import Ints, Matrix, NeuralData, NeuralFit, NeuralJob, NeuralSettings, Start
from exo_assets.training.warm_start import REHEARSED, STRENGTH, start_of

STRENGTHS = (1.0, 10.0, 100.0)
"""Of the penalty, in units of the number of old signals over that of new ones: 1 is the posterior of Bayes' theorem."""


def ewc(strength: float) -> str:
    """Name of elastic weight consolidation with a strength."""
    return f"EWC x{strength:g}"


OLD_ONLY, NEW_ONLY, BOTH = "old mission only", "new mission only", "full retraining"
TUNED, REHEARSAL, WARM = "fine-tuned", "rehearsal", "EWC and rehearsal"
WAYS: Mapping[str, str] = {
    OLD_ONLY: "never saw the new mission: the shift between the missions",
    NEW_ONLY: "never saw the old mission",
    TUNED: "goes on from the old network on the new mission alone",
    **{ewc(s): "as fine-tuned, with elastic weight consolidation" for s in STRENGTHS},
    REHEARSAL: f"as fine-tuned, and {REHEARSED:.0%} of the old mission's signals again",
    WARM: "both; what weekly_retrain does with EXO_RETRAIN=ewc",
    BOTH: "both missions, from nothing",
}


@dataclass(frozen=True)
class Learnt:
    """By way of learning, the log-odds (rows,) of a planet of the judged signals."""

    log_odds: Mapping[str, Matrix]


def compare_ways(
    data: NeuralData,
    mission: npt.NDArray[np.str_],
    pair: tuple[str, str],
    judged: Matrix,
    settings: NeuralSettings,
    *,
    seed: int,
    run: RunJobs,
) -> Learnt:
    """Learn the old and the new mission of `pair` in every one of WAYS. `mission` is that of each signal of `data`
    (without views); `judged` are rows of the transformer's matrix of test signals."""
    data = replace(data, judged={}, judged_shows={})
    old, new = (np.flatnonzero(mission == m) for m in pair)
    some = np.random.default_rng(seed).permutation(old)[: round(REHEARSED * len(old))]

    def job(name: str, rows: Ints, start: Start | None = None) -> NeuralJob:
        return NeuralJob(name, seed, None, tuple(int(r) for r in rows), start)

    first = run(data, settings, [job(OLD_ONLY, old)])[0]

    def held(strength: float, rows: Ints) -> Start:
        return start_of(first, strength * len(old) / len(rows))

    shown = np.r_[some, new]
    jobs = [
        job(NEW_ONLY, new),
        job(BOTH, np.r_[old, new]),
        job(TUNED, new, held(0.0, new)),
        job(REHEARSAL, shown, held(0.0, shown)),
        *(job(ewc(s), new, held(s, new)) for s in STRENGTHS),
        job(WARM, shown, held(STRENGTH, shown)),
    ]
    found = {fit.job.name: _judged(fit, settings, judged) for fit in (first, *run(data, settings, jobs))}
    return Learnt({way: found[way] for way in WAYS})


def _judged(fit: NeuralFit, settings: NeuralSettings, judged: Matrix) -> Matrix:
    from exo_assets.training.export_torch import export

    network: Network = export([fit], settings)
    return network.log_odds(judged, np.zeros((0, VIEWS_WIDTH), dtype=np.float32), np.empty(0, dtype=np.int64))
