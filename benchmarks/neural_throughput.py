"""How fast networks are trained here, and whether data keep up: on SIMULATED data, so its scores mean nothing.

    python -m benchmarks.neural_throughput --signals 20000 --epochs 3

Prints samples per second, the share of the time that the device waited for data, how busy the GPU was (where there is
one), and the time to the best epoch. Trained by the same code as ever, on Ray, on what it has: GPUs, else CPUs. Views
are mapped from files, as those of the lake are; they and the scalars are random numbers of the real sizes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.seen_views import BINS, BRANCHES
from exo_assets.features.view_arrays import array_key, npy_bytes
from exo_assets.training.neural import Epoch, NeuralData, NeuralJob, NeuralSettings
from exo_resources.lake import Lake
from exo_resources.lake_views import LakeViews
from exo_resources.ray_runtime import RayRuntime
from exo_resources.ray_train import NeuralTraining, TrainingSummary, Workers

COPIES = 3
DIGEST = "simulated"


def simulated(lake: Lake, signals: int, seed: int = 1) -> NeuralData:
    """SIMULATED signals, a third of each class, `COPIES` copies each; each has views, files of `lake`."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, signals)
    x = rng.normal(size=(signals, len(FEATURE_NAMES))) + 0.3 * label[:, None]
    x[rng.random(x.shape) < 0.2] = np.nan
    x[:, FEATURE_NAMES.index("mission")] = rng.integers(0, len(MISSIONS), signals)
    for branch, names in BRANCHES.items():
        for name in names:
            lake.put(array_key(DIGEST, name), npy_bytes(rng.normal(size=(signals, BINS[branch])).astype(np.float32)))
    rows = np.tile(np.arange(signals), COPIES)
    plain = np.arange(len(rows)) < signals
    return NeuralData(
        x=x[rows],
        row=rows,
        weight=np.full(len(rows), 1 / COPIES),
        shows=np.ones(len(rows), dtype=bool),
        plain=plain,
        label=label,
        fold=rng.integers(0, 5, signals),
        inner=rng.random(signals),
        view=np.arange(signals),
        views=LakeViews.of(lake, DIGEST),
        judged={"full": x},
        judged_shows={"full": np.ones(signals, dtype=bool)},
    )


def main() -> None:
    """Train and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--signals", type=int, default=20_000)
    ask.add_argument("--epochs", type=int, default=NeuralSettings.epochs)
    ask.add_argument("--batch", type=int, default=NeuralSettings.batch)
    ask.add_argument("--networks", type=int, default=1, help="networks to train, side by side as far as Ray can")
    ask.add_argument("--workers", type=int, default=0, help="0: as many as Ray has and the networks need")
    ask.add_argument("--workers-per-model", type=int, default=1)
    asked = ask.parse_args()
    settings = NeuralSettings(epochs=asked.epochs, batch=asked.batch)
    jobs = [NeuralJob(f"network {k}", seed=k, holdout=k % 5) for k in range(asked.networks)]
    with tempfile.TemporaryDirectory(prefix="exo-throughput-") as folder:
        lake, runtime = Lake(str(Path(folder) / "lake")), RayRuntime(None, Path(folder))
        training = NeuralTraining(runtime, lake, Path(folder), Workers(asked.workers, asked.workers_per_model))
        print(
            f"SIMULATED data: {asked.signals} signals, {COPIES} copies each, {len(FEATURE_NAMES)} features, all views"
        )
        try:
            data = simulated(lake, asked.signals)
            training.run(data, settings, jobs, name="throughput", progress=_told, summary=_summed)
        finally:
            runtime.shutdown()


def _told(epoch: Epoch) -> None:
    print(
        f"  {epoch.job}, epoch {epoch.epoch}: loss {epoch.loss:.3f}, {epoch.samples_per_s:,.0f} samples/s, "
        f"waited for data {epoch.waited:.1%}",
        flush=True,
    )


def _summed(run: TrainingSummary) -> None:
    busy = "unknown" if np.isnan(run.gpu_busy) else f"{run.gpu_busy:.0%}"
    print(f"device                       {run.device}, {run.workers} workers, {run.at_once} networks at once")
    print(f"samples/s of a network       {run.samples_per_s:,.0f} (median epoch)")
    print(f"samples/s of all at once     {run.samples_per_s * run.at_once:,.0f}")
    print(f"device waited for data       {run.waited:.1%} (median epoch)")
    print(f"GPU computed                 {busy}{'' if run.device == 'cuda' else ' (no GPU here)'}")
    for job, seconds in run.best_after_s.items():
        print(f"best epoch of {job:<14} after {seconds:.1f} s")
    print(f"whole run with its start     {run.seconds:.1f} s")


if __name__ == "__main__":
    main()
