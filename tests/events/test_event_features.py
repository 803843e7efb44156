"""Features of events: what they may not be made from, and what they say of an event among the others."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from exo_assets.events.columns import MEASURED
from exo_assets.events.features import BANNED, ERRORS, build_features, feature_names


def _events(**columns: list[object]) -> pl.DataFrame:
    """Events of which only some columns are known."""
    n = len(next(iter(columns.values())))
    frame = pl.DataFrame({"event": [f"{i:09d}-01" for i in range(n)], **columns}, strict=False)
    names = [*(c.name for c in MEASURED), "ra_deg", "dec_deg"]
    missing = [pl.lit(None, pl.Float64).alias(c) for c in names if c not in frame.columns]
    return frame.with_columns(missing).with_columns(pl.col(names).cast(pl.Float64))


def test_no_feature_is_a_label_or_a_name(features: pl.DataFrame) -> None:
    for name in feature_names(features):
        starts = [b for b in BANNED if name == b or (b.endswith("_") and name.startswith(b))]
        assert not starts, f"{name} is banned as {starts}"
    assert {"t0_bkjd", "ra_deg", "dec_deg", "planet_number"}.isdisjoint(feature_names(features))


def test_features_do_not_see_what_is_known_of_the_event(events: pl.DataFrame, features: pl.DataFrame) -> None:
    """Whatever the labels, KOIs, flags and numbers say, the features are the same."""
    known = (
        "label",
        "label_join",
        "label_source",
        "koi",
        "disposition_now",
        "planet_number",
        "is_rogue",
        "published_fold",
    )
    shuffled = events.with_columns(pl.col(known).shuffle(seed=1))
    assert not shuffled["label"].equals(events["label"])
    assert build_features(shuffled).equals(features)


def test_features_do_not_depend_on_the_names_of_stars(events: pl.DataFrame, features: pl.DataFrame) -> None:
    renamed = events.with_columns(star_id=pl.format("star {}", "star_id"))
    assert build_features(renamed).equals(features)


def test_errors_can_be_left_out(features: pl.DataFrame) -> None:
    assert set(feature_names(features)) - set(feature_names(features, errors=False)) == set(ERRORS) & set(
        features.columns
    )


def test_unknown_stays_unknown(features: pl.DataFrame) -> None:
    values = features.drop("event")
    assert values.select(pl.all().is_nan().any()).row(0) == (False,) * values.width
    assert features["log_odd_even_over_mes"].null_count() == features.height


def test_a_secondary_knows_its_primary() -> None:
    made = build_features(
        _events(
            star_id=["KIC 1", "KIC 1", "KIC 2"],
            period_days=[10.0, 10.0, 33.0],
            t0_bkjd=[135.0, 140.0, 136.0],
            mes=[100.0, 10.0, 9.0],
            depth_ppm=[10_000.0, 100.0, 50.0],
            duration_hours=[5.0, 5.0, 5.0],
        )
    )
    assert made["star_events"].to_list() == [2, 2, 1]
    assert made["star_stronger"].to_list() == [0, 1, 0]
    assert made["star_twin_phase"].to_list()[:2] == pytest.approx([0.5, 0.5])
    assert made["star_twin_depth_ratio"][1] == pytest.approx(-2.0)
    assert made["star_twin_phase"][2] is None


def test_contamination_is_found_on_another_star_and_not_on_its_own() -> None:
    columns: dict[str, list[object]] = {
        "star_id": ["KIC 1", "KIC 2", "KIC 3", "KIC 3"],
        "period_days": [12.3456, 12.3457, 12.3456, 5.0],
        "t0_bkjd": [135.0, 135.0 + 2 * 12.3456, 141.0, 133.0],
        "duration_hours": [4.0, 4.0, 4.0, 4.0],
        "mes": [500.0, 10.0, 20.0, 9.0],
        "depth_ppm": [50_000.0, 60.0, 70.0, 30.0],
        "ra_deg": [290.0, 290.001, 299.0, 299.0],
        "dec_deg": [45.0, 45.0, 40.0, 40.0],
    }
    made = build_features(_events(**columns))
    score = made["match_score"].to_list()
    assert score[0] < 0 and score[1] < 0, "one ephemeris"
    assert score[2] > 0, "one period, another epoch"
    assert score[3] is None
    assert made["match_depth"][1] == pytest.approx(np.log10(60 / 50_000))
    assert made["match_near_score"][2] is None, "nothing is near it"
    same_star = build_features(_events(**{**columns, "star_id": ["KIC 1"] * 4}))
    assert same_star["match_score"].null_count() == 4


def test_artefacts_crowd() -> None:
    rng = np.random.default_rng(1)
    period = np.r_[10 ** rng.uniform(0, 2.8, 400), rng.normal(372, 1, 100)]
    made = build_features(
        _events(
            star_id=[f"KIC {i}" for i in range(500)],
            period_days=period.tolist(),
            t0_bkjd=(132 + rng.random(500) * period).tolist(),
            mes=[9.0] * 500,
        )
    )
    crowding = made["period_crowding"].to_numpy()
    assert crowding[400:].min() > np.quantile(crowding[:400], 0.9)
