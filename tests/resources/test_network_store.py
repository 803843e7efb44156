"""Networks of candidates in the lake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from exo_assets.training.neural import KNOTS, NeuralFit, NeuralJob, Scaler
from exo_resources.lake import Lake
from exo_resources.network_store import NetworkStore

JOBS = [NeuralJob("member0_fold0", 1, 0), NeuralJob("member0_all", 1, None)]


def fits() -> list[NeuralFit]:
    rng = np.random.default_rng(1)
    return [
        NeuralFit(
            job,
            Scaler(rng.normal(size=(KNOTS, 5))),
            {"w": rng.normal(size=(3, 2)).astype(np.float32)},
            np.arange(4),
            {"full": rng.normal(size=(4, 3))},
            {"w": np.ones((3, 2), np.float32)},
        )
        for job in JOBS
    ]


def test_networks_come_back_and_others_are_forgotten(tmp_path: Path) -> None:
    store = NetworkStore(Lake(str(tmp_path)))
    learned = pl.DataFrame({"signal_id": ["a"], "disposition": ["CONFIRMED"], "fold": [1]})
    made = fits()
    for digest in ("one", "two"):
        store.keep(digest, made, learned)
    found = store.of("one", JOBS)
    assert found is not None and found.learned.equals(learned.drop("fold"))
    for fit in made:
        again = found.fits[fit.job.name]
        assert np.array_equal(again.weights["w"], fit.weights["w"]) and np.array_equal(
            again.scaler.knots, fit.scaler.knots
        )
        assert np.array_equal(again.fisher["w"], fit.fisher["w"])
    store.keep_only({"two"})
    assert store.of("one", JOBS) is None and store.of("two", JOBS) is not None


def test_a_model_without_one_of_the_networks_has_none(tmp_path: Path) -> None:
    store = NetworkStore(Lake(str(tmp_path)))
    store.keep("one", fits()[:1], pl.DataFrame({"signal_id": ["a"], "disposition": ["CONFIRMED"]}))
    assert store.of("one", JOBS) is None
    assert store.of("one", JOBS[:1]) is not None
    assert store.of("never", JOBS) is None
