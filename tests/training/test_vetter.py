"""The trained vetter: what it promises to those who score, explain, save and compare."""

from __future__ import annotations

import json
from pathlib import Path

import lightgbm
import numpy as np
import polars as pl
import pytest

from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.tabular import count_signals
from exo_assets.training.vetter import (
    CAUTIOUS,
    DISPOSITION_COLUMNS,
    REASONS,
    SCORE_SCHEMA,
    VERDICTS,
    Vetter,
    digest_of_folder,
)
from exo_assets.training.vetter_training import Trained, train_vetter
from tests.training.conftest import SMALL


def test_scores_are_sound(trained: Trained, signals: pl.DataFrame) -> None:
    scores = trained.vetter.score(signals)
    assert scores.schema == SCORE_SCHEMA
    assert scores["signal_id"].equals(signals["signal_id"])
    assert scores["probability_planet"].is_between(0, 1).all()
    assert np.allclose(scores.select(DISPOSITION_COLUMNS).to_numpy().sum(axis=1), 1)
    assert set(scores["verdict"].unique()) <= set(VERDICTS)
    reasons = scores["reasons"].list.eval(pl.element().struct.field("contribution").abs())
    assert (scores["reasons"].list.len() == REASONS).all()
    assert all(row == sorted(row, reverse=True) for row in reasons.to_list())
    assert "mission" not in set(scores["reasons"].explode().struct.field("feature"))


def test_it_learned_the_physics_on_stars_it_never_saw(trained: Trained, signals: pl.DataFrame) -> None:
    held = signals.filter(pl.col("split") == "test", pl.col("disposition") != "CANDIDATE")
    p = trained.vetter.score(held)["probability_planet"].to_numpy()
    y = (held["disposition"] == "CONFIRMED").to_numpy()
    auc = (p[y][:, None] > p[~y][None, :]).mean()
    assert auc > 0.85


def test_verdicts_follow_the_thresholds(trained: Trained, signals: pl.DataFrame) -> None:
    scores = trained.vetter.score(signals).with_columns(signals["mission"])
    for mission, expert in trained.vetter.experts.items():
        mine = scores.filter(mission=mission)
        p = mine["probability_planet"]
        assert mine.filter(p >= expert.high)["verdict"].unique().to_list() in ([], ["planet"])
        assert mine.filter(p <= expert.low)["verdict"].unique().to_list() in ([], ["false positive"])
        between = mine.filter((p > expert.low) & (p < expert.high))
        assert between["verdict"].unique().to_list() in ([], ["candidate"])


def test_labels_and_identity_move_nothing(trained: Trained, signals: pl.DataFrame) -> None:
    scrambled = signals.with_columns(
        pl.col("disposition").shuffle(seed=1),
        pl.col("ra_deg").shuffle(seed=2),
        pl.col("dec_deg").shuffle(seed=3),
        pl.col("t0_bjd").shuffle(seed=4),
        pl.lit("anything").alias("planet_name"),
        pl.lit(99).alias("kic_id"),
    )
    assert trained.vetter.score(scrambled).equals(trained.vetter.score(signals))


def test_rows_do_not_depend_on_their_company(trained: Trained, signals: pl.DataFrame) -> None:
    counts = count_signals(signals)
    together = trained.vetter.score(signals, counts)
    features = trained.vetter.features(signals, counts)
    apart = pl.concat([trained.vetter.score_features(features[i : i + 400]) for i in range(0, features.height, 400)])
    assert apart.equals(together)


def test_absent_columns_are_unknown_values(trained: Trained, signals: pl.DataFrame) -> None:
    short = signals.select("signal_id", "mission", "mission_star_id", "period_days", "depth_ppm")
    nulled = signals.with_columns(
        pl.lit(None, signals.schema[c]).alias(c) for c in signals.columns if c not in short.columns
    )
    assert trained.vetter.score(short).equals(trained.vetter.score(nulled))


def test_no_rows(trained: Trained, signals: pl.DataFrame) -> None:
    assert trained.vetter.score(signals.clear()).schema == SCORE_SCHEMA


def test_contributions_sum_to_the_raw_score(trained: Trained, signals: pl.DataFrame) -> None:
    some = signals.sample(200, seed=1)
    contributions = trained.vetter.contributions(some)
    assert contributions.shape == (200, len(FEATURE_NAMES) + 1)
    assert np.allclose(contributions.sum(axis=1), trained.vetter.raw_score(some), atol=1e-9)


def test_contributions_are_those_of_shap(trained: Trained, signals: pl.DataFrame) -> None:
    import shap

    some = signals.filter(mission="kepler")[:50]
    features = trained.vetter.features(some)
    x = trained.vetter.transformer.matrix(features)
    explained = []
    for text in trained.vetter.experts["kepler"].planet:
        found = shap.TreeExplainer(lightgbm.Booster(model_str=text)).shap_values(x)
        explained.append(found[..., -1] if np.ndim(found) == 3 else found[-1] if isinstance(found, list) else found)
    assert np.allclose(np.mean(explained, axis=0), trained.vetter.contributions(some)[:, :-1], atol=1e-9)


def test_save_and_load_are_inverse(trained: Trained, signals: pl.DataFrame, tmp_path: Path) -> None:
    trained.vetter.save(tmp_path / "vetter")
    loaded = Vetter.load(tmp_path / "vetter")
    assert loaded.digest == trained.vetter.digest == digest_of_folder(tmp_path / "vetter")
    assert loaded.version == trained.vetter.digest[:12]
    assert loaded.score(signals).equals(trained.vetter.score(signals))
    assert {p.suffix for p in (tmp_path / "vetter").iterdir()} == {".txt", ".json"}


def test_loading_names_what_is_missing(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "vetter.json").write_text("{")
    with pytest.raises(ValueError, match=r"vetter\.json is damaged"):
        Vetter.load(tmp_path)
    (tmp_path / "vetter.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"vetter\.json is missing"):
        Vetter.load(tmp_path)
    trained.vetter.save(tmp_path)
    (tmp_path / "planet_tess_0.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"planet_tess_0\.txt"):
        Vetter.load(tmp_path)


def test_one_changed_byte_changes_the_digest(trained: Trained, tmp_path: Path) -> None:
    trained.vetter.save(tmp_path)
    stored = json.loads((tmp_path / "vetter.json").read_text())
    stored["experts"]["kepler"]["high"] = 0.5000001
    (tmp_path / "vetter.json").write_text(json.dumps(stored))
    assert digest_of_folder(tmp_path) != trained.vetter.digest


def test_same_data_and_seed_same_digest(trained: Trained, train: pl.DataFrame, signals: pl.DataFrame) -> None:
    shuffled = train.sample(fraction=1.0, shuffle=True, seed=9)
    again = train_vetter(shuffled, SMALL, count_signals(signals))
    assert again.vetter.digest == trained.vetter.digest
    assert again.out_of_fold.equals(trained.out_of_fold)


def test_a_mission_never_seen_gets_reserved_verdicts(train: pl.DataFrame, signals: pl.DataFrame) -> None:
    only = train_vetter(train.filter(mission="kepler"), SMALL).vetter
    assert set(only.experts) == {"kepler"} and only.fallback == "kepler"
    scores = only.score(signals.filter(mission="tess"))
    unsure = scores["probability_planet"].is_between(*CAUTIOUS, closed="none")
    assert unsure.any() and (scores.filter(unsure)["verdict"] == "candidate").all()
