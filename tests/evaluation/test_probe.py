"""The probe finds planted leaks, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from evaluation_data import training_rows

from exo_assets.evaluation.contracts import ML_LEAKAGE_PROBE
from exo_assets.evaluation.probe import leakage_probe
from exo_assets.evaluation.threads import in_threads
from exo_assets.features.transformer import SignalTransformer
from exo_assets.training.model_ref import ModelRef

REF = ModelRef("exo-vetter", "1", "run-1", "a" * 64)
UNGUARDED = SignalTransformer()
"""A transformer that withholds nothing: what a careless one would hand to the model."""


def auc(table: pl.DataFrame, probe: str, **where: str) -> float:
    return float(table.filter(probe=probe, **where)["roc_auc"].mean())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def rows(signals: pl.DataFrame) -> pl.DataFrame:
    return training_rows(signals)


@pytest.fixture(scope="module")
def clean(rows: pl.DataFrame) -> pl.DataFrame:
    return leakage_probe(REF, rows, UNGUARDED, seed=1)


def test_an_honest_catalogue_passes(clean: pl.DataFrame) -> None:
    ML_LEAKAGE_PROBE.check(clean)
    assert auc(clean, "all_features") > 0.85
    assert auc(clean, "missingness_alone") == pytest.approx(0.5, abs=0.05)
    assert auc(clean, "permuted_labels") == pytest.approx(0.5, abs=0.05)
    assert clean.filter(probe="feature_alone")["roc_auc"].max() < 0.9  # type: ignore[operator]


def test_what_carries_the_signal_is_missed_most(clean: pl.DataFrame) -> None:
    changes = dict(clean.filter(probe="drop_group").select("subject", "change").iter_rows())
    assert min(changes, key=lambda k: changes[k]) in {"transit", "diagnostics"}
    assert changes["transit"] < -0.01 and abs(changes["mission"]) < 0.01


def test_a_column_filled_only_for_planets_is_found(rows: pl.DataFrame) -> None:
    planet = pl.col("disposition") == "CONFIRMED"
    leaky = rows.with_columns(insolation_err_earth=pl.when(planet).then(0.1), insolation_earth=pl.lit(1.0))
    found = leakage_probe(REF, leaky, UNGUARDED, seed=1)
    assert auc(found, "missingness_alone", population="kepler") > 0.99
    assert auc(found, "feature_alone", subject="insolation_rel_err") > 0.99


def test_the_real_transformer_withholds_it(rows: pl.DataFrame) -> None:
    planet = pl.col("disposition") == "CONFIRMED"
    leaky = rows.with_columns(insolation_err_earth=pl.when(planet).then(0.1), insolation_earth=pl.lit(1.0))
    resolved = leaky.filter(pl.col("disposition") != "CANDIDATE")
    guarded = SignalTransformer.fit(resolved, resolved["disposition"] == "CONFIRMED")
    found = leakage_probe(REF, leaky, guarded, seed=1)
    assert auc(found, "missingness_alone", population="kepler") < 0.6


def test_stars_that_cross_the_folds_are_found(rows: pl.DataFrame) -> None:
    # Every signal twice, its copy in another fold: with shuffled labels only the copy can tell.
    twice = pl.concat([rows, rows.with_columns(signal_id="b" + pl.col("signal_id"), fold=(pl.col("fold") + 1) % 3)])
    found = leakage_probe(REF, twice, UNGUARDED, seed=1)
    assert auc(found, "permuted_labels") > 0.6


def test_labels_of_noise_teach_nothing(rows: pl.DataFrame) -> None:
    coin = np.random.default_rng(3).random(rows.height) < 0.5
    noise = rows.with_columns(
        disposition=pl.when(pl.Series(coin)).then(pl.lit("CONFIRMED")).otherwise(pl.lit("FALSE POSITIVE"))
    )
    assert auc(leakage_probe(REF, noise, UNGUARDED, seed=1), "all_features") == pytest.approx(0.5, abs=0.06)


def test_candidates_are_not_looked_at(clean: pl.DataFrame, rows: pl.DataFrame) -> None:
    resolved = rows.filter(pl.col("disposition") != "CANDIDATE").height
    assert set(clean.filter(population="overall")["n_signals"]) == {resolved}


def test_threads_change_nothing(clean: pl.DataFrame, rows: pl.DataFrame) -> None:
    assert leakage_probe(REF, rows, UNGUARDED, seed=1, map_=in_threads).equals(clean)


def test_a_mission_with_few_signals_is_not_probed(rows: pl.DataFrame) -> None:
    few = pl.concat([rows, rows.head(40).with_columns(mission=pl.lit("k2"), signal_id="k2" + pl.col("signal_id"))])
    found = leakage_probe(REF, few, UNGUARDED, seed=1)
    assert set(found.filter(probe="missingness_alone")["population"]) == {"kepler"}
