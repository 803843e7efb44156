"""Prediction sets of events with a stated coverage, by class.

Belongs here: the limits and the sets. Does not belong here: the probabilities, which must be of stars that the model
never saw. The method is that of `training/conformal.py` (split conformal prediction by class), for three classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.events.labels import LABELS
from exo_assets.training.conformal import quantile

Array = npt.NDArray[np.float64]

COVERAGE = 0.95
"""Share of each class whose sets hold it, for stars like those that the limits are from."""
UNSURE = " or ".join(LABELS)
SETS = (*LABELS, *(f"{a} or {b}" for i, a in enumerate(LABELS) for b in LABELS[i + 1 :]), UNSURE)


@dataclass(frozen=True)
class EventLimits:
    """`lowest`: for each of LABELS the probability from which on it is in the set."""

    lowest: tuple[float, ...] = (0.0,) * len(LABELS)

    def sets(self, probabilities: Array) -> pl.Series:
        """`prediction_set` of each row of (rows, classes): the labels that it can be, 'PC or NTP'. One that none is in
        counts as all, which only raises the coverage."""
        inside = probabilities >= np.asarray(self.lowest)
        inside[~inside.any(axis=1)] = True
        code = inside @ (1 << np.arange(len(LABELS)))
        names = [
            " or ".join(label for i, label in enumerate(LABELS) if bits >> i & 1) for bits in range(1 << len(LABELS))
        ]
        return pl.Series("prediction_set", [names[bits] for bits in code], pl.String)


def fit_limits(probabilities: Array, label: npt.NDArray[np.int64], coverage: float = COVERAGE) -> EventLimits:
    """The limits from probabilities (rows, classes) of labelled events (index into LABELS) of stars never seen. A class
    with too few events for the coverage is in every set."""
    own = (probabilities[label == i, i] for i in range(len(LABELS)))
    return EventLimits(tuple(1 - quantile(1 - p, coverage) for p in own))
