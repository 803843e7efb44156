"""How the event vetter is trained: every number that is not learned.

Belongs here: the frozen settings; TRIED.md says what they were chosen from. Does not belong here: the platform's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

Parameters = Mapping[str, float | int | bool]


def _event() -> Parameters:
    return {
        "learning_rate": 0.05,
        "num_leaves": 31,
        "max_bin": 127,
        "min_child_samples": 20,
        "feature_fraction": 0.4,
        "lambda_l2": 1.0,
        "extra_trees": True,
    }


def _plain() -> Parameters:
    return {"learning_rate": 0.1, "num_leaves": 31, "min_child_samples": 20, "max_bin": 127}


@dataclass(frozen=True)
class EventSettings:
    """Settings of one training. `rounds`, `bags` and `params` are of the event vetter, `plain_*` of the model that it
    is held against. `least_per_class`: learnable events of each class below which nothing is trained. With
    `published_folds` the folds of the labelled file are run too."""

    seed: int
    folds: int = 5
    bags: int = 1
    rounds: int = 400
    params: Parameters = field(default_factory=_event)
    plain_rounds: int = 100
    plain: Parameters = field(default_factory=_plain)
    least_per_class: int = 40
    published_folds: bool = False


def event_settings(profile: str, seed: int) -> EventSettings:
    """The settings of a profile: fast, or full with several models that are averaged."""
    fast = EventSettings(seed)
    return replace(fast, bags=3, plain_rounds=200, published_folds=True) if profile == "full" else fast
