"""Going on from yesterday's networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from exo_assets.training.continual_torch import anchors, penalty
from exo_assets.training.fit_torch import fit, predict, tensors
from exo_assets.training.network_torch import VetterNetwork
from exo_assets.training.neural import NeuralFit, NeuralJob, NeuralSettings, Start
from exo_assets.training.warm_start import REHEARSED, start_of, warm_jobs
from tests.resources.small_networks import small_data

SETTINGS = NeuralSettings(
    hidden=12, layers=1, fused=8, embedding=2, channels=(2,), epochs=2, batch=64, dropout=0.0, validation_share=0.25
)


@pytest.fixture(scope="module")
def before() -> NeuralFit:
    return fit(small_data(), SETTINGS, NeuralJob("all", 1, None))


def test_new_and_changed_labels_are_shown_and_some_old_ones(before: NeuralFit) -> None:
    n = 4000
    today = pl.DataFrame({"signal_id": [f"s{i}" for i in range(n)], "disposition": ["CONFIRMED"] * n})
    then = today.head(3000).with_columns(
        disposition=pl.when(pl.int_range(pl.len()) < 100).then(pl.lit("CANDIDATE")).otherwise("disposition")
    )
    (job,) = warm_jobs([NeuralJob("all", 1, None)], {"all": before}, today, then.sample(fraction=1, shuffle=True), 5)
    shown = set(job.rows or ())
    assert set(range(100)) | set(range(3000, n)) <= shown
    again = len(shown & set(range(100, 3000))) / 2900
    assert abs(again - REHEARSED) < 0.02
    assert job.start is not None and job.start.strength == pytest.approx(2900 / len(shown))
    with pytest.raises(KeyError):
        warm_jobs([NeuralJob("fold7", 1, 7)], {"all": before}, today, then, 5)


def test_training_goes_on_where_the_other_network_ended(before: NeuralFit) -> None:
    data = small_data()
    still = replace(SETTINGS, epochs=1, learning_rate=1e-9, weight_decay=0.0)
    after = fit(data, still, NeuralJob("all", 1, None, start=start_of(before, 0.0)))
    assert np.array_equal(after.scaler.knots, before.scaler.knots)
    # All but BatchNorm's running statistics, which follow the data.
    assert all(np.allclose(after.weights[n], before.weights[n], atol=1e-6) for n in before.fisher)


def test_the_penalty_holds_what_the_old_data_were_sure_of(before: NeuralFit) -> None:
    """A stronger penalty leaves the weights nearer to where they were, measured by the Fisher information; and with a
    penalty the means and variances that the information was measured with stay what they were."""
    data = small_data()
    told = replace(data, label=np.where(data.label == 1, 1, 2 - data.label))
    statistics = [n for n in before.weights if "running" in n]

    def after(strength: float) -> NeuralFit:
        job = NeuralJob("all", 2, None, start=start_of(before, strength))
        return fit(told, replace(SETTINGS, epochs=4, patience=9), job)

    def moved(found: NeuralFit) -> float:
        return sum(float((before.fisher[n] * (found.weights[n] - before.weights[n]) ** 2).sum()) for n in before.fisher)

    free, held = after(0.0), after(1000.0)
    assert moved(held) < 0.5 * moved(free)
    assert statistics and all(np.array_equal(held.weights[n], before.weights[n]) for n in statistics)
    assert not any(np.array_equal(free.weights[n], before.weights[n]) for n in statistics)


def test_fisher_information_is_positive_and_the_penalty_its_quadratic_form(before: NeuralFit) -> None:
    assert set(before.fisher) == {n for n in before.weights if "running" not in n and "num_batches" not in n}
    assert all((f >= 0).all() for f in before.fisher.values()) and sum(f.sum() for f in before.fisher.values()) > 0
    network = VetterNetwork(before.scaler.width, SETTINGS)
    shifted = {n: (w + 0.1 if n in before.fisher else w) for n, w in before.weights.items()}
    network.load_state_dict(tensors(shifted))
    start = Start(before.scaler, before.weights, before.fisher, 3.0)
    expected = 0.5 * 3.0 * sum(float(f.sum()) for f in before.fisher.values()) * 0.01
    assert float(penalty(network, anchors(start, "cpu")).detach()) == pytest.approx(expected, rel=1e-3)


def test_predictions_do_not_depend_on_the_batch(before: NeuralFit) -> None:
    data = small_data()
    network = VetterNetwork(before.scaler.width, SETTINGS)
    network.load_state_dict(tensors(before.weights))
    scalars, view = before.scaler(data.x), data.view[data.row]
    whole = predict(network, scalars, view, data)
    parts = np.concatenate(
        [predict(network, scalars[i : i + 7], view[i : i + 7], data) for i in range(0, len(view), 7)]
    )
    assert np.allclose(whole, parts, atol=1e-5)
