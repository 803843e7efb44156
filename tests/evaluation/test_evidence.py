"""Each finding says what is there, and each planted fault shows in its own gate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from evaluation_data import training_rows

from exo_assets.evaluation.evidence import (
    SAMPLED,
    Exhibits,
    explanations_add_up,
    find,
    labels_change_nothing,
    learned_test_stars,
    looked_at,
    network_as_trained,
    no_banned_feature,
    sampled,
)
from exo_assets.evaluation.gates import Finding, judge
from exo_assets.evaluation.predictions import held_out, predictions
from exo_assets.evaluation.probe import leakage_probe
from exo_assets.evaluation.report import metrics_table
from exo_assets.features.registry import FEATURES
from exo_assets.training.model_ref import ModelRef
from exo_assets.training.vetter import Vetter
from exo_assets.training.vetter_training import Trained
from tests.training import network_vetter


@pytest.fixture(scope="module")
def exhibits(candidate: ModelRef, trained: Trained, signals: pl.DataFrame) -> Exhibits:
    judged = predictions(candidate, trained.vetter, signals, trained.out_of_fold)
    return Exhibits(
        candidate=candidate,
        model=trained.vetter,
        signals=signals,
        learned=trained.out_of_fold["signal_id"],
        predictions=judged,
        metrics=metrics_table(judged, signals, seed=1),
        probe=leakage_probe(candidate, training_rows(signals), trained.vetter.transformer, seed=1),
        rival="there is no champion before it",
        best="there is no better model before it",
    )


def failed(exhibits: Exhibits) -> set[str]:
    table = judge(exhibits.candidate, None, find(exhibits, seed=1))
    return set(table.filter(status="failed")["gate"])


def test_an_honest_model_fails_only_what_invented_data_cannot_give(exhibits: Exhibits) -> None:
    found = find(exhibits, seed=1)
    table = judge(exhibits.candidate, None, found)
    assert failed(exhibits) <= {"floor_auc_kepler", "calibration_ece", "drop_group"}, (
        "thresholds are those of the real catalogue"
    )
    absent = set(table.filter(status="not_applicable")["gate"])
    assert absent == {
        "floor_auc_k2",
        "floor_auc_tess",
        "missingness_alone_k2",
        "missingness_alone_tess",
        "feature_alone_k2",
        "feature_alone_tess",
        "not_worse_than_champion",
        "not_worse_than_best",
        "network_as_trained",
    }
    assert "0 planets and 0 false positives of tess" in (found["floor_auc_tess"].note)


def test_banned_columns_are_found_by_name_and_by_input() -> None:
    assert no_banned_feature(FEATURES) == Finding(0.0, "none")
    leaky = replace(FEATURES[0], name="quality", inputs=("koi_fpflag_nt", "period_days"))
    named = replace(FEATURES[0], name="koi_score_scaled", inputs=())
    assert no_banned_feature((*FEATURES, leaky, named)) == Finding(2.0, "quality, koi_score_scaled")


def test_properties_are_tried_on_every_kind_of_signal() -> None:
    known = network_vetter.seen(network_vetter.signals())
    there = dict(counted(known))
    rare = [kind for kind, count in there.items() if count < SAMPLED]
    sample = sampled(known)
    found = dict(counted(sample.unique("signal_id", keep="first", maintain_order=True)))
    assert {kind.split()[0] for kind in found} == {"kepler", "k2", "tess"}
    assert {kind for kind in found if "views" in kind}, "views are looked at"
    assert found == {kind: min(count, SAMPLED) for kind, count in there.items()} and not rare
    hidden = sample.filter(pl.col("signal_id").is_duplicated())
    assert {"kepler basic", "kepler basic with light curve and views"} <= dict(counted(hidden)).keys()
    told = looked_at(sample)
    assert told.startswith(f"{sample.height} signals (") and all(kind in told for kind in dict(counted(sample)))


def test_a_rare_kind_is_looked_at_wherever_its_names_come_in_the_alphabet() -> None:
    known = network_vetter.seen(network_vetter.signals()).sort("signal_id")
    last = known.filter(mission="tess").tail(1)
    sample = sampled(pl.concat([known.filter(pl.col("mission") != "tess"), last]))
    assert sample.filter(mission="tess")["signal_id"].to_list() == last["signal_id"].to_list()
    assert sampled(known.clear()).height == 0 and looked_at(known.clear()) == "0 signals (none)"


def counted(signals: pl.DataFrame) -> list[tuple[str, int]]:
    """Each kind in words, and how many signals are of it."""
    told = looked_at(signals).partition("(")[2].removesuffix(")").split(", ")
    return [(kind, int(count)) for count, _, kind in (one.partition(" of ") for one in told)]


class Peeking:
    """A model that reads the label."""

    def score(self, signals: pl.DataFrame, star_counts: object = None) -> pl.DataFrame:
        return signals.select("signal_id", probability_planet=(pl.col("disposition") == "CONFIRMED").cast(pl.Float64))


def test_a_model_that_reads_labels_is_found(vetter: Vetter, signals: pl.DataFrame) -> None:
    sample = held_out(signals).head(50)
    assert labels_change_nothing(vetter, sample).value == 0
    assert labels_change_nothing(Peeking(), sample).value == 1


def test_learning_from_a_test_star_is_found(signals: pl.DataFrame, trained: Trained) -> None:
    learned = trained.out_of_fold["signal_id"]
    assert learned_test_stars(signals, learned).value == 0
    stolen = held_out(signals)["signal_id"].head(3)
    found = learned_test_stars(signals, pl.concat([learned, stolen]))
    assert found.value == held_out(signals).head(3)["star_id"].n_unique()


def test_explanations_that_do_not_add_up_are_found(vetter: Vetter, signals: pl.DataFrame) -> None:
    class Embellished:
        def contributions(self, rows: pl.DataFrame) -> np.ndarray:
            return vetter.contributions(rows) + 0.01

        def raw_score(self, rows: pl.DataFrame) -> np.ndarray:
            return vetter.raw_score(rows)

    sample = held_out(signals).head(20)
    assert (explanations_add_up(vetter, sample).value or 0) <= 1e-6
    assert (explanations_add_up(Embellished(), sample).value or 0) > 0.01  # type: ignore[arg-type]


def test_a_network_that_is_not_what_was_trained_is_found(vetter: Vetter, signals: pl.DataFrame) -> None:
    class Altered:
        def network_gap(self, rows: pl.DataFrame) -> float:
            return 0.02

    sample = held_out(signals).head(5)
    assert network_as_trained(vetter, sample).value is None
    assert network_as_trained(Altered(), sample).value == 0.02  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gate", "change"),
    [
        ("probabilities_sound", {"disposition_candidate": pl.lit(0.9)}),
        ("probabilities_sound", {"probability_planet": pl.lit(None, pl.Float64)}),
        ("digest_matches", {"candidate_digest": pl.lit("f" * 64)}),
        ("enough_test_signals", {"split": pl.lit("oof")}),
    ],
)
def test_faulty_predictions_fail_their_gate(exhibits: Exhibits, gate: str, change: dict[str, pl.Expr]) -> None:
    assert gate in failed(replace(exhibits, predictions=exhibits.predictions.with_columns(**change)))


def test_another_file_than_the_registered_fails(exhibits: Exhibits) -> None:
    assert "digest_matches" in failed(replace(exhibits, candidate=replace(exhibits.candidate, digest="0" * 64)))


def test_a_worse_or_missing_floor_and_calibration_fail(exhibits: Exhibits) -> None:
    poor = exhibits.metrics.with_columns(value=pl.lit(0.6), low=pl.lit(0.5), high=pl.lit(0.7))
    assert {"floor_auc_kepler", "calibration_ece"} <= failed(replace(exhibits, metrics=poor))


def test_leaks_of_the_probe_fail(exhibits: Exhibits) -> None:
    everywhere = exhibits.probe.with_columns(roc_auc=pl.lit(0.99))
    guilty = {"permuted_labels_near_half", "missingness_alone_kepler", "feature_alone_kepler"}
    assert guilty <= failed(replace(exhibits, probe=everywhere))
    assert "permuted_labels_near_half" in failed(replace(exhibits, probe=exhibits.probe.clear()))


@pytest.mark.parametrize(("change", "fails"), [(-0.2, True), (-0.02, False), (0.01, False)])
def test_a_group_that_carries_the_ranking_alone_fails(exhibits: Exhibits, change: float, fails: bool) -> None:
    one = (pl.col("probe") == "drop_group") & (pl.col("subject") == "star")
    told = exhibits.probe.with_columns(change=pl.when(one).then(change).when(pl.col("probe") == "drop_group").then(0.0))
    found = find(replace(exhibits, probe=told), seed=1)["drop_group"]
    assert ("drop_group" in failed(replace(exhibits, probe=told))) is fails
    assert ("without star" in found.note) is (change < 0)


@pytest.mark.parametrize(
    ("rival_noise", "own_noise", "worse"), [(0.0, 0.0, False), (0.3, 0.0, False), (0.0, 0.3, True)]
)
def test_worse_than_the_champion_fails(exhibits: Exhibits, rival_noise: float, own_noise: float, worse: bool) -> None:
    def blurred(rows: pl.DataFrame, noise: float) -> pl.DataFrame:
        extra = pl.Series(np.random.default_rng(1).normal(0, noise, rows.height))
        return rows.with_columns(probability_planet=(pl.col("probability_planet") + extra).clip(0, 1))

    rival = blurred(exhibits.predictions.filter(split="test"), rival_noise)
    own = blurred(exhibits.predictions, own_noise)
    for gate, against in (("not_worse_than_champion", {"rival": rival}), ("not_worse_than_best", {"best": rival})):
        found = find(replace(exhibits, predictions=own, **against), seed=1)[gate]
        assert found.value is not None
        assert (found.value < -0.01) is worse
        if rival_noise == own_noise == 0:
            assert found.value == 0


def test_nothing_in_common_with_the_champion_fails(exhibits: Exhibits) -> None:
    strangers = exhibits.predictions.with_columns(signal_id="x" + pl.col("signal_id"))
    assert "not_worse_than_champion" in failed(replace(exhibits, rival=strangers))
