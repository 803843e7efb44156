"""Batches: every copy once, and none of a size that nothing can be normalised over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from exo_assets.training.batches import LEAST_ROWS, batches, rows_of, steps_of
from exo_assets.training.fit_torch import fit
from exo_assets.training.neural import NeuralJob
from tests.resources.small_networks import SIGNALS, TINY, small_data

DATA = small_data()
WHOLE = NeuralJob("whole", seed=0, holdout=None)


@given(st.integers(1, 20_000), st.integers(1, 1024), st.integers(1, 8))
@examples(max_examples=300, deadline=None)
def test_every_worker_has_rows_of_every_batch_or_the_training_is_refused(taught: int, batch: int, workers: int) -> None:
    plan = replace(TINY, batch=batch)
    try:
        steps = steps_of(taught, plan, workers)
    except ValueError as error:
        assert str(batch) in str(error)
        assert taught < 2 * LEAST_ROWS * workers or batch < 2 * LEAST_ROWS * workers, "else there are rows enough"
        return
    sizes = [len(part) for part in np.array_split(np.arange(taught), steps)]
    assert max(sizes) <= batch and max(sizes) - min(sizes) <= 1
    assert min(sizes) // workers >= LEAST_ROWS


@given(st.integers(20, 400), st.integers(1, 3), st.integers(0, 10**6))
@examples(max_examples=30, deadline=None)
def test_workers_share_every_copy_once(batch: int, workers: int, seed: int) -> None:
    plan = replace(TINY, batch=batch)
    taught = rows_of(DATA, plan, WHOLE).taught
    assume(taught.size > workers * LEAST_ROWS)
    numbered = np.arange(taught.size, dtype=np.float32)[:, None]
    seen = [
        batch.shown.scalars[:, 0].astype(int)
        for rank in range(workers)
        for batch in batches(DATA, numbered, taught, plan, seed=(seed, 0), part=slice(rank, None, workers))
    ]
    assert sorted(np.concatenate(seen)) == list(range(taught.size))
    assert min(map(len, seen)) >= LEAST_ROWS


@pytest.mark.parametrize("over", [1, 2, 3])
def test_a_hundred_trainings_with_an_odd_number_of_rows_end(over: int) -> None:
    """With batches of a fixed size the last one would have `over` rows; of one, nothing can be normalised."""
    for seed in range(over, 100, 3):
        rng = np.random.default_rng(seed)
        rows = tuple(int(i) for i in np.sort(rng.choice(SIGNALS, rng.integers(120, SIGNALS), replace=False)))
        job = NeuralJob(f"odd {seed}", seed=seed, holdout=None, rows=rows)
        plan = replace(TINY, epochs=1, validation_share=0.3)
        taught = len(rows_of(DATA, plan, job).taught)
        sizes = [size for size in range(16, taught) if taught % size == over] or [taught - over]
        made = fit(DATA, replace(plan, batch=int(rng.choice(sizes))), job)
        assert all(np.isfinite(value).all() for value in made.weights.values())


def test_one_row_a_worker_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"3 rows in batches of at most 64 .* fewer than 3 workers"):
        steps_of(3, TINY, 2)
