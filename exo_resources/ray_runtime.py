"""Ray: started on this machine or joined, when it is first needed.

Belongs here: starting, joining and leaving, and running independent tasks or a search on what is there.
Does not belong here: what the tasks compute, or the cluster that the endpoint lives on (serve_cluster.py).
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

LONGEST_TEMP = 40
"""Ray puts sockets about 65 characters below its temporary folder, and a socket's path may have 107."""

WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
}
"""A task has one CPU; libraries that count the machine's would start a thread for each."""

OBJECT_STORE_BYTES = 400 * 2**20
ATTEMPTS = 3
SWEEP_S = 10.0
WORKERS_LOST = 5
"""So many workers may die under one task, of a machine that was taken away or ran out of memory, before it is given
up."""


class RayStartError(RuntimeError):
    """Ray did not start on this machine; it may when there is less to do."""


@dataclass(frozen=True)
class WorkerLost:
    """A task that was given up because its workers died again and again."""

    message: str


class RayRuntime:
    """One Ray per process. `address` joins a cluster (`ray://...`, `host:6379`); None starts one on this machine."""

    def __init__(self, address: str | None, home: Path) -> None:
        self.address = address
        self.home = Path(home)
        self._started = False

    def ensure(self) -> None:
        """Start or join Ray unless this process already has one. ConnectionError when the cluster does not answer."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        if ray.is_initialized():
            return
        common: dict[str, Any] = {
            "namespace": "exo",
            "log_to_driver": False,
            "logging_level": logging.WARNING,
            "runtime_env": {"env_vars": WORKER_ENVIRONMENT},
        }
        if self.address:
            try:
                ray.init(address=self.address, **common)
            except (ConnectionError, TimeoutError, RuntimeError, ValueError) as error:
                raise ConnectionError(
                    f"cannot join Ray at {self.address} ({error}); check EXO_RAY_ADDRESS, or unset it to start a Ray "
                    "on this machine. A cluster with token authentication needs RAY_AUTH_MODE=token and its token in "
                    "RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"
                ) from error
        else:
            self._start(common)
        self._started = True

    def _start(self, common: Mapping[str, Any]) -> None:
        """Start Ray here. A busy machine can miss Ray's 30 s for its first process: that is tried again."""
        import ray

        for attempt in range(1, ATTEMPTS + 1):
            try:
                # "local": never join a Ray that happens to run on this machine, such as the endpoint's.
                ray.init(
                    address="local",
                    include_dashboard=False,
                    object_store_memory=OBJECT_STORE_BYTES,
                    _temp_dir=str(self.temp),
                    **common,
                )
                return
            except Exception as error:
                ray.shutdown()
                self._sweep()
                if attempt == ATTEMPTS or "timed out" not in str(error):
                    raise RayStartError(
                        f"Ray did not start on this machine ({error}); its logs are in {self.temp}. Free memory and "
                        "processors, or join a cluster with EXO_RAY_ADDRESS"
                    ) from error

    def _sweep(self) -> None:
        """End the processes of a start that failed. Ray itself ends them when this process ends; until then they would
        take from the next try the machine that was too busy for the last."""
        import psutil

        mark = str(self.temp)
        left = []
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if any(mark in word for word in child.cmdline()):
                    child.kill()
                    left.append(child)
        psutil.wait_procs(left, timeout=SWEEP_S)

    @property
    def temp(self) -> Path:
        """Ray's temporary folder: short, and its own for each home and user."""
        tag = hashlib.sha256(f"{os.getuid()}:{self.home}".encode()).hexdigest()[:10]
        base = Path(tempfile.gettempdir())
        if len(str(base)) > LONGEST_TEMP - 15:
            base = Path("/tmp")
        return base / f"exo-{tag}"

    def shutdown(self) -> None:
        """Leave Ray; stops it when this object started it here. Safe to repeat."""
        if not self._started:
            return
        import ray

        ray.shutdown()
        self._started = False

    def gpus(self) -> int:
        """GPUs of the cluster, which is started or joined for it."""
        self.ensure()
        import ray

        return int(ray.cluster_resources().get("GPU", 0))

    def map(self, function: Callable[[Any, Any], Any], shared: Any, tasks: Sequence[Any]) -> list[Any]:
        """`function(shared, task)` for each task, one CPU each; results in the order of `tasks`.

        `shared` is stored once. An exception in a task is raised here.
        """
        self.ensure()
        import ray

        stored = ray.put(shared)
        remote = ray.remote(num_cpus=1)(function)
        results: list[Any] = ray.get([remote.remote(stored, task) for task in tasks])
        return results

    def stream(
        self,
        function: Callable[[Any, Any], T],
        shared: Any,
        tasks: Iterable[Any],
        *,
        at_once: int | None = None,
        gpus: float = 0,
    ) -> Iterator[T | WorkerLost]:
        """As `map`, for more tasks than fit into memory: results come one by one, in the order of `tasks`.

        At most `at_once` tasks (three for each CPU of the cluster when None) are begun and not yet handed over, so
        neither tasks nor results pile up. A task whose worker dies is begun again on another, `WORKERS_LOST` times;
        then it comes out as `WorkerLost`. An exception in a task is raised here. Without a task Ray is not started.
        `gpus` is what each task is given beside its CPU.
        """
        waiting = iter(tasks)
        first = next(waiting, None)
        if first is None:
            return
        waiting = chain([first], waiting)
        self.ensure()
        import ray

        most = at_once or 3 * max(1, int(ray.cluster_resources().get("CPU", 1)))
        stored = ray.put(shared)
        # Without `max_calls` Ray starts a new worker for each task on a GPU: what a task has loaded would be lost.
        remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=WORKERS_LOST, max_calls=0)(function)
        begun: deque[Any] = deque()
        try:
            while True:
                begun.extend(remote.remote(stored, task) for task in islice(waiting, most - len(begun)))
                if not begun:
                    return
                try:
                    yield ray.get(begun[0])
                except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError) as lost:
                    yield WorkerLost(str(lost).splitlines()[0])
                except ray.exceptions.OutOfMemoryError as lost:
                    yield WorkerLost(f"out of memory: {str(lost).splitlines()[0]}")
                begun.popleft()
        finally:
            for task in begun:
                ray.cancel(task, force=True)

    def search(
        self,
        objective: Callable[[Any, Mapping[str, Any]], float],
        shared: Any,
        *,
        space: Mapping[str, tuple[float, float, str]],
        start: Mapping[str, Any],
        trials: int,
        seed: int,
    ) -> tuple[dict[str, Any], float]:
        """Ray Tune with Optuna's TPE: the parameters with the least `objective(shared, parameters)`, and that value.

        `space` is name -> (low, high, int|log|uniform); `start` is the first point tried, so the result is never worse
        than it. Trials run one CPU each, as many at once as there are CPUs.
        """
        self.ensure()
        import ray
        from ray import tune
        from ray.tune.search import ConcurrencyLimiter
        from ray.tune.search.optuna import OptunaSearch

        kinds: dict[str, Callable[[float, float], Any]] = {
            "int": lambda low, high: tune.randint(int(low), int(high) + 1),
            "log": tune.loguniform,
            "uniform": tune.uniform,
        }
        stored = ray.put(shared)

        def trainable(parameters: dict[str, Any]) -> None:
            tune.report({"loss": objective(ray.get(stored), parameters)})

        first = {name: start[name] for name in space}
        optuna = OptunaSearch(metric="loss", mode="min", seed=seed, points_to_evaluate=[first])
        at_once = max(1, int(ray.cluster_resources().get("CPU", 1)))
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": 1}),
            param_space={name: kinds[kind](low, high) for name, (low, high, kind) in space.items()},
            tune_config=tune.TuneConfig(
                metric="loss", mode="min", num_samples=trials, search_alg=ConcurrencyLimiter(optuna, at_once)
            ),
            run_config=tune.RunConfig(name="vetter", storage_path=str(self.home / "tune"), verbose=0),
        )
        best = tuner.fit().get_best_result()
        if best.config is None or best.metrics is None:
            raise RuntimeError("no trial of the hyper-parameter search finished; see the errors above")
        return {name: best.config[name] for name in space}, float(best.metrics["loss"])
