"""Prediction sets with a stated coverage: planet, false positive, or unsure.

Split conformal prediction by class (Mondrian; Vovk et al. 2005, Angelopoulos & Bates 2021, arXiv 2107.07511): a class
is in the set of a signal when its probability is not lower than that of all but a share 1 - coverage of the resolved
signals of that class. For new stars like those (exchangeable), each class is then in its own signals' sets at least as
often as the coverage says, whatever the model.

Belongs here: the limits and the sets. Does not belong here: the probabilities, which must be of stars that the model
never saw.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SETS = ("planet", "false positive", "unsure")


@dataclass(frozen=True)
class SetLimits:
    """`planet_from`: probability of a planet from which planet is in the set; `false_positive_to`: up to which false
    positive is."""

    planet_from: float = 0.0
    false_positive_to: float = 1.0

    def sets(self, probability: Array) -> npt.NDArray[np.object_]:
        """The set of each signal; unsure when both are in it. One that neither is in counts as unsure too, which only
        raises the coverage."""
        planet, other = probability >= self.planet_from, probability <= self.false_positive_to
        only = np.where(planet & ~other, SETS[0], np.where(other & ~planet, SETS[1], SETS[2]))
        return np.asarray(only, dtype=object)


def fit_limits(probability: Array, is_planet: npt.NDArray[np.bool_], coverage: float) -> SetLimits:
    """The limits at `coverage` from probabilities of resolved signals. A class with too few signals for the coverage
    is in every set."""
    return SetLimits(1 - quantile(1 - probability[is_planet], coverage), quantile(probability[~is_planet], coverage))


def quantile(strangeness: Array, coverage: float) -> float:
    """The limit of strangeness at `coverage`: the ceil((n + 1) coverage)-th smallest of n values; 1 when there are too
    few."""
    rank = math.ceil((len(strangeness) + 1) * coverage)
    return float(np.sort(strangeness)[rank - 1]) if rank <= len(strangeness) else 1.0
