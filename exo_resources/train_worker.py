"""What each worker of a training on Ray does, and the log through which workers and driver hear of each other.

Belongs here: which jobs a worker trains, with whom, and what it tells. Does not belong here: starting workers
(ray_train.py), or how a network is trained (a recipe).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from exo_assets.training.recipe import Job, Place, Progress, Recipe
from exo_resources.gpu_usage import GpuUsage
from exo_resources.train_states import TrainStates


@dataclass(frozen=True)
class Order:
    """What all workers are told. `data` is a reference into Ray's object store, `log` an actor of `Log`."""

    recipe: Recipe[Any, Any, Any, Any, Any]
    data: Any
    settings: Any
    jobs: Sequence[Job]
    states: TrainStates
    per_model: int
    log: Any


@dataclass(frozen=True)
class Told:
    """An epoch, whose checkpoint is kept already. `seconds` since the worker began or resumed the job; `gpu_busy` is
    the share of the epoch's time that the GPU computed in (nan: unknown)."""

    epoch: Progress
    seconds: float
    gpu_busy: float


@dataclass
class Log:
    """An actor beside the driver: what workers told, why they failed, and whether they are to stop."""

    told: list[Told] = field(default_factory=list)
    failure: str | None = None
    stopped: bool = False

    def tell(self, told: Told) -> bool:
        """Add an epoch; whether the worker shall stop."""
        self.told.append(told)
        return self.is_over()

    def fail(self, why: str) -> None:
        """A job failed in a way that it would fail again."""
        self.failure = self.failure or why

    def stop(self) -> None:
        """Let workers stop after their epoch."""
        self.stopped = True

    def is_over(self) -> bool:
        """Whether there is nothing more to train."""
        return self.stopped or self.failure is not None

    def since(self, seen: int) -> tuple[list[Told], str | None]:
        """What was told after the first `seen` epochs, and the failure."""
        return self.told[seen:], self.failure


class TrainingStopped(Exception):
    """The driver wants no more, or another job failed."""


class _Diary:
    """Checkpoints of a job that tell of each epoch once its state is safe, so that no told epoch is trained again."""

    def __init__(self, order: Order, gpu: GpuUsage) -> None:
        self.order, self.gpu, self.began = order, gpu, time.perf_counter()
        self.epoch: Progress | None = None

    def load(self, job: str) -> bytes | None:
        return self.order.states.load(job)

    def report(self, epoch: Progress) -> None:
        self.epoch = epoch

    def save(self, job: str, state: bytes) -> None:
        import ray

        self.order.states.save(job, state)
        if self.epoch is None:
            raise ValueError(f"{job}: a state without an epoch")
        told = Told(self.epoch, time.perf_counter() - self.began, self.gpu.share())
        if ray.get(self.order.log.tell.remote(told)):
            raise TrainingStopped


def train(config: dict[str, Order]) -> None:
    """The loop of every worker: its group trains every so many-th job.

    When a worker dies or raises, Ray Train ends all workers and starts them anew. What would fail again (all but errors
    of machines and of the network, which torch raises as RuntimeError) is told to the log first. Then workers stop
    after their epoch, and those that are started anew have nothing to do.
    """
    import ray

    order = config["order"]
    if ray.get(order.log.is_over.remote()):
        return
    try:
        _train(order)
    except (OSError, RuntimeError, ray.exceptions.RayError):
        raise
    except Exception as error:
        if not isinstance(error, TrainingStopped):
            ray.get(order.log.fail.remote(f"{type(error).__name__}: {error}"))
        if order.per_model > 1:
            raise  # the others of the group would wait for this worker: end them


def _train(order: Order) -> None:
    import ray
    import ray.train
    import ray.train.torch
    import torch

    context = ray.train.get_context()
    rank, groups = context.get_world_rank(), context.get_world_size() // order.per_model
    device = ray.train.torch.get_device()
    if device.type == "cpu":
        torch.set_num_threads(1)
    group = None
    if order.per_model > 1:
        # Every worker takes part in making every group.
        all_ranks = [_ranks(g, order.per_model) for g in range(groups)]
        group = [torch.distributed.new_group(ranks) for ranks in all_ranks][rank // order.per_model]
    place = Place(str(device), rank % order.per_model, order.per_model, group)
    data = ray.get(order.data)
    gpus = ray.get_runtime_context().get_accelerator_ids().get("GPU", [])
    gpu = GpuUsage(str(gpus[0]) if device.type == "cuda" and gpus and place.rank == 0 else None)
    try:
        for job in order.jobs[rank // order.per_model :: groups]:
            if _is_finished(order.states, job, place):
                continue
            diary = _Diary(order, gpu)
            made = order.recipe.fit(data, order.settings, job, place=place, kept=diary, report=diary.report)
            if place.rank == 0:
                order.states.finish(job, made)
    finally:
        gpu.close()


def _ranks(group: int, per_model: int) -> list[int]:
    return list(range(group * per_model, (group + 1) * per_model))


def _is_finished(states: TrainStates, job: Job, place: Place) -> bool:
    """Whether the job's network is there, as its group's first worker finds it: workers that disagree would wait for
    each other for ever."""
    import torch

    if place.world == 1:
        return states.is_finished(job)
    flag = torch.tensor([int(place.rank == 0 and states.is_finished(job))], device=place.device)
    torch.distributed.broadcast(flag, group=place.group, group_src=0)
    return bool(flag.item())
