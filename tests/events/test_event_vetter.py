"""The event vetter: what it learns, what it must not, and that it is the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from exo_assets.archive.contracts import CUMULATIVE
from exo_assets.evaluation.metrics import binary_metrics, point
from exo_assets.events.contracts import ML_EVENT_METRICS, ML_EVENT_PREDICTIONS, OUT_EVENT_SCORES
from exo_assets.events.core import core_events
from exo_assets.events.features import build_features
from exo_assets.events.labels import LABELS
from exo_assets.events.report import headline, metrics_table
from exo_assets.events.scores import event_scores
from exo_assets.events.sets import COVERAGE, fit_limits
from exo_assets.events.settings import EventSettings, event_settings
from exo_assets.events.training import Trained, fit_task, train_events
from exo_assets.events.vetter import PROBABILITIES, EventVetter
from exo_assets.training.vetter import digest_of_folder
from exo_resources.archive import ArchiveSource
from exo_resources.settings import Settings
from tests.events.conftest import SMALL


def _auc(predictions: pl.DataFrame) -> float:
    planet = (predictions["label"] == "PC").cast(pl.Float64).to_numpy()
    return point(binary_metrics(planet, predictions["probability_pc"].to_numpy()))["roc_auc"]


def test_it_learns(trained: Trained) -> None:
    ML_EVENT_PREDICTIONS.check(trained.predictions)
    assert _auc(trained.predictions.filter(split="test")) > 0.9
    assert _auc(trained.predictions.filter(split="oof")) > 0.9
    p = trained.predictions.select(PROBABILITIES).to_numpy()
    assert np.allclose(p.sum(axis=1), 1)


def test_it_learns_nothing_from_shuffled_labels(events: pl.DataFrame, features: pl.DataFrame) -> None:
    rng = np.random.default_rng(3)
    shuffled = events.with_columns(label=pl.Series(events["label"].to_numpy()[rng.permutation(events.height)]))
    assert abs(_auc(train_events(shuffled, features, SMALL).predictions) - 0.5) < 0.06


def test_the_same_seed_gives_the_same_files(trained: Trained, events: pl.DataFrame, features: pl.DataFrame) -> None:
    again = train_events(events.sample(fraction=1.0, shuffle=True, seed=2), features, SMALL)
    assert again.vetter.digest == trained.vetter.digest
    assert again.predictions.equals(trained.predictions)


def test_saved_and_loaded_it_says_the_same(trained: Trained, features: pl.DataFrame, tmp_path: Path) -> None:
    trained.vetter.save(tmp_path)
    loaded = EventVetter.load(tmp_path)
    assert loaded.digest == trained.vetter.digest == digest_of_folder(tmp_path)
    assert loaded.score(features).equals(trained.vetter.score(features))
    with pytest.raises(ValueError, match="log_mes"):
        loaded.score(features.drop("log_mes"))


def test_test_stars_are_judged_by_the_vetter_itself(trained: Trained, features: pl.DataFrame) -> None:
    test = trained.predictions.filter(split="test")
    own = trained.vetter.score(features).join(test.select("event"), on="event", how="semi").sort("event")
    assert np.allclose(own["score"], test["score"]) and np.allclose(own["probability_pc"], test["probability_pc"])


def test_no_star_is_judged_by_a_model_that_saw_it(events: pl.DataFrame, features: pl.DataFrame) -> None:
    """What a model was given to learn from, and what it was asked about, share no star; test stars teach nothing."""
    stars: list[tuple[set[str], set[str]]] = []
    names: list[str] = []

    def spy(function: object, data: object, tasks: list[object]) -> list[object]:
        for task in tasks:
            if task.folds == "fold":  # type: ignore[attr-defined]
                fold = data.fold  # type: ignore[attr-defined]
                held = task.holdout  # type: ignore[attr-defined]
                used = (fold != held) & (fold != -1)
                stars.append(
                    ({names[i] for i in np.flatnonzero(used)}, {names[i] for i in np.flatnonzero(fold == held)})
                )
        return [fit_task(data, task) for task in tasks]  # type: ignore[arg-type]

    rows = events.filter(pl.col("label").is_not_null() & ~pl.col("is_rogue")).sort("event")
    names = rows["star_id"].to_list()
    tiny = EventSettings(1, folds=3, rounds=2, plain_rounds=2)
    predictions = train_events(events, features, tiny, spy).predictions
    assert stars and all(learned.isdisjoint(asked) for learned, asked in stars)
    tested = set(predictions.filter(split="test")["star_id"])
    assert tested and all(tested.isdisjoint(learned) for learned, _ in stars)
    rogue = set(events.filter("is_rogue")["event"])
    assert rogue and rogue.isdisjoint(predictions["event"])


def test_too_few_events_are_refused(events: pl.DataFrame, features: pl.DataFrame) -> None:
    with pytest.raises(ValueError, match="too few labelled events"):
        train_events(events.head(60), features, SMALL)


def test_figures_stand_beside_what_was_published(trained: Trained) -> None:
    table = metrics_table(trained.predictions, trained.published, seed=1)
    ML_EVENT_METRICS.check(table)
    own = table.filter(model="event_vetter", split="unseen", labels="published")
    assert {"recall_at_precision_99", "average_precision", "roc_auc", "three_class_accuracy"} <= set(own["metric"])
    assert (own["low"] <= own["value"]).all() and (own["value"] <= own["high"]).all()
    papers = table.filter(split="published")
    assert papers.sort("value")["value"].to_list() == [0.763, 0.936] and papers["differs"].null_count() == 0
    assert set(table.filter(split="published_folds")["differs"]) != {None}
    gain = table.filter(model="event_vetter_minus_plain", split="unseen", metric="roc_auc").row(0, named=True)
    auc = {m: table.filter(model=m, split="unseen", labels="published", metric="roc_auc")["value"][0]
           for m in ("event_vetter", "plain_lightgbm")}  # fmt: skip
    assert gain["value"] == pytest.approx(auc["event_vetter"] - auc["plain_lightgbm"])
    assert headline(table)["event_vetter_average_precision"] is not None
    assert metrics_table(ML_EVENT_PREDICTIONS.empty(), pl.DataFrame(), seed=1).is_empty()


def test_every_event_is_scored(trained: Trained, events: pl.DataFrame) -> None:
    scores = event_scores(trained.vetter, trained.vetter.digest, events)
    OUT_EVENT_SCORES.check(scores)
    assert scores.height == events.height
    assert scores["was_learned_from"].sum() == trained.predictions.filter(split="oof").height
    most = scores.select(pl.concat_list(PROBABILITIES).list.arg_max())
    assert scores["verdict"].to_list() == [("PC", "AFP", "NTP")[i] for i in most.to_series()]
    own = set(trained.predictions.filter(split="oof")["event"])
    assert set(scores.filter("was_learned_from")["event"]) == own


def test_an_event_is_judged_alike_alone_and_with_others(trained: Trained, events: pl.DataFrame) -> None:
    together = trained.vetter.judge(events.sample(fraction=1.0, shuffle=True, seed=4)).sort("event")
    for some in (events.slice(10, 1), events.slice(300, 7)):
        alone = trained.vetter.judge(some).sort("event")
        same = together.join(some.select("event"), on="event", how="semi")
        assert alone.equals(same)
    with pytest.raises(ValueError, match="twice"):
        trained.vetter.judge(pl.concat([events.head(1), events.head(1)]))


def test_features_made_among_the_few_that_are_near_are_those_made_among_all(
    trained: Trained, events: pl.DataFrame
) -> None:
    """One that is known, new ones on known and on new stars, one without a period, and one before the mission."""
    vetter, known = trained.vetter, events.head(40)
    moved = known.slice(3, 8).with_columns(event=pl.format("{}-77", "event"), t0_bkjd=pl.col("t0_bkjd") + 0.7)
    alien = known.slice(20, 5).with_columns(event=pl.format("{}-78", "event"), star_id=pl.lit("KIC 5"))
    blank = known.slice(30, 1).with_columns(event=pl.lit("blank"), period_days=pl.lit(None, pl.Float64))
    early = known.slice(31, 1).with_columns(event=pl.lit("early"), t0_bkjd=-100.0, period_days=100.0)
    for asked in (known[:1], moved[:1], alien[:1], blank, early, known, pl.concat([moved, alien, blank, early])):
        others = vetter.context.join(asked, on="event", how="anti")
        among_all = build_features(pl.concat([asked, others], how="diagonal_relaxed").sort("event"))
        expected = asked.select("event").join(among_all, on="event", how="left", maintain_order="left")
        assert_frame_equal(vetter.features_of(asked), expected, check_exact=True)
    assert vetter.features_of(moved)["star_events"].min() > 1, "they stand beside their stars' own"  # type: ignore[operator]


def test_sets_hold_each_class_as_often_as_promised(trained: Trained) -> None:
    oof = trained.predictions.filter(split="oof")
    sets = trained.vetter.limits.sets(oof.select(PROBABILITIES).to_numpy())
    for label in LABELS:
        own = sets.filter(oof["label"] == label).str.split(" or ").list.contains(label)
        assert own.mean() >= COVERAGE, "the limits are from these very events"
    assert fit_limits(np.full((3, 3), 1 / 3), np.array([0, 1, 2])).lowest == (0.0, 0.0, 0.0), "too few for any limit"


def test_reasons_sum_to_what_they_explain_and_are_told_of_possible_planets(
    trained: Trained, events: pl.DataFrame, features: pl.DataFrame
) -> None:
    parts = trained.vetter.contributions(features.head(50))
    assert np.allclose(parts.sum(axis=1), trained.vetter.margin(features.head(50)), atol=1e-9)
    judged = trained.vetter.judge(events)
    told = judged["reasons"].is_not_null()
    assert told.any() and not told.all()
    assert told.equals(judged["prediction_set"].str.contains("PC"), check_names=False)
    best = judged.sort("probability_pc").row(-1, named=True)
    assert len(best["reasons"]) == 5 and abs(best["reasons"][0]["contribution"]) >= abs(
        best["reasons"][1]["contribution"]
    )


def test_the_full_profile_averages_models() -> None:
    fast, full = event_settings("fast", 1), event_settings("full", 1)
    assert fast.bags == 1 and full.bags > 1 and full.published_folds and not fast.published_folds


@pytest.mark.archive
def test_real_events(tmp_path: Path, archive_mirror: Path) -> None:
    """A tenth of the training is enough to be well above the plain model's usual figures: the floors are loose."""
    archive = ArchiveSource(Settings(home=tmp_path, archive="mirror", archive_mirror=str(archive_mirror)))
    fetched = [archive.fetch(t).frame for t in ("q1_q17_dr25_tce", "q1_q17_dr25_koi")]
    events, _ = core_events(*fetched, CUMULATIVE.empty())
    quick = EventSettings(1, folds=2, rounds=40, plain_rounds=5)
    predictions = train_events(events, build_features(events), quick).predictions
    planet = (predictions["label"] == "PC").cast(pl.Float64).to_numpy()
    found = point(binary_metrics(planet, predictions["probability_pc"].to_numpy()))
    assert found["average_precision"] > 0.97 and found["recall_at_precision_99"] > 0.75
