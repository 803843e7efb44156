"""States of trainings in the lake, the key that they lie below, and views that are mapped from it."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from exo_assets.features.seen_views import SEEN_VIEWS
from exo_assets.features.view_arrays import array_key, npy_bytes
from exo_assets.training.neural import Epoch, NeuralFit, NeuralJob, NeuralSettings, Scaler
from exo_assets.training.stored_fit import fit_bytes, read_fit
from exo_resources.lake import Lake
from exo_resources.lake_views import LakeViews
from exo_resources.train_states import ROOT, TrainStates, content_key
from tests.resources.small_networks import small_data
from tests.s3_server import s3_bucket

JOB = NeuralJob("fold 1/member 2", seed=3, holdout=1)
FIT = NeuralFit(
    JOB,
    Scaler(np.arange(6.0).reshape(3, 2)),
    {"head.out.weight": np.float32([[0.1, 2]]), "steps": np.array(7)},
    np.array([4, 9]),
    {"full": np.array([[0.1, 0.2, 0.3], [np.nan, 1, 2]])},
    {"head.out.weight": np.float32([[1e-30, 0]])},
    [Epoch(JOB.name, 1, 0.1 + 0.2, float("nan"), 0.5, 1e3, 0.01, True)],
)


def test_a_fit_survives_its_bytes_bit_for_bit() -> None:
    read = read_fit(fit_bytes(FIT), JOB)
    assert read.job == JOB and repr(read.history) == repr(FIT.history)
    np.testing.assert_array_equal(read.scaler.knots, FIT.scaler.knots)
    np.testing.assert_array_equal(read.rows, FIT.rows)
    for part in ("weights", "logits", "fisher"):
        for name, value in getattr(FIT, part).items():
            found = getattr(read, part)[name]
            assert found.dtype == value.dtype and found.shape == value.shape
            np.testing.assert_array_equal(found, value)


def test_states_are_replaced_and_go_with_their_run(lake: Lake) -> None:
    states = TrainStates(lake, "weekly", "a")
    assert states.load(JOB.name) is None and states.fit(JOB) is None and not states.is_finished(JOB)
    states.save(JOB.name, b"one")
    states.save(JOB.name, b"two")
    states.finish(JOB, FIT)
    assert states.load(JOB.name) == b"two" and states.is_finished(JOB)
    assert len(lake.keys(ROOT)) == 2, "names of jobs are no folders"
    newer, other = TrainStates(lake, "weekly", "b"), TrainStates(lake, "weekly 2", "a")
    newer.save(JOB.name, b"new")
    other.save(JOB.name, b"other")
    newer.forget_others()
    assert states.load(JOB.name) is None and not states.is_finished(JOB)
    assert newer.load(JOB.name) == b"new" and other.load(JOB.name) == b"other"
    newer.clear()
    assert newer.load(JOB.name) is None and other.load(JOB.name) == b"other"


def test_the_key_changes_with_all_that_is_trained_on() -> None:
    data, settings = small_data(), NeuralSettings()
    key = content_key(data, settings, [JOB])
    assert key == content_key(small_data(), NeuralSettings(), (JOB,))
    x = data.x.copy()
    x[3, 4] = 99.0
    others = [
        content_key(replace(data, x=x), settings, [JOB]),
        content_key(replace(data, views={**data.views, "odd_view": -data.views["odd_view"]}), settings, [JOB]),
        content_key(replace(data, shows=~data.shows), settings, [JOB]),
        content_key(data, replace(settings, clip_norm=1.0), [JOB]),
        content_key(data, settings, [replace(JOB, rows=(1, 2))]),
        content_key(data, settings, [replace(JOB, seed=4)]),
        content_key(data, settings, [JOB, JOB]),
        content_key(data, settings, [JOB], 2),
    ]
    assert len({key, *others}) == len(others) + 1
    assert content_key(["ab", "c"]) != content_key(["a", "bc"])
    assert content_key(np.zeros((0, 3))) != content_key(np.zeros((0, 4)))


def test_views_are_sent_as_names_and_mapped_where_they_are_used(lake: Lake) -> None:
    views = _stored(lake)
    assert set(views) == set(SEEN_VIEWS)
    np.testing.assert_array_equal(views["local_view"][[2, 0]], _array(1)[[2, 0]])
    sent = pickle.dumps(views)
    assert len(sent) < 2_000
    there = pickle.loads(sent)
    assert isinstance(there["local_view"].base, np.memmap) and not there["local_view"].flags.writeable
    np.testing.assert_array_equal(there["odd_view"], views["odd_view"])
    assert content_key(there) == content_key(views) != content_key(LakeViews.of(lake, "other"))
    with pytest.raises(FileNotFoundError):
        LakeViews.of(lake, "never made")["odd_view"]


def test_views_of_a_bucket_are_mapped_from_a_copy() -> None:
    with s3_bucket("views") as (_, query):
        views = pickle.loads(pickle.dumps(_stored(Lake(f"s3://views/exo?{query}"))))
        assert isinstance(views["even_view"].base, np.memmap)
        np.testing.assert_array_equal(views["even_view"], _array(SEEN_VIEWS.index("even_view")))


def _stored(lake: Lake) -> LakeViews:
    for seed, name in enumerate(SEEN_VIEWS):
        lake.put(array_key("digest", name), npy_bytes(_array(seed)))
    return LakeViews.of(lake, "digest")


def _array(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(40, 61)).astype(np.float32)
