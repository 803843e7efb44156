"""One transformer, three paths, identical rows; and nothing leaks through it."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from exo_assets.catalogs.contracts import MEASURED_COLUMNS
from exo_assets.features.assets import feat_signals
from exo_assets.features.contracts import FEAT_SIGNALS
from exo_assets.features.registry import FEATURE_NAMES, NUMERIC
from exo_assets.features.tabular import build_features, count_signals
from exo_assets.features.transformer import SignalTransformer


@pytest.fixture(scope="module")
def fitted(signals: pl.DataFrame) -> SignalTransformer:
    resolved = signals.filter(pl.col("disposition") != "CANDIDATE")
    return SignalTransformer.fit(resolved, resolved["disposition"] == "CONFIRMED")


def test_training_batch_and_serving_get_identical_rows(signals: pl.DataFrame, fitted: SignalTransformer) -> None:
    counts = count_signals(signals)
    training = fitted.matrix(fitted.features(signals, counts))
    # Batch: another order, after the transformer went through its file.
    restored = SignalTransformer.from_json(fitted.to_json())
    order = np.random.default_rng(1).permutation(signals.height)
    batch = restored.matrix(restored.features(signals[order], counts))[np.argsort(order)]
    assert np.array_equal(training, batch, equal_nan=True)
    # Serving: single stars, as dictionaries of what is known, without labels and identity.
    stars = signals["mission_star_id"].unique(maintain_order=True)[:40].to_list()
    for star in stars:
        rows = signals.filter(mission_star_id=star)
        asked = rows.select("mission", "mission_star_id", *MEASURED_COLUMNS).to_dicts()
        request = pl.DataFrame([{k: v for k, v in row.items() if v is not None} for row in asked])
        served = restored.matrix(restored.features(request, counts))
        there = np.flatnonzero((signals["mission_star_id"] == star).to_numpy())
        assert np.array_equal(training[there], served, equal_nan=True)


def test_labels_identity_position_and_time_never_reach_the_model(
    signals: pl.DataFrame, fitted: SignalTransformer
) -> None:
    def hidden(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(
            pl.lit("REFUTED").alias("disposition"),
            pl.lit("Kepler-1 b").alias("planet_name"),
            pl.lit(0.5).alias("ra_deg"),
            pl.lit(-80.0).alias("dec_deg"),
            pl.lit(2_459_999.0).alias("t0_bjd"),
            pl.lit(7).cast(pl.Int64).alias("kic_id"),
            (pl.lit("renamed-") + pl.col("signal_id")).alias("signal_id"),
            pl.lit(1.0).alias("koi_score"),
        )

    before, after = (fitted.matrix(fitted.features(f)) for f in (signals, hidden(signals)))
    assert np.array_equal(before, after, equal_nan=True)


def test_paperwork_that_only_planets_have_is_withheld(signals: pl.DataFrame, fitted: SignalTransformer) -> None:
    assert "period_err_days" in fitted.withheld["k2"]
    assert "100% of planets" in fitted.withheld["k2"]["period_err_days"]
    features = fitted.features(signals)
    assert features.filter(pl.col("mission") == "k2")["log_period_rel_err"].null_count() == 600
    assert features.filter(pl.col("mission") == "tess")["log_period_rel_err"].null_count() == 0


def test_the_block_of_diagnostics_is_compared_among_those_that_have_it(fitted: SignalTransformer) -> None:
    assert not {"mes", "ses"} & set(fitted.withheld.get("kepler", {}))


def test_labels_are_used_for_fill_rates_only(signals: pl.DataFrame) -> None:
    resolved = signals.filter(pl.col("disposition") != "CANDIDATE")
    shuffled = (resolved["disposition"] == "CONFIRMED").sample(fraction=1.0, shuffle=True, seed=5)
    fitted = SignalTransformer.fit(resolved, shuffled)
    assert fitted.withheld == {}  # nothing differs between classes that were drawn by lot


def test_withhold_is_at_least_as_strict_as_features(signals: pl.DataFrame, fitted: SignalTransformer) -> None:
    ready = fitted.withhold(build_features(signals))
    computed = fitted.features(signals)
    for name in NUMERIC:
        assert (ready[name].is_null() | ready[name].eq_missing(computed[name])).all(), name


def test_dense_is_complete_and_uses_training_medians(signals: pl.DataFrame, fitted: SignalTransformer) -> None:
    dense = fitted.dense(fitted.features(signals))
    assert np.isfinite(dense).all() and np.abs(dense).max() <= 20
    nothing = fitted.dense(fitted.features(pl.DataFrame({"mission": ["tess"]})))
    known = [i for i, n in enumerate(NUMERIC) if n != "n_signals"]
    assert (nothing[0, known] == 0).all()


def test_json_is_stable_and_refuses_other_features(fitted: SignalTransformer) -> None:
    assert SignalTransformer.from_json(fitted.to_json()).to_json() == fitted.to_json()
    other = json.loads(fitted.to_json()) | {"features": [*FEATURE_NAMES, "koi_score"]}
    with pytest.raises(ValueError, match=r"koi_score.*retrain"):
        SignalTransformer.from_json(json.dumps(other))


def test_fit_refuses_nothing() -> None:
    with pytest.raises(ValueError, match="no signals"):
        SignalTransformer.fit(pl.DataFrame({"mission": []}), pl.Series([], dtype=pl.Boolean))


def test_the_table_holds_its_contract(signals: pl.DataFrame) -> None:
    made = build_features(signals, count_signals(signals))
    assert FEAT_SIGNALS.problems(FEAT_SIGNALS.conform(made)) == []
    assert feat_signals.key.to_user_string() == "feat_signals"
