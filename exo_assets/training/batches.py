"""What the network is shown: rows of scalars with the views of those that have any, in batches.

Belongs here: which copies are learned from, the draw of batches, hiding of branches. Does not belong here: torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from exo_assets.features.seen_views import Floats, stacked_views
from exo_assets.training.neural import Ints, Matrix, NeuralData, NeuralJob, NeuralSettings
from exo_assets.training.vetter_training import balancing
from exo_assets.training.view_jitter import jittered

LEAST_ROWS = 2
"""Rows of a batch that a worker has at least."""


@dataclass(frozen=True)
class Rows:
    """`taught`: copies to learn from; `checked`: copies of resolved signals of the validation stars that hide nothing;
    `held`: signals that the job leaves out."""

    taught: Ints
    checked: Ints
    held: Ints


@dataclass(frozen=True)
class Shown:
    """Rows for the network: `scalars` (rows, width), `views` of the rows `where`, `known` (rows, branches)."""

    scalars: Floats
    views: Floats
    where: Ints
    known: Floats


@dataclass(frozen=True)
class Batch:
    """Rows to learn from, their labels and weights."""

    shown: Shown
    label: Ints
    weight: Floats


def rows_of(data: NeuralData, settings: NeuralSettings, job: NeuralJob) -> Rows:
    """Which rows play which part in a job. ValueError when it leaves no planets or no false positives to learn from."""
    allowed = np.ones(len(data.label), dtype=bool)
    if job.rows is not None:
        allowed[:] = False
        allowed[list(job.rows)] = True
    held = data.fold == job.holdout if job.holdout is not None else np.zeros(len(data.label), dtype=bool)
    checking = data.inner < settings.validation_share
    taught = allowed & ~held & ~checking
    if len(np.unique(data.label[taught & (data.label != 1)])) < 2:
        raise ValueError(f"{job.name}: no planets or no false positives are left to learn from")
    weighs = data.weight > 0
    resolved = data.measured & (data.label != 1)
    return Rows(
        np.flatnonzero(taught[data.row] & weighs),
        np.flatnonzero((resolved & allowed & ~held & checking)[data.row] & weighs & data.plain),
        np.flatnonzero(data.measured & held),
    )


def weights_of(data: NeuralData, settings: NeuralSettings, taught: Ints) -> Matrix:
    """Weight of each taught copy; with `balance` "weights" the classes weigh the same."""
    weight = np.asarray(data.weight[taught], dtype=np.float64)
    if settings.balance == "weights":
        weight = weight * balancing(data.label[data.row[taught]], weight)
    return weight


def shown(scalars: Floats, view: Ints, views: Mapping[str, Floats], settings: NeuralSettings) -> Shown:
    """Rows with the views that `view` names (-1: none), all their branches known."""
    where = np.flatnonzero(view >= 0)
    known = np.zeros((len(scalars), len(settings.branches)), dtype=np.float32)
    known[where] = 1.0
    return Shown(scalars, stacked_views(views, view[where]), where, known)


def steps_of(taught: int, settings: NeuralSettings, workers: int = 1) -> int:
    """Number of batches of an epoch over `taught` copies: as few as hold at most `settings.batch` each.

    ValueError when a worker would have one row of a batch: nothing can be normalised over it.
    """
    steps = math.ceil(taught / settings.batch)
    if taught // steps < LEAST_ROWS * workers:
        raise ValueError(
            f"{taught:,} rows in batches of at most {settings.batch} leave a worker fewer than {LEAST_ROWS} rows of "
            f"a batch: train with larger batches, more signals or fewer than {workers + 1} workers"
        )
    return steps


def batches(
    data: NeuralData, scalars: Floats, taught: Ints, settings: NeuralSettings, *, seed: tuple[int, int], part: slice
) -> Iterator[Batch]:
    """The batches of one epoch, of one size within one row. `scalars` are those of `taught`; `seed` is the job's and
    the epoch's; `part` is this worker's share of each batch."""
    weight = weights_of(data, settings, taught)
    order = np.random.default_rng(seed).permutation(len(taught))
    # Of one size: batch normalisation fails on a last batch of one row, and is noise on a few.
    for number, batch in enumerate(np.array_split(order, steps_of(len(taught), settings))):
        mine = batch[part]
        rng = np.random.default_rng((*seed, number, part.start))
        copies = taught[mine]
        seen = shown(scalars[mine], data.seen_in(copies), data.views, settings)
        hidden = rng.random(seen.known.shape) < settings.hide_branch
        seen = Shown(seen.scalars, jittered(seen.views, settings, rng), seen.where, seen.known * ~hidden)
        yield Batch(seen, data.label[data.row[copies]], weight[mine].astype(np.float32))
