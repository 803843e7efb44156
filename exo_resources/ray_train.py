"""Training of networks on Ray Train: folds and members of ensembles side by side, or one network by many workers.

Belongs here: how many workers there are, starting them, following them, and what comes back. Does not belong here:
what a worker does (train_worker.py), where states are kept (train_states.py), or how a network is trained (a recipe:
exo_assets/training/recipe.py).

One Ray Train run trains all jobs: to start one takes many seconds, and a fold may take few. Progress does not go
through `ray.train.report`, at which all workers wait for each other, for jobs differ in length.
"""

from __future__ import annotations

import importlib.metadata
import math
import shutil
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, cast
from urllib.parse import quote

from exo_assets.code_version import code_version
from exo_assets.training.network_recipe import NETWORKS
from exo_assets.training.neural import Epoch, NeuralData, NeuralFit, NeuralJob, NeuralSettings
from exo_assets.training.recipe import D, E, F, J, Recipe, S
from exo_resources.lake import Lake
from exo_resources.ray_runtime import RayRuntime
from exo_resources.train_board import Board
from exo_resources.train_states import TrainStates, content_key
from exo_resources.train_worker import Log, Order, Told, train

RESTARTS = 3
"""So often workers that died, or that a machine or the network failed, are started again."""
STARTS = 30
"""So many minutes workers are waited for while others use the cluster."""
LOOK_S = 0.5


class NeuralTrainingError(RuntimeError):
    """A network could not be trained; the message says why."""


@dataclass(frozen=True)
class Workers:
    """`count` workers in all (0: what Ray has, as far as the jobs need it), `per_model` of them on each network."""

    count: int = 0
    per_model: int = 1

    def fitting(self, jobs: int, there: int, *, can_grow: bool) -> int:
        """How many workers train `jobs` networks when Ray has `there` processors (GPUs, if it has any)."""
        wanted = min(self.count or there, jobs * self.per_model) // self.per_model * self.per_model
        if not wanted or (wanted > there and not can_grow):
            raise NeuralTrainingError(
                f"{max(wanted, self.per_model)} workers are needed and Ray has {there} processors for them; lower "
                "EXO_TRAIN_WORKERS or EXO_TRAIN_WORKERS_PER_MODEL, or join a larger cluster with EXO_RAY_ADDRESS"
            )
        return wanted


@dataclass(frozen=True)
class TrainingSummary:
    """How a run went. `samples_per_s` and `waited` (share of the time that a device waited for data) are medians over
    the epochs of single networks, of which `at_once` were trained side by side; `gpu_busy` is the mean share of the
    time that GPUs computed in, nan when it is unknown; `best_after_s` says by job how long it trained up to its best
    epoch (since it was resumed, if it was)."""

    device: str
    workers: int
    at_once: int
    seconds: float
    samples_per_s: float
    waited: float
    gpu_busy: float
    best_after_s: Mapping[str, float]


