"""What light curves add is measured on the same signals, with them and without, by models that saw neither star."""

from __future__ import annotations

import polars as pl
import pytest
from evaluation_data import SMALL, training_rows

from exo_assets.evaluation import probe
from exo_assets.evaluation.contracts import ML_VETTER_METRICS, ML_VETTER_PREDICTIONS
from exo_assets.evaluation.predictions import held_out, predictions
from exo_assets.evaluation.report import metrics_table
from exo_assets.features.from_light_curves import CURVE_NAMES, has_curve, hide_curves, with_diagnostics
from exo_assets.features.transformer import SignalTransformer
from exo_assets.training.contracts import ML_VETTER_OOF
from exo_assets.training.model_ref import ModelRef
from exo_assets.training.vetter_training import Trained, train_vetter
from tests.features.synthetic import diagnostics_of

SEEN = "without_light_curves"


@pytest.fixture(scope="module")
def seen(signals: pl.DataFrame) -> pl.DataFrame:
    """The catalogue with light curves of seven in ten signals, which tell half of the false positives."""
    return with_diagnostics(signals, diagnostics_of(signals, share=0.7, telling=2.0))


@pytest.fixture(scope="module")
def learned(seen: pl.DataFrame) -> Trained:
    return train_vetter(training_rows(seen), SMALL)


@pytest.fixture(scope="module")
def judged(learned: Trained, seen: pl.DataFrame) -> pl.DataFrame:
    ML_VETTER_OOF.check(ML_VETTER_OOF.conform(learned.out_of_fold))
    ref = ModelRef("exo-vetter", "2", "run-2", learned.vetter.digest)
    return predictions(ref, learned.vetter, seen, learned.out_of_fold)


def test_signals_with_a_light_curve_are_judged_without_it_too(
    judged: pl.DataFrame, learned: Trained, seen: pl.DataFrame
) -> None:
    ML_VETTER_PREDICTIONS.check(judged)
    bare = judged.filter(inputs=SEEN)
    assert set(bare["signal_id"]) == set(seen.filter(has_curve(seen))["signal_id"])
    stars = held_out(seen)
    expected = learned.vetter.score(hide_curves(stars)).select("signal_id", expected="probability_planet")
    tested = bare.filter(split="test").join(expected, on="signal_id")
    assert tested.height > 100 and (tested["probability_planet"] - tested["expected"]).abs().max() == 0
    folded = learned.out_of_fold.filter(layout="no_curve").select("signal_id", p="probability_planet")
    assert (
        bare.filter(split="oof")
        .join(folded, on="signal_id", validate="1:1")
        .filter(pl.col("p") != pl.col("probability_planet"))
        .is_empty()
    )


def test_the_gain_is_the_difference_with_an_interval(judged: pl.DataFrame, seen: pl.DataFrame) -> None:
    figures = metrics_table(judged, seen, seed=1)
    ML_VETTER_METRICS.check(figures)
    ours = figures.filter(population="with_light_curve", split="unseen")
    value = {(r["inputs"], r["metric"]): r["value"] for r in ours.iter_rows(named=True)}
    gain = ours.filter(metric="roc_auc_gain").row(0, named=True)
    with_it, without = value["as_archived", "roc_auc"], value[SEEN, "roc_auc"]
    assert gain["value"] == pytest.approx(with_it - without, abs=2e-6)
    assert 0 < gain["low"] < gain["value"] < gain["high"] < 0.2
    assert value["as_archived", "log_loss_gain"] < 0
    resolved = seen.filter(has_curve(seen), pl.col("disposition") != "CANDIDATE")
    assert set(ours["n_signals"]) == {resolved.height}
    assert figures.filter(pl.col("metric").str.ends_with("_gain"))["population"].unique().to_list() == [
        "with_light_curve"
    ]


def test_nothing_is_said_of_light_curves_where_none_is_seen(
    candidate: ModelRef, trained: Trained, signals: pl.DataFrame
) -> None:
    few = with_diagnostics(signals, diagnostics_of(signals, share=0.05))
    made = predictions(candidate, trained.vetter, few, trained.out_of_fold)
    assert made.filter(inputs=SEEN).is_empty()
    assert made.equals(predictions(candidate, trained.vetter, signals, trained.out_of_fold))
    assert metrics_table(made, few, seed=1).filter(population="with_light_curve").is_empty()


def test_whose_light_curves_were_downloaded_is_no_paperwork_but_gaps_in_them_are(signals: pl.DataFrame) -> None:
    planet = pl.col("disposition") == "CONFIRMED"
    chosen = pl.concat([signals.filter(planet), signals.filter(~planet)[::4]])
    biased = training_rows(with_diagnostics(signals, diagnostics_of(chosen, share=1.0)))
    biased = biased.filter(pl.col("disposition") != "CANDIDATE").sort("signal_id")

    def missingness(rows: pl.DataFrame, guard: SignalTransformer) -> dict[str, float]:
        looked = [p for p in probe._probes(rows, guard, 1) if p.probe == "missingness_alone"]
        return {f"{p.inputs} {p.subject}": probe._model_auc(p, 1) for p in looked}

    guard = SignalTransformer.fit(biased, biased["disposition"] == "CONFIRMED")
    assert guard.curves_of == ("kepler",)
    honest = missingness(biased, guard)
    assert set(honest) == {"as_archived ", "as_archived light_curve", "without_diagnostics "}
    assert max(abs(auc - 0.5) for auc in honest.values()) < 0.06
    careless = SignalTransformer(curves_of=("kepler",))
    gaps = biased.with_columns(pl.when(planet).then(name).alias(name) for name in CURVE_NAMES[:3])
    assert missingness(gaps, careless)["as_archived light_curve"] > 0.99
