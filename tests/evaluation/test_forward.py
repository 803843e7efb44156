"""The forward-in-time test: who is taught, who is judged, and when there is no test."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from evaluation_data import SMALL, invented_signals

from exo_assets.catalogs.contracts import CORE_DISPOSITION_HISTORY
from exo_assets.evaluation import forward
from exo_assets.evaluation.contracts import ML_FORWARD_TEST
from exo_assets.evaluation.forward import as_of_snapshot, forward_test, quick
from exo_assets.evaluation.threads import run_in_threads
from exo_assets.training.splits import in_test

THEN, NOW = date(2017, 7, 19), date(2025, 9, 29)


def history_of(signals: pl.DataFrame, then: pl.Series) -> pl.DataFrame:
    """Change points of two snapshots: DR25 with the labels `then`, the cumulative table with today's."""
    base = signals.select("signal_id", "mission", "disposition")
    first = base.with_columns(
        disposition=then, source_table=pl.lit("q1_q17_dr25_koi"), as_of=pl.lit(THEN), change=pl.lit("first_seen")
    )
    second = base.with_columns(source_table=pl.lit("cumulative"), as_of=pl.lit(NOW), change=pl.lit("changed"))
    second = second.filter(pl.col("disposition") != then).with_columns(previous_disposition=pl.lit("CANDIDATE"))
    return CORE_DISPOSITION_HISTORY.conform(
        pl.concat([first, second], how="diagonal").with_columns(disposition_archive=pl.col("disposition"))
    )


@pytest.fixture(scope="module")
def now() -> pl.DataFrame:
    return invented_signals(1600, seed=5)


@pytest.fixture(scope="module")
def then(now: pl.DataFrame) -> pl.Series:
    """A quarter of what is resolved now was a candidate then."""
    undecided = pl.Series(np.random.default_rng(0).random(now.height) < 0.25)
    return now.select(pl.when(undecided).then(pl.lit("CANDIDATE")).otherwise("disposition").alias("then")).to_series()


def test_labels_of_the_snapshot(now: pl.DataFrame, then: pl.Series) -> None:
    history = history_of(now, then)
    assert CORE_DISPOSITION_HISTORY.problems(history) == []
    found = as_of_snapshot(history)
    expected = now.select("signal_id").with_columns(then=then).sort("signal_id")
    assert found.equals(expected)


def test_judged_are_the_candidates_of_then_and_nothing_of_them_is_taught(
    now: pl.DataFrame, then: pl.Series, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[pl.DataFrame] = []

    def spy(rows: pl.DataFrame, *args: object, **kwargs: object) -> object:
        taught.append(rows)
        return train(rows, *args, **kwargs)  # type: ignore[arg-type]

    train = forward.train_vetter
    monkeypatch.setattr(forward, "train_vetter", spy)
    found = forward_test(now, history_of(now, then), None, quick(SMALL), run_in_threads)
    assert found.absent is None
    ML_FORWARD_TEST.check(found.table)
    expected = now.filter((then == "CANDIDATE") & (pl.col("disposition") != "CANDIDATE"))
    assert found.judged["signal_id"].sort().equals(expected["signal_id"].sort())
    (rows,) = taught
    assert not set(rows["star_id"]) & set(expected["star_id"])
    assert not any(in_test(s) for s in rows["mission_star_id"])
    assert set(rows["disposition"]) == {"CONFIRMED", "FALSE POSITIVE"}
    row = found.table.filter(model="vetter", metric="roc_auc").row(0, named=True)
    assert row["n_training_signals"] == rows.height and row["n_signals"] == expected.height
    assert 0.8 < row["low"] < row["value"] < row["high"]


def test_labels_taught_are_those_of_then(now: pl.DataFrame, then: pl.Series, monkeypatch: pytest.MonkeyPatch) -> None:
    # Labels of then turned round: the vetter of then must be wrong about today.
    wrong = then.replace({"CONFIRMED": "FALSE POSITIVE", "FALSE POSITIVE": "CONFIRMED"})
    found = forward_test(now, history_of(now, wrong), None, quick(SMALL), run_in_threads)
    assert found.table.filter(model="vetter", metric="roc_auc")["value"][0] < 0.2


def test_the_archives_score_is_judged_on_the_same_signals(now: pl.DataFrame, then: pl.Series) -> None:
    truth = (pl.col("disposition") == "CONFIRMED").cast(pl.Float64).cast(pl.String)
    peer = now.select("signal_id", koi_score=truth)
    found = forward_test(now, history_of(now, then), peer, quick(SMALL), run_in_threads)
    score = found.table.filter(model="koi_score")
    assert score.filter(metric="roc_auc")["value"][0] == 1.0
    assert set(score["metric"]) == set(forward.RANKING), "no calibration of what is no probability"
    assert set(score["n_signals"]) == set(found.table.filter(model="vetter")["n_signals"])


@pytest.mark.parametrize("case", ["no dr25", "nothing changed"])
def test_without_two_snapshots_there_is_no_test(now: pl.DataFrame, case: str) -> None:
    history = history_of(now, now["disposition"])
    if case == "no dr25":
        history = history.filter(pl.col("source_table") != "q1_q17_dr25_koi")
    found = forward_test(now, history, None, SMALL)
    assert found.table.height == 0 and found.judged.height == 0
    assert found.absent is not None and "needs both the DR25 and the cumulative KOI table" in found.absent


def test_quick_is_the_same_recipe(now: pl.DataFrame) -> None:
    small = quick(SMALL)
    assert small.planet == SMALL.planet and small.planet_rounds == SMALL.planet_rounds
    assert small == replace(SMALL, bags=1, archive_bags=1, archive_rounds=5)
