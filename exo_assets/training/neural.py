"""The neural vetter without its mathematics: settings, what it is shown, and what comes out of a training.

Belongs here: plain values that training, its resources and the vetter share. Does not belong here: torch
(network_torch.py, fit_torch.py), ONNX (network.py) or where trainings run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.seen_views import BRANCHES, Floats

Ints = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float64]

_MISSION = FEATURE_NAMES.index("mission")
KNOTS = 33
_LEVELS = np.linspace(-1.0, 1.0, KNOTS)


@dataclass(frozen=True)
class NeuralSettings:
    """Every number of the network and its training that is not learned; `benchmarks.neural_ablation` compares sizes.

    `members`: networks that are averaged. `validation_share`: stars of each fold's training stars that only decide when
    to stop. `patience`: epochs without a better validation loss after which training ends. `hide_branch`: chance that a
    branch is hidden from a signal that has it. `noise`: of views, in units of their depth; `shift`: largest error of
    the epoch, in durations; `stretch`: largest relative error of the duration. `balance`: plain, or weights (classes
    weigh the same). `simulated`: weight of a simulated signal, where those of measured ones are about one.
    """

    hidden: int = 256
    layers: int = 2
    fused: int = 64
    embedding: int = 8
    channels: tuple[int, ...] = (8, 16)
    branches: tuple[str, ...] = tuple(BRANCHES)
    dropout: float = 0.15
    epochs: int = 14
    patience: int = 5
    batch: int = 512
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    warm_up: float = 0.1
    clip_norm: float = 2.0
    members: int = 1
    validation_share: float = 0.1
    hide_branch: float = 0.15
    noise: float = 0.05
    shift: float = 0.1
    stretch: float = 0.1
    flip: bool = True
    balance: str = "plain"
    simulated: float = 0.0


@dataclass(frozen=True)
class Scaler:
    """Features to the network's scalars: quantiles to [-1, 1], unknown to 0 with a mask beside it, missions as flags.

    `knots` (KNOTS, features without the mission): quantiles of the training rows. A feature that was never known, or
    always the same, is left out.
    """

    knots: Matrix

    @classmethod
    def fit(cls, x: Matrix) -> Scaler:
        """From rows of the transformer's matrix."""
        numbers = np.delete(x, _MISSION, axis=1)
        known = np.isfinite(numbers).any(axis=0)
        knots = np.zeros((KNOTS, numbers.shape[1]))
        if known.any():
            knots[:, known] = np.nanquantile(numbers[:, known], np.linspace(0.002, 0.998, KNOTS), axis=0)
        return cls(knots)

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Which numeric features the network sees."""
        return np.asarray(self.knots[-1] > self.knots[0])

    @property
    def names(self) -> tuple[str, ...]:
        """The feature that each scalar comes from, in the order of the scalars; masks come after values."""
        numeric = [n for i, n in enumerate(FEATURE_NAMES) if i != _MISSION]
        kept = [n for n, k in zip(numeric, self.kept, strict=True) if k]
        return (*kept, *kept, *(["mission"] * len(MISSIONS)))

    @property
    def width(self) -> int:
        """Number of scalars."""
        return 2 * int(self.kept.sum()) + len(MISSIONS)

    def __call__(self, x: Matrix) -> Floats:
        """Scalars (rows, width) of rows of the transformer's matrix."""
        numbers, kept = np.delete(x, _MISSION, axis=1), np.flatnonzero(self.kept)
        n = len(kept)
        out = np.zeros((len(x), self.width), dtype=np.float32)
        for i, (column, (values, levels)) in enumerate(zip(kept, self._levels, strict=True)):
            out[:, i] = np.interp(numbers[:, column], values, levels)
        known = np.isfinite(numbers[:, kept])
        out[:, :n][~known] = 0.0
        out[:, n : 2 * n] = known
        out[:, 2 * n :] = x[:, _MISSION, None] == np.arange(len(MISSIONS))
        return out

    @cached_property
    def _levels(self) -> list[tuple[Matrix, Matrix]]:
        """Different knots of each kept feature, and their levels; made once, for a single row it is most of the work.
        A value that many rows share has one level, the middle of those it spans."""
        out = []
        for column in np.flatnonzero(self.kept):
            values, first, count = np.unique(self.knots[:, column], return_index=True, return_counts=True)
            out.append((values, (_LEVELS[first] + _LEVELS[first + count - 1]) / 2))
        return out


