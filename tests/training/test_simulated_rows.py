"""Simulated signals are learned from in the fold of their star, and nothing else is done with them."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from network_vetter import NEURAL, SMALL, network_data, signals

from exo_assets.features.seen_views import VIEW_BINS, stacked_views
from exo_assets.features.simulated import KINDS
from exo_assets.features.tabular import count_signals
from exo_assets.training.batches import rows_of
from exo_assets.training.network_training import jobs_of, learn_network, serial_jobs
from exo_assets.training.neural import NeuralData, NeuralJob
from exo_assets.training.simulated_rows import with_simulated
from exo_assets.training.vetter_training import prepare

ROWS = signals().filter(split="train").sort("signal_id")
HOSTS = ROWS.filter(pl.col("lc_snr_red").is_not_null())["star_id"].unique().sort().head(40).to_list()


@pytest.fixture(scope="module")
def plain() -> NeuralData:
    return network_data(ROWS, *prepare(ROWS, count_signals(signals()), SMALL))


def index(mission: str = "kepler") -> pl.DataFrame:
    """A planet and a binary in each host, and one in a star that nobody learns from."""
    hosts = [*HOSTS, "a test star"]
    return pl.DataFrame(
        {
            "simulated_id": [f"simulated {host} {kind}" for host in hosts for kind in KINDS[:2]],
            "host_id": [host for host in hosts for _ in range(2)],
            "mission": [mission] * (2 * len(hosts)),
            "kind": list(KINDS[:2]) * len(hosts),
            "row": list(range(2 * len(hosts))),
        }
    )


def views() -> dict[str, np.ndarray]:
    n = index().height
    return {
        name: np.full((n, bins), 0.5, dtype=np.float32) * np.arange(n)[:, None] / n for name, bins in VIEW_BINS.items()
    }


@pytest.fixture(scope="module")
def told(plain: NeuralData) -> NeuralData:
    return with_simulated(plain, ROWS, index(), views(), 0.3)


def test_they_come_last_and_tell_nothing_but_their_views(plain: NeuralData, told: NeuralData) -> None:
    n, count = len(plain.label), 2 * len(HOSTS)
    assert told.simulated == count and told.measured.sum() == n and len(told.label) == n + count
    np.testing.assert_array_equal(told.label[:n], plain.label)
    assert sorted(np.unique(told.label[n:])) == [0, 2]
    copies = told.row >= n
    assert np.isfinite(told.x[copies]).sum() == count, "the mission alone is known"
    assert (told.weight[copies] == 0.3).all() and (told.seen_in(np.flatnonzero(copies)) >= 0).all()


def test_views_are_of_the_right_row_also_after_they_were_sent(told: NeuralData, plain: NeuralData) -> None:
    sent: NeuralData = pickle.loads(pickle.dumps(told))
    rows = np.array([told.view[-1], told.view.max() - 3, 0, told.view[-2]])
    offset = len(plain.views["local_view"])
    expected = {name: np.concatenate([plain.views[name], views()[name]]) for name in VIEW_BINS}
    assert rows[0] >= offset
    np.testing.assert_array_equal(stacked_views(sent.views, rows), stacked_views(expected, rows))


def test_no_job_predicts_them_or_stops_by_them_or_learns_from_those_of_its_own_fold(told: NeuralData) -> None:
    n = len(told.label) - told.simulated
    for fold in (*range(SMALL.folds), None):
        rows = rows_of(told, NEURAL, NeuralJob("j", 1, fold))
        assert (rows.held < n).all() and (told.row[rows.checked] < n).all()
        taught = told.row[rows.taught]
        assert (taught >= n).any()
        assert fold is None or not (told.fold[taught] == fold).any()
        assert not (told.inner[taught] < NEURAL.validation_share).any(), "the noise of validation stars is not learned"


def test_without_seen_views_or_weight_nothing_is_added(plain: NeuralData) -> None:
    assert with_simulated(plain, ROWS, index("tess"), views(), 0.3) is plain
    assert with_simulated(plain, ROWS, index(), views(), 0.0) is plain
    assert with_simulated(plain, ROWS, index().clear(), views(), 0.3) is plain


def test_they_change_the_network_and_every_measured_signal_is_predicted_once(
    plain: NeuralData, told: NeuralData
) -> None:
    settings = replace(NEURAL, epochs=1, branches=("secondary",))
    jobs = [job for job in jobs_of(settings, range(SMALL.folds), 1) if job.holdout in (0, None)]
    without, with_ = (learn_network(data, settings, jobs, serial_jobs) for data in (plain, told))
    held = plain.fold == 0
    for layout, logits in with_.logits.items():
        assert logits.shape == without.logits[layout].shape == (len(plain.label), 3)
        assert np.isfinite(logits).all() and (np.abs(logits).sum(axis=1) > 0).tolist() == held.tolist()
        assert np.abs(logits - without.logits[layout])[held].max() > 1e-3
