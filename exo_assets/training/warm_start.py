"""Going on from yesterday's networks: what they have not learned yet, and how strongly they are held.

Belongs here: jobs that start from stored networks. Does not belong here: the penalty (continual_torch.py), or where
networks are stored.

A network is shown the signals whose label is new or another one, and some of the old ones again; elastic weight
consolidation holds what the old ones taught. Folds are a hash of the star, so the network that left a fold out
yesterday has never seen its stars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from exo_assets.training.neural import NeuralFit, NeuralJob, Start

REHEARSED = 0.1
"""Share of the signals learned before that are shown again."""
STRENGTH = 1.0
"""Of the penalty, in units of signals learned before over signals shown now: 1 is the posterior of Bayes' theorem."""


def start_of(fit: NeuralFit, strength: float) -> Start:
    """The start of a training that goes on from `fit`."""
    return Start(fit.scaler, fit.weights, fit.fisher, strength)


def warm_jobs(
    jobs: Sequence[NeuralJob], before: Mapping[str, NeuralFit], signals: pl.DataFrame, learned: pl.DataFrame, seed: int
) -> list[NeuralJob]:
    """`jobs` that go on from the networks `before`, by name of a job.

    `signals` [signal_id, disposition] are today's, in the order of the data; `learned` those that the networks learned.
    KeyError when a job has no network.
    """
    known = signals.join(learned.rename({"disposition": "_was"}), on="signal_id", how="left", maintain_order="left")
    old = (known["disposition"] == known["_was"]).fill_null(False).to_numpy()
    again = old & (np.random.default_rng(seed).random(len(old)) < REHEARSED)
    shown = np.flatnonzero(~old | again)
    strength = STRENGTH * float(old.sum()) / max(1, len(shown))
    rows = tuple(int(row) for row in shown)
    return [replace(job, rows=rows, start=start_of(before[job.name], strength)) for job in jobs]
