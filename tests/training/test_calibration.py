"""Calibration maps."""

from __future__ import annotations

import numpy as np
import pytest

from exo_assets.training.calibration import (
    KINDS,
    Calibrator,
    choose,
    log_loss,
    sigmoid,
    threshold,
)


@pytest.fixture(scope="module")
def overconfident() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    truth = rng.normal(0, 2, 6000)
    y = (rng.random(6000) < sigmoid(truth)).astype(float)
    return 3 * truth - 1, y  # log-odds three times too sure, and shifted


@pytest.mark.parametrize("kind", KINDS)
def test_every_map_keeps_the_ranking(kind: str, overconfident: tuple[np.ndarray, np.ndarray]) -> None:
    score, y = overconfident
    fitted = Calibrator.fit(kind, score, y)
    wide = np.linspace(score.min() * 1.5, score.max() * 1.5, 5001)
    assert (np.diff(fitted.log_odds(wide)) > 0).all()


@pytest.mark.parametrize("kind", ["platt", "beta", "isotonic"])
def test_fitted_maps_repair_overconfidence(kind: str, overconfident: tuple[np.ndarray, np.ndarray]) -> None:
    score, y = overconfident
    p = Calibrator.fit(kind, score[::2], y[::2])(score[1::2])
    perfect = log_loss(y[1::2], sigmoid((score[1::2] + 1) / 3))
    assert log_loss(y[1::2], p) < perfect + 0.01 < log_loss(y[1::2], sigmoid(score[1::2])) - 0.1
    assert abs(p.mean() - y.mean()) < 0.02


def test_choice_is_by_log_loss_on_other_folds(overconfident: tuple[np.ndarray, np.ndarray]) -> None:
    score, y = overconfident
    fold = np.arange(len(y)) % 5
    assert choose(score, y, fold).kind in {"platt", "beta"}
    assert choose((score + 1) / 3, y, fold, kinds=("identity", "isotonic")).kind == "identity"
    assert choose(score, np.ones_like(y), fold) == Calibrator("identity")


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(kind: str, overconfident: tuple[np.ndarray, np.ndarray]) -> None:
    score, y = overconfident
    fitted = Calibrator.fit(kind, score, y)
    assert Calibrator.from_dict(fitted.to_dict()) == fitted


def test_unknown_kind() -> None:
    with pytest.raises(ValueError, match="unknown calibration 'magic'"):
        Calibrator.fit("magic", np.zeros(2), np.array([0.0, 1.0]))


def test_threshold_keeps_its_promise() -> None:
    rng = np.random.default_rng(4)
    p = rng.random(5000)
    hit = rng.random(5000) < p
    t = threshold(p, hit, 0.9)
    assert t is not None and hit[p >= t].mean() >= 0.9
    assert 0.75 < t < 0.85  # for calibrated probabilities the mean above t is (1 + t) / 2
    assert threshold(p, np.zeros(5000, dtype=bool), 0.9) is None
    assert threshold(p[:10], hit[:10] | True, 0.9) is None  # too few to promise anything
