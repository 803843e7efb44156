"""Networks trained on a real Ray Train: as in one process, through deaths of workers and of the driver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exo_assets.corpus.embedder_learning import EMBEDDERS, EmbedderJob
from exo_assets.training.batches import rows_of
from exo_assets.training.neural import Epoch, NeuralFit, NeuralJob, NeuralSettings
from exo_resources.lake import Lake
from exo_resources.ray_runtime import RayRuntime
from exo_resources.ray_train import NeuralTraining, NeuralTrainingError, RayTraining, TrainingSummary, Workers
from exo_resources.train_states import ROOT
from tests.corpus.small_pairs import QUICK, fatal_data
from tests.corpus.small_pairs import small_data as small_pairs
from tests.resources.small_networks import TINY, FatalViews, WaitingViews, WatchedViews, small_data

pytestmark = pytest.mark.ray
FOLDS = [NeuralJob(f"fold {k}", seed=k, holdout=k) for k in range(2)]
WHOLE = NeuralJob("whole/0", seed=9, holdout=None)
JOBS = [*FOLDS, WHOLE]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="module")
def runtime(home: Path) -> Iterator[RayRuntime]:
    made = RayRuntime(None, home)
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def lake(home: Path) -> Lake:
    return Lake(str(home / "lake"))


class BrokenOffError(Exception):
    pass


def test_jobs_side_by_side_give_what_one_process_gives_also_after_the_driver_was_lost(
    runtime: RayRuntime, lake: Lake, home: Path, tmp_path: Path
) -> None:
    import torch

    from exo_assets.training.fit_torch import fit

    training = NeuralTraining(runtime, lake, home, Workers(count=2))
    data = small_data()
    before: list[Epoch] = []

    def broken_off(epoch: Epoch) -> None:
        before.append(epoch)
        if len(before) == 2:
            raise BrokenOffError

    go_on = tmp_path / "go on"
    waiting = small_data(WaitingViews(go_on, _looks() // 2))  # in the second epoch
    with pytest.raises(BrokenOffError):
        training.run(waiting, TINY, JOBS, name="side by side", progress=broken_off)
    go_on.touch()
    after: list[Epoch] = []
    summaries: list[TrainingSummary] = []
    fits = training.run(data, TINY, JOBS, name="side by side", progress=after.append, summary=summaries.append)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for job, found in zip(JOBS, fits, strict=True):
            assert found.job == job
            _assert_equal(found, fit(data, TINY, job))
    finally:
        torch.set_num_threads(threads)
    assert {(epoch.job, epoch.epoch) for epoch in before} == {("fold 0", 1), ("fold 1", 1)}
    told = {(epoch.job, epoch.epoch) for epoch in after}
    assert len(after) == len(told) and not told & {("fold 0", 1), ("fold 1", 1)}, "no epoch was trained twice"
    assert {(WHOLE.name, n) for n in (1, 2, 3)} <= told
    assert all(made.fisher for made in fits)
    assert [s.at_once for s in summaries] == [2] and summaries[0].device == "cpu"
    assert lake.keys(ROOT) == [] and not any((home / "train").iterdir())
    assert _curves(home / "logs" / "tensorboard" / "side%20by%20side" / "whole%2F0") == {
        name: list(range(1, TINY.epochs + 1))
        for name in ("loss/training", "loss/validation", "average_precision", "speed/samples_per_s", "speed/waited")
    }


def test_two_workers_on_one_network_go_on_where_one_of_them_was_killed(
    runtime: RayRuntime, lake: Lake, home: Path, tmp_path: Path
) -> None:
    training = NeuralTraining(runtime, lake, home, Workers(count=2, per_model=2))
    whole, killed = (replace(FOLDS[0], name=name) for name in ("whole", "killed"))
    mark, epochs = tmp_path / "killed", []
    # One row more than whole batches hold: a worker would have one, the other none.
    taught = len(rows_of(small_data(), TINY, whole).taught)
    odd = replace(TINY, batch=next(size for size in range(TINY.batch, 0, -1) if taught % size == 1))
    # Each worker looks at the views of the first job and then of the second: the latter is under way when one dies.
    views = FatalViews(mark, _looks(odd) * 3 // 2)
    fits = training.run(small_data(views), odd, [whole, killed], name="together", progress=epochs.append)
    assert mark.exists(), "a worker was killed"
    _assert_equal(*fits)
    told = [(epoch.job, epoch.epoch) for epoch in epochs]
    assert told == [(job.name, n) for job in (whole, killed) for n in range(1, TINY.epochs + 1)], "each epoch once"
    assert lake.keys(ROOT) == []


def test_the_embedding_model_is_taught_by_two_workers_and_goes_on_where_one_was_killed(
    runtime: RayRuntime, lake: Lake, home: Path, tmp_path: Path
) -> None:
    import torch

    from exo_assets.corpus.embedder_torch import teach

    training = RayTraining(EMBEDDERS, runtime, lake, home, Workers(count=2, per_model=2))
    whole, killed = EmbedderJob("whole", seed=3), EmbedderJob("killed", seed=3)
    # A worker reads four questions in each of two epochs: it dies in the second epoch of the second job.
    mark, epochs = tmp_path / "killed", []
    fits = training.run(fatal_data(mark, 14), QUICK, [whole, killed], name="embedder", progress=epochs.append)
    assert mark.exists(), "a worker was killed"
    assert [(epoch.job, epoch.epoch) for epoch in epochs] == [
        (job.name, epoch) for job in (whole, killed) for epoch in (1, 2)
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = teach(small_pairs(), QUICK, whole)
    finally:
        torch.set_num_threads(threads)
    for name, value in fits[0].weights.items():
        np.testing.assert_array_equal(fits[1].weights[name], value, err_msg=name)
        np.testing.assert_allclose(alone.weights[name], value, atol=2e-5, err_msg=name)
    start = small_pairs().weights
    moved = {name: np.abs(fits[0].weights[name] - start[name]).max() for name in start}
    assert max(moved.values()) > 1e-3, "two workers learn as one with the whole batch does, not nothing"
    assert lake.keys(ROOT) == []


def test_an_error_of_the_training_arrives_and_is_not_tried_again(runtime: RayRuntime, lake: Lake, home: Path) -> None:
    planets = tuple(int(i) for i in np.flatnonzero(small_data().label == 0))
    bad = NeuralJob("planets only", seed=1, holdout=None, rows=planets)
    training = NeuralTraining(runtime, lake, home, Workers(count=2))
    with pytest.raises(
        NeuralTrainingError, match="ValueError: planets only: no planets or no false positives are left"
    ):
        training.run(small_data(), replace(TINY, epochs=2), [FOLDS[0], bad], name="bad")


def test_two_jobs_of_one_name_and_too_few_processors_are_named(runtime: RayRuntime, lake: Lake, home: Path) -> None:
    training = NeuralTraining(runtime, lake, home)
    with pytest.raises(ValueError, match="same name"):
        training.run(small_data(), TINY, [WHOLE, WHOLE], name="twice")
    crowd = NeuralTraining(runtime, lake, home, Workers(per_model=10_000))
    with pytest.raises(NeuralTrainingError, match="10000 workers are needed and Ray has"):
        crowd.run(small_data(), TINY, [WHOLE], name="crowd")


@pytest.mark.parametrize(
    ("workers", "jobs", "there", "expected"),
    [
        (Workers(), 5, 8, 5),
        (Workers(), 5, 2, 2),
        (Workers(3), 5, 8, 3),
        (Workers(8), 5, 8, 5),
        (Workers(per_model=2), 5, 7, 6),
        (Workers(5, per_model=2), 5, 7, 4),
        (Workers(per_model=4), 1, 64, 4),
    ],
)
def test_workers_fit_the_jobs_and_the_machine(workers: Workers, jobs: int, there: int, expected: int) -> None:
    assert workers.fitting(jobs, there, can_grow=False) == expected


def test_only_a_cluster_that_may_grow_is_asked_for_more_than_it_has() -> None:
    assert Workers(4).fitting(5, 2, can_grow=True) == 4
    with pytest.raises(NeuralTrainingError, match="4 workers are needed and Ray has 2"):
        Workers(4).fitting(5, 2, can_grow=False)


def _looks(settings: NeuralSettings = TINY) -> int:
    """How often a worker looks at views to train the first job, counted in this process."""
    from exo_assets.training.fit_torch import fit

    views = WatchedViews(Path("never"), looks=0)
    fit(small_data(views), settings, FOLDS[0])
    return views.seen


def _assert_equal(one: NeuralFit, other: NeuralFit) -> None:
    np.testing.assert_array_equal(one.scaler.knots, other.scaler.knots)
    np.testing.assert_array_equal(one.rows, other.rows)
    for part in ("weights", "logits", "fisher"):
        left, right = getattr(one, part), getattr(other, part)
        assert set(left) == set(right)
        for name in left:
            np.testing.assert_array_equal(left[name], right[name], err_msg=f"{part} {name}")
    assert [_learned(e) for e in one.history] == [_learned(e) for e in other.history]


def _learned(epoch: Epoch) -> Epoch:
    return replace(epoch, job="", samples_per_s=0.0, waited=0.0)


def _curves(folder: Path) -> dict[str, list[int]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found: dict[str, list[int]] = {}
    for file in sorted(folder.iterdir()):
        events = EventAccumulator(str(file))
        events.Reload()
        for tag in events.Tags()["scalars"]:
            found.setdefault(tag, []).extend(e.step for e in events.Scalars(tag))
    return found
