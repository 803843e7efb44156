"""How the vetter is trained: every number that is not learned.

Belongs here: the frozen settings and where their values come from. Does not belong here: settings of the platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from exo_assets.training.neural import NeuralSettings


def _planet() -> Mapping[str, float | int | bool]:
    # Of the settings compared (TRIED.md) the best whose SHAP values can be tabulated (forest.py): a table grows with
    # 2 to the depth, so depth is capped where deeper trees hardly gained.
    return {
        "learning_rate": 0.05,
        "num_leaves": 31,
        "max_depth": 6,
        "min_child_samples": 20,
        "feature_fraction": 0.5,
        "lambda_l2": 1.0,
        "extra_trees": True,
    }


def _archive() -> Mapping[str, float | int | bool]:
    return {
        "learning_rate": 0.05,
        "num_leaves": 31,
        "max_depth": 8,
        "min_child_samples": 20,
        "feature_fraction": 0.5,
        "lambda_l2": 1.0,
        "extra_trees": True,
    }


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of one training. The defaults are the fixed ("fast") ones, chosen by star-grouped cross-validation."""

    seed: int = 20090307
    folds: int = 5
    bags: int = 1
    planet_rounds: int = 440
    planet: Mapping[str, float | int | bool] = field(default_factory=_planet)
    archive_rounds: int = 200
    archive: Mapping[str, float | int | bool] = field(default_factory=_archive)
    archive_bags: int = 1
    other_missions: tuple[float, ...] = (0.0, 0.25, 1.0)
    selection_rounds: int = 240
    random_mask: float = 0.9
    least_per_class: int = 40
    precision: float = 0.95
    certainty: float = 0.8
    coverage: float = 0.95
    balance: str = "plain"
    balance_gain: float = 0.001
    trials: int = 24
    full_bags: int = 3
    full_members: int = 10
    neural: NeuralSettings = field(default_factory=NeuralSettings)


"""`other_missions`: weights tried for rows of the other missions. `random_mask`: largest share of column groups that
a masked copy hides. `least_per_class`: signals of each class below which a mission gets no expert of its own.
`precision`: what the verdicts planet and false positive promise on out-of-fold predictions.
`certainty`: probability below which no verdict but candidate is given, however good the mission's record.
`coverage`: share of the planets, and of the false positives, whose prediction set must hold what they are.
`balance`: plain, or weights (each class of a mission weighs the same); weights are taken only when they gain
`balance_gain` of average precision. `trials`, `full_bags`, `full_members`: points of the search, and models per head
and networks that are averaged, in the full profile. `neural`: how the network is trained."""
