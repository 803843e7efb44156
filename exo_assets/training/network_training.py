"""The network's part in training a vetter: which networks are trained, and what becomes of them.

Belongs here: jobs from settings, their out-of-fold logits, the network that is served. Does not belong here: where the
jobs are done (`run`), or the blend with the features' models (vetter_training.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from exo_assets.training.neural import NeuralData, NeuralFit, NeuralJob, NeuralSettings
from exo_assets.training.vetter_training import Networked


class RunJobs(Protocol):
    """Trains one network for each job; here or on a cluster."""

    def __call__(self, data: NeuralData, settings: NeuralSettings, jobs: Sequence[NeuralJob]) -> list[NeuralFit]:
        """Fits in the order of `jobs`."""
        ...


def serial_jobs(data: NeuralData, settings: NeuralSettings, jobs: Sequence[NeuralJob]) -> list[NeuralFit]:
    """The runner that trains here, one network after the other."""
    from exo_assets.training.fit_torch import fit

    return [fit(data, settings, job) for job in jobs]


def jobs_of(settings: NeuralSettings, folds: Sequence[int], seed: int) -> list[NeuralJob]:
    """Each fold left out, then none; for every member, with a seed of its own."""
    return [
        NeuralJob(f"member{member}_{'all' if fold is None else f'fold{fold}'}", seed + 1000 * member, fold)
        for member in range(settings.members)
        for fold in (*folds, None)
    ]


def learn_network(data: NeuralData, settings: NeuralSettings, jobs: Sequence[NeuralJob], run: RunJobs) -> Networked:
    """Train the networks of `jobs_of`; logits are averaged over the members."""
    from exo_assets.training.export_torch import export

    fits = run(data, settings, jobs)
    logits = {layout: np.zeros((len(x), 3)) for layout, x in data.judged.items()}
    for fit in fits:
        for layout, found in fit.logits.items():
            logits[layout][fit.rows] += found / settings.members
    return Networked(export([fit for fit in fits if fit.job.holdout is None], settings), logits, tuple(fits))
