"""What a training on Ray is told: a recipe, jobs, and what each epoch tells.

Belongs here: the values and promises that recipes (the vetter's networks, the embedding model) and the machinery that
runs them (exo_resources/ray_train.py) share. Does not belong here: any recipe, or where one runs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar


class Job(Protocol):
    """One network to train."""

    @property
    def name(self) -> str:
        """Its name, its own within a run."""


class Progress(Protocol):
    """What is told after an epoch of a job. `waited` is the share of the time that the device waited for data;
    `is_best` says that it is the best epoch so far."""

    @property
    def job(self) -> str:
        """Name of the job."""

    @property
    def epoch(self) -> int:
        """Number of the epoch, from 1."""

    @property
    def samples_per_s(self) -> float:
        """Training samples a second, of all workers on the job."""

    @property
    def waited(self) -> float:
        """Share of the time that the device waited for data."""

    @property
    def is_best(self) -> bool:
        """Whether no epoch before was better."""

    def curves(self) -> Mapping[str, float]:
        """Figures to be drawn over epochs, by name."""


class Checkpoints(Protocol):
    """Where a job's state is kept between epochs."""

    def load(self, job: str) -> bytes | None:
        """The newest state of the job, or None."""

    def save(self, job: str, state: bytes) -> None:
        """Replace the job's state, atomically."""


@dataclass(frozen=True)
class Place:
    """Where a job is trained: a device, and which of how many workers this is. `group` is torch's process group."""

    device: str = "cpu"
    rank: int = 0
    world: int = 1
    group: Any = None


D = TypeVar("D")
S = TypeVar("S")
J = TypeVar("J", bound=Job)
E = TypeVar("E", bound=Progress)
F = TypeVar("F")


class Recipe(ABC, Generic[D, S, J, E, F]):
    """How jobs are trained on data by settings, and their outcome as bytes. It is sent to workers."""

    @abstractmethod
    def fit(
        self,
        data: D,
        settings: S,
        job: J,
        *,
        place: Place | None = None,
        kept: Checkpoints | None = None,
        report: Callable[[E], None] | None = None,
    ) -> F:
        """Train `job`, or go on where its checkpoint ends. All workers of a job get the same."""

    @abstractmethod
    def pack(self, fit: F) -> bytes:
        """Everything of `fit` but its job."""

    @abstractmethod
    def unpack(self, stored: bytes, job: J) -> F:
        """The fit of `job` that `pack` packed, equal bit for bit."""