@dataclass(frozen=True)
class NeuralData:
    """What every training of the network needs.

    `x` (copies, features), `row` (the signal that each is a copy of), `weight` and `shows` (whether the copy shows its
    light curve) are the masked copies of augmentation.py; `plain` says which of them hide nothing. By signal: `label`
    (0 planet, 1 candidate, 2 false positive), `fold`, `inner` (a number in [0, 1) of the star, for the validation
    stars) and `view` (row of the views, -1 without). `views` are arrays by name of a view, possibly mapped from files.
    `judged` are the matrices to predict for held-out signals, by layout; `judged_shows` whether each shows its views.
    The last `simulated` signals are none: they are learned from as the others of their star are, and nothing else is
    done with them.
    """

    x: Matrix
    row: Ints
    weight: Matrix
    shows: npt.NDArray[np.bool_]
    plain: npt.NDArray[np.bool_]
    label: Ints
    fold: Ints
    inner: Matrix
    view: Ints
    views: Mapping[str, Floats]
    judged: Mapping[str, Matrix]
    judged_shows: Mapping[str, npt.NDArray[np.bool_]]
    simulated: int = 0

    @property
    def measured(self) -> npt.NDArray[np.bool_]:
        """Which of the signals are real."""
        return np.arange(len(self.label)) < len(self.label) - self.simulated

    def seen_in(self, copies: Ints) -> Ints:
        """Rows of the views that `copies` show; -1 where they show none."""
        return np.where(self.shows[copies], self.view[self.row[copies]], -1)


Weights = Mapping[str, npt.NDArray[Any]]
"""Parameters by name."""
V = TypeVar("V")


def below(values: Mapping[str, V], prefix: str) -> dict[str, V]:
    """Those whose name begins with `prefix`, by the rest of it."""
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


@dataclass(frozen=True)
class Start:
    """What a training may go on from: another network's scaler, weights and the Fisher information of what it learned.

    `strength` is that of the penalty on leaving those weights (continual_torch.py); 0 is plain fine-tuning.
    """

    scaler: Scaler
    weights: Weights
    fisher: Weights
    strength: float = 0.0


@dataclass(frozen=True)
class NeuralJob:
    """One network to train. `holdout` is the fold left out (None: none); `rows` restricts training to these signals;
    with `start` it goes on from another network."""

    name: str
    seed: int
    holdout: int | None
    rows: tuple[int, ...] | None = None
    start: Start | None = None


@dataclass(frozen=True)
class Epoch:
    """Progress of a job after an epoch; losses in nats, `ap` average precision of planets on the validation stars.

    `waited` is the share of the time that the device waited for data.
    """

    job: str
    epoch: int
    loss: float
    validation_loss: float
    ap: float
    samples_per_s: float
    waited: float
    is_best: bool

    def curves(self) -> dict[str, float]:
        """What is drawn over epochs."""
        return {"loss/training": self.loss, "loss/validation": self.validation_loss, "average_precision": self.ap}

    def __str__(self) -> str:
        return (
            f"{self.job} epoch {self.epoch}: loss {self.loss:.4f}, validation {self.validation_loss:.4f}"
            f"{' (best)' if self.is_best else ''}, AP {self.ap:.4f}, {self.samples_per_s:,.0f} samples/s, "
            f"{self.waited:.1%} waited for data"
        )


@dataclass(frozen=True)
class NeuralFit:
    """A trained network: the scaler's knots and the weights, its logits (rows, 3) for what was held out, by layout,
    the diagonal of the Fisher information of its training rows, and its history."""

    job: NeuralJob
    scaler: Scaler
    weights: Weights
    rows: Ints
    logits: Mapping[str, Matrix]
    fisher: Weights = field(default_factory=dict)
    history: Sequence[Epoch] = ()
