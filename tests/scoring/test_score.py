"""Scoring rows: order, names, repetitions, impossible values, failures of the model."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tiny_vetter import koi_diagnostics, koi_signals, tiny_vetter

from exo_assets.features.from_light_curves import with_diagnostics
from exo_assets.scoring.batch import (
    FAILURE,
    MOST_FAILURES,
    from_arrow,
    load_model,
    model_files,
    score_batch,
    score_resilient,
    to_arrow,
)
from exo_assets.scoring.contracts import JUDGEMENT
from exo_assets.scoring.score import NOTHING_MEASURED, STATED_COUNT, judge, prepare
from exo_assets.training.augmentation import hide_block

PROBABILITIES = [name for name in JUDGEMENT if name.startswith(("probability", "disposition"))]
LABELS = ("disposition", "disposition_archive", "planet_name", "kic_id", "star_id")


@pytest.fixture(scope="module")
def signals() -> pl.DataFrame:
    """Stars with several signals among them."""
    return koi_signals().sort("mission_star_id", "signal_id")[1000:1200]


def test_order_names_and_labels_do_not_matter(signals: pl.DataFrame) -> None:
    vetter = tiny_vetter()
    plain = judge(signals, vetter)
    shuffled = signals.with_row_index("n").sample(fraction=1, shuffle=True, seed=3)
    again = judge(shuffled, vetter).with_columns(n=shuffled["n"]).sort("n").drop("n")
    assert_frame_equal(plain, again, check_exact=True)
    renamed = signals.with_columns(signal_id=pl.lit("x-") + pl.col("signal_id"))
    lying = renamed.with_columns(
        disposition=pl.lit("CONFIRMED"), disposition_archive=pl.lit("CONFIRMED"), planet_name=pl.lit("Kepler-1 b")
    )
    assert_frame_equal(plain, judge(lying, vetter), check_exact=True)
    assert_frame_equal(plain, judge(signals.drop(LABELS), vetter), check_exact=True)


def test_a_judgement_is_probabilities_and_reasons(signals: pl.DataFrame) -> None:
    judged = judge(signals, tiny_vetter())
    assert judged.height == signals.height
    for name in PROBABILITIES:
        assert judged[name].is_between(0, 1).all()
    total = judged.select(pl.sum_horizontal(n for n in PROBABILITIES if n.startswith("disposition"))).to_series()
    assert (total - 1).abs().max() < 1e-9
    assert judged["probability_planet"].n_unique() > 50
    strength = judged["reasons"].list.eval(pl.element().struct.field("contribution").abs())
    assert (strength.list.diff().list.drop_nulls().list.max() <= 0).all()


def test_what_light_curves_tell_is_passed_on_and_named_as_a_reason(signals: pl.DataFrame) -> None:
    vetter = tiny_vetter(sees_curves=True)
    signals = hide_block(signals)  # with the archive's diagnostics nearly all is clear already
    measured = with_diagnostics(signals, koi_diagnostics())
    judged, bare = judge(measured, vetter), judge(signals, vetter)
    assert_frame_equal(judged.select(PROBABILITIES), vetter.score(measured).select(PROBABILITIES), check_exact=True)
    told = measured["lc_odd_even_sigma"] > 4
    change = (judged["probability_planet"] - bare["probability_planet"]).filter(told)
    assert told.sum() > 20 and change.mean() < -0.02  # type: ignore[operator]
    reasons = judged.filter(told)["reasons"].list.eval(pl.element().struct.field("feature"))
    assert reasons.list.contains("lc_odd_even_sigma").mean() > 0.7  # type: ignore[operator]
    assert_frame_equal(judge(measured, tiny_vetter()), judge(signals, tiny_vetter()), check_exact=True)


def test_a_repeated_signal_is_judged_each_time_as_if_it_were_alone(signals: pl.DataFrame) -> None:
    vetter = tiny_vetter()
    crowded = signals.filter(pl.len().over("mission_star_id") >= 3)
    assert crowded.height >= 3
    once = judge(crowded, vetter)
    twice = judge(pl.concat([crowded, crowded]), vetter)
    assert_frame_equal(pl.concat([once, once]), twice, check_exact=True)
    # A changed second row is judged by its own numbers, beside the companions of the first.
    changed = crowded.head(1).with_columns(pl.col("depth_ppm") * 30)
    mixed = judge(pl.concat([crowded, changed]), vetter)
    assert_frame_equal(mixed.head(crowded.height), once, check_exact=True)
    replaced = judge(pl.concat([changed, crowded[1:]]), vetter)
    assert_frame_equal(mixed.tail(1), replaced.head(1), check_exact=True)


def test_repetitions_keep_the_catalogue_count(signals: pl.DataFrame) -> None:
    vetter = tiny_vetter()
    one = signals.head(1)
    one = one.with_columns(pl.lit(5).alias(STATED_COUNT))
    assert prepare(pl.concat([one, one]), vetter).features["n_signals"].to_list() == [5.0, 5.0]


def test_signals_without_name_or_star_are_not_companions() -> None:
    frame = pl.DataFrame({"mission": ["kepler"] * 3, "period_days": [3.0, 4.0, 5.0], "depth_ppm": [100.0] * 3})
    assert prepare(frame, tiny_vetter()).features["n_signals"].to_list() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("period_days", -3.0, "period_days_not_above_0"),
        ("period_days", float("inf"), "period_days_not_finite"),
        ("depth_ppm", 2e6, "depth_ppm_above_1e+06"),
        ("star_teff_k", float("nan"), "star_teff_k_not_finite"),
    ],
)
def test_an_impossible_value_counts_as_unknown_and_is_named(
    signals: pl.DataFrame, column: str, value: float, problem: str
) -> None:
    vetter = tiny_vetter()
    broken = judge(signals.with_columns(pl.lit(value).alias(column)), vetter)
    unknown = judge(signals.with_columns(pl.lit(None, pl.Float64).alias(column)), vetter)
    assert all(problem in text for text in broken["problems"])
    assert unknown["problems"].is_null().all()
    assert_frame_equal(broken.drop("problems"), unknown.drop("problems"), check_exact=True)


def test_a_row_without_any_quantity_is_not_scored() -> None:
    frame = pl.DataFrame(
        {"mission": ["tess", "tess"], "period_days": [None, 3.0], "ra_deg": [1.0, 1.0], "period_err_days": [0.1, 0.1]}
    )
    judged = judge(frame, tiny_vetter())
    assert judged["unusable"].to_list() == [NOTHING_MEASURED, None]
    assert judged["probability_planet"].is_null().to_list() == [True, False]


def test_no_rows_and_an_unknown_mission() -> None:
    vetter = tiny_vetter()
    assert judge(koi_signals().clear(), vetter).height == 0
    with pytest.raises(ValueError, match="mission"):
        judge(pl.DataFrame({"mission": ["corot"], "period_days": [1.0]}), vetter)
    with pytest.raises(ValueError, match="mission"):
        judge(pl.DataFrame({"period_days": [1.0]}), vetter)


class _Picky:
    """A vetter that fails on some rows."""

    version = "picky"

    def __init__(self, bad: set[str], nonsense: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        self.bad, self.nonsense = bad, nonsense
        self.calls = 0

    def unfamiliar(self, mission: str) -> str | None:
        return None

    def features(self, signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> pl.DataFrame:
        return tiny_vetter().features(signals, star_counts)

    def score_features(self, features: pl.DataFrame) -> pl.DataFrame:
        self.calls += 1
        hit = self.bad & set(features["signal_id"])
        if hit:
            raise RuntimeError(f"cannot score {sorted(hit)[0]}")
        odd = pl.col("signal_id").is_in(list(self.nonsense))
        scores = tiny_vetter().score_features(features)
        return scores.with_columns(probability_planet=pl.when(odd).then(float("nan")).otherwise("probability_planet"))


def test_failing_rows_get_a_reason_and_the_others_a_score(signals: pl.DataFrame) -> None:
    features = prepare(signals, tiny_vetter()).features
    picky = _Picky({"0", "77", "199"}, {"5"})
    results = score_resilient(features, picky)
    assert results["signal_id"].to_list() == features["signal_id"].to_list()
    failed = results.filter(pl.col(FAILURE).is_not_null())
    assert failed["signal_id"].to_list() == ["0", "5", "77", "199"]
    assert failed["probability_planet"].is_null().all()
    assert "RuntimeError: cannot score 77" in failed[FAILURE].to_list()
    sound = results.filter(pl.col(FAILURE).is_null())
    whole = tiny_vetter().score_features(features).filter(pl.col("signal_id").is_in(sound["signal_id"].to_list()))
    assert_frame_equal(sound.select(JUDGEMENT), whole.select(JUDGEMENT), check_exact=True)


def test_a_model_that_always_fails_is_given_up(signals: pl.DataFrame) -> None:
    features = prepare(pl.concat([signals, signals]), tiny_vetter()).features
    picky = _Picky(set(features["signal_id"]))
    results = score_resilient(features, picky)
    assert results.height == features.height
    assert results[FAILURE].is_not_null().all()
    assert picky.calls < 4 * MOST_FAILURES


def test_the_model_and_its_batches_travel_whole(signals: pl.DataFrame, tmp_path) -> None:  # type: ignore[no-untyped-def]
    vetter = tiny_vetter()
    vetter.save(tmp_path)
    files = model_files(tmp_path)
    assert load_model(files).digest == vetter.digest
    features = prepare(signals, vetter).features
    assert_frame_equal(from_arrow(to_arrow(features)), features)
    answered = pl.DataFrame(pl.from_arrow(score_batch(to_arrow(features), files)))
    scores = vetter.score_features(features).select("signal_id", *JUDGEMENT)
    assert_frame_equal(answered.drop(FAILURE), scores, check_exact=True)
