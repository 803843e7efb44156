"""What light curves tell joins the catalogue's columns; a few curves change no model, and having one says nothing."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from exo_assets.features.diagnostics import COLUMNS
from exo_assets.features.from_light_curves import (
    CURVE_NAMES,
    NOT_SEEN,
    PREFIX,
    has_curve,
    hide_curves,
    with_diagnostics,
)
from exo_assets.features.registry import FEATURES, NUMERIC
from exo_assets.features.tabular import build_features
from exo_assets.features.transformer import LEAST_CURVES, SignalTransformer
from tests.features.synthetic import diagnostics_of


def fitted(signals: pl.DataFrame) -> SignalTransformer:
    resolved = signals.filter(pl.col("disposition") != "CANDIDATE")
    return SignalTransformer.fit(resolved, resolved["disposition"] == "CONFIRMED")


def test_every_diagnostic_is_a_feature_or_named_as_none() -> None:
    measured = {c.name for c in COLUMNS}
    assert set(NOT_SEEN) <= measured and len(set(NOT_SEEN)) == len(NOT_SEEN)
    seen = {f.name for f in FEATURES if f.group == "light_curve"}
    assert seen == {PREFIX + name for name in measured - set(NOT_SEEN)} == set(CURVE_NAMES)
    units = {c.name: c.unit or "1" for c in COLUMNS}
    assert all(f.unit == units[f.name.removeprefix(PREFIX)] for f in FEATURES if f.group == "light_curve")


def test_the_join_keeps_rows_and_order_and_leaves_out_what_is_not_catalogued(signals: pl.DataFrame) -> None:
    measured = diagnostics_of(signals, share=0.3)
    stray = measured.head(1).with_columns(signal_id=pl.lit("KIC 1 #1"))
    joined = with_diagnostics(signals, pl.concat([stray, measured.reverse()]))
    assert joined.select(signals.columns).equals(signals)
    assert joined.columns == [*signals.columns, *CURVE_NAMES]
    assert set(joined.filter(has_curve(joined))["signal_id"]) == set(measured["signal_id"])
    row = measured.row(3, named=True)
    assert joined.filter(signal_id=row["signal_id"])["lc_odd_even_sigma"].item() == row["odd_even_sigma"]
    assert hide_curves(joined).equals(signals) and not has_curve(signals).any()
    with pytest.raises(pl.exceptions.ComputeError):
        with_diagnostics(signals, pl.concat([measured, measured]))


def test_diagnostics_pass_into_features_unchanged(signals: pl.DataFrame) -> None:
    joined = with_diagnostics(signals, diagnostics_of(signals, share=0.5))
    made = build_features(joined)
    assert made.select(CURVE_NAMES).equals(joined.select(CURVE_NAMES))
    assert made.drop(CURVE_NAMES).equals(build_features(signals).drop(CURVE_NAMES))


def test_a_handful_of_light_curves_is_withheld_and_changes_nothing(signals: pl.DataFrame) -> None:
    few = with_diagnostics(signals, diagnostics_of(signals, share=0.1))
    assert 50 < has_curve(few).sum() < LEAST_CURVES
    alike, without = fitted(few), fitted(signals)
    assert alike.curves_of == () and alike.to_json() == without.to_json()
    assert alike.features(few).equals(without.features(signals))
    assert alike.withhold(build_features(few)).equals(without.withhold(build_features(signals)))


def test_enough_light_curves_of_both_classes_are_seen(signals: pl.DataFrame) -> None:
    kepler = pl.col("mission") == "kepler"
    measured = diagnostics_of(signals.filter(kepler), share=0.8)
    many = with_diagnostics(signals, measured)
    found = fitted(many)
    assert found.curves_of == ("kepler",)
    assert SignalTransformer.from_json(found.to_json()) == found
    features = found.features(many)
    assert has_curve(features).sum() == measured.height
    assert found.withhold(build_features(many))["lc_shape_v"].equals(features["lc_shape_v"])
    # Nothing is shown of a mission that has few, whoever asks.
    asked = many.with_columns(mission=pl.lit("tess"))
    assert not has_curve(found.features(asked)).any()
    assert np.isfinite(found.dense(features)).all()
    planets = signals.filter(kepler & (pl.col("disposition") == "CONFIRMED"))
    others = signals.filter(kepler & (pl.col("disposition") == "FALSE POSITIVE")).head(20)
    one_class = diagnostics_of(pl.concat([planets, others]), share=1.0)
    assert one_class.height >= LEAST_CURVES
    assert fitted(with_diagnostics(signals, one_class)).curves_of == ()


def test_what_is_known_of_one_class_alone_is_withheld_within_light_curves(signals: pl.DataFrame) -> None:
    kepler = signals.filter(mission="kepler")
    joined = with_diagnostics(kepler, diagnostics_of(kepler, share=0.9))
    planet = pl.col("disposition") == "CONFIRMED"
    joined = joined.with_columns(lc_chases=pl.when(planet).then("lc_chases"))
    found = fitted(joined)
    assert found.curves_of == ("kepler",)
    withheld = set(found.withheld.get("kepler", {})) & set(CURVE_NAMES)
    assert withheld == {"lc_chases"}
    assert found.features(joined)["lc_chases"].null_count() == kepler.height
    assert set(NUMERIC) >= withheld
