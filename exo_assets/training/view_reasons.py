"""Which part of a light curve argued for a planet: what is told of one signal's views.

Belongs here: the answer as a value, and where a view's axis ends. Does not belong here: occlusion itself
(attribution.py), or which signals are asked about (vetter.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exo_assets.features.seen_views import Floats
from exo_assets.features.views import LOCAL_DURATIONS
from exo_assets.training.attribution import Occlusion

NO_WEIGHT = "the network has no weight here: the views moved nothing of the probability"
"""To be said wherever occlusions of a signal are shown whose network counts for nothing in the blend."""


@dataclass(frozen=True)
class ViewReasons:
    """Of one signal: `occlusions` by name of a view, in log-odds of the network; `log_odds_network`, with everything
    that it was told; and `network_weight`, by which the blend multiplies both for this mission and layout. With 0 the
    views moved nothing of the probability. `views` (VIEWS_WIDTH,) are those that were seen."""

    log_odds_network: float
    network_weight: float
    occlusions: Mapping[str, Occlusion]
    views: Floats

    @property
    def note(self) -> str | None:
        """What must be said beside it; None when nothing must."""
        return None if self.network_weight else NO_WEIGHT

    def as_json(self) -> dict[str, dict[str, Any]]:
        """`occlusions` as plain values: name of a view -> centre, effect, unit."""
        return {
            name: {"centre": one.centre.tolist(), "effect": one.effect.tolist(), "unit": one.unit}
            for name, one in self.occlusions.items()
        }


def reach_durations(duty_cycle: float | None) -> float:
    """Half-width of the local views, durations, by the duration over the period: four, or half a period where that is
    less; four when it is unknown."""
    if duty_cycle is None or not 0 < duty_cycle < 1:
        return LOCAL_DURATIONS
    return min(LOCAL_DURATIONS, 0.5 / duty_cycle)