class RayTraining(Generic[D, S, J, E, F]):
    """Trains by a recipe on Ray. `lake` must be within reach of all workers: a bucket, or a folder that they share."""

    def __init__(
        self,
        recipe: Recipe[D, S, J, E, F],
        ray_runtime: RayRuntime,
        lake: Lake,
        home: Path,
        workers: Workers | None = None,
    ) -> None:
        self.recipe, self.ray_runtime, self.lake, self.home = recipe, ray_runtime, lake, Path(home)
        self.workers = workers or Workers()

    def run(
        self,
        data: D,
        settings: S,
        jobs: Sequence[J],
        *,
        name: str,
        progress: Callable[[E], None] = lambda _epoch: None,
        summary: Callable[[TrainingSummary], None] = lambda _summary: None,
    ) -> list[F]:
        """The network of each job, in the order of `jobs`.

        `progress` is called here for each epoch once its checkpoint is in the lake, `summary` at the end if anything
        was trained. A run that was broken off, of the same `name` and content, goes on from its checkpoints; those of
        other content are deleted. Of `data`, what are `LakeViews` is mapped by each worker.

        ValueError when two jobs have one name; NeuralTrainingError when a network cannot be trained.
        """
        if len({job.name for job in jobs}) < len(jobs):
            raise ValueError("two jobs have the same name")
        self.ray_runtime.ensure()
        import ray

        there = ray.cluster_resources()
        use_gpu = there.get("GPU", 0) >= 1
        device = "cuda" if use_gpu else "cpu"
        versions = (code_version(self.recipe), importlib.metadata.version("torch"))
        key = content_key(data, settings, jobs, self.workers.per_model, device, versions)
        states = TrainStates(self.lake, name, key, self.recipe)
        states.forget_others()
        todo = [job for job in jobs if not states.is_finished(job)]
        if todo:
            count = self.workers.fitting(
                len(todo), int(there.get("GPU" if use_gpu else "CPU", 0)), can_grow=bool(self.ray_runtime.address)
            )
            log = _log()
            order = Order(
                recipe=self.recipe,
                data=ray.put(data),
                settings=settings,
                jobs=todo,
                states=states,
                per_model=self.workers.per_model,
                log=log,
            )
            began = time.perf_counter()
            told = self._followed(order, self._trainer(order, name, count, use_gpu), name, progress)
            summary(_summary(told, device, (count, count // self.workers.per_model), time.perf_counter() - began))
        fits = [fit for fit in map(states.fit, jobs) if fit is not None]
        if len(fits) < len(jobs):
            raise NeuralTrainingError(
                f"trained networks of {name} are not in the lake at {self.lake.root}: the workers of a cluster need a "
                "lake that all machines share; set EXO_LAKE_URL to a bucket"
            )
        states.clear()
        return fits

    def _trainer(self, order: Order, name: str, count: int, use_gpu: bool) -> Any:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer

        resources = {"CPU": 1.0, "GPU": 1.0} if use_gpu else {"CPU": 1.0}
        return TorchTrainer(
            train,
            train_loop_config={"order": order},
            scaling_config=ScalingConfig(num_workers=count, use_gpu=use_gpu, resources_per_worker=resources),
            run_config=RunConfig(
                name=quote(name, safe=""),
                storage_path=str(self._storage),
                failure_config=FailureConfig(max_failures=RESTARTS, controller_failure_limit=STARTS),
            ),
        )

    @property
    def _storage(self) -> Path:
        """Where Ray Train keeps its own notes; nothing that is needed later."""
        return self.home / "train"

    def _followed(self, order: Order, trainer: Any, name: str, progress: Callable[[E], None]) -> list[Told]:
        """Run `trainer` to its end, handing on what workers tell meanwhile."""
        import ray

        ended: list[Exception] = []

        def run() -> None:
            try:
                trainer.fit()
            except Exception as error:
                ended.append(error)

        board = Board(self.home / "logs" / "tensorboard" / quote(name, safe=""))
        told: list[Told] = []
        # A daemon: this process can end while workers are on their last epoch.
        running = threading.Thread(target=run, name=f"training-{name}", daemon=True)
        running.start()
        try:
            failure = None
            is_last = False
            while not is_last:
                running.join(LOOK_S)
                is_last = not running.is_alive()
                news, failure = ray.get(order.log.since.remote(len(told)))
                for each in news:
                    told.append(each)
                    board.add(each)
                    progress(cast(E, each.epoch))
        finally:
            board.close()
            if running.is_alive():
                order.log.stop.remote()
        shutil.rmtree(self._storage / quote(name, safe=""), ignore_errors=True)
        if failure is not None:
            raise NeuralTrainingError(failure) from (ended[0] if ended else None)
        if ended:
            raise NeuralTrainingError(f"the workers of {name} failed again and again: {ended[0]}") from ended[0]
        return told


class NeuralTraining(RayTraining[NeuralData, NeuralSettings, NeuralJob, Epoch, NeuralFit]):
    """Trains the vetter's networks."""

    def __init__(self, ray_runtime: RayRuntime, lake: Lake, home: Path, workers: Workers | None = None) -> None:
        super().__init__(NETWORKS, ray_runtime, lake, home, workers)


def _log() -> Any:
    """The log's actor, on the driver's machine: it lives as long as the driver does."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=here)(Log).remote()


def _summary(told: Sequence[Told], device: str, workers: tuple[int, int], seconds: float) -> TrainingSummary:
    busy = [each.gpu_busy for each in told if not math.isnan(each.gpu_busy)]
    return TrainingSummary(
        device=device,
        workers=workers[0],
        at_once=workers[1],
        seconds=seconds,
        samples_per_s=statistics.median(each.epoch.samples_per_s for each in told) if told else math.nan,
        waited=statistics.median(each.epoch.waited for each in told) if told else math.nan,
        gpu_busy=statistics.fmean(busy) if busy else math.nan,
        best_after_s={each.epoch.job: each.seconds for each in told if each.epoch.is_best},
    )
