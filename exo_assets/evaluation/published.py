"""Figures of vetters that others published: each stands here once.

Belongs here: values, and where they were read. Does not belong here: what differs from our task, which depends on the
table that they stand in (parts.py, events/report.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One figure: `metric` is named as in metrics.py, `source` as it is cited."""

    name: str
    source: str
    metric: str
    value: float


EXOMINER = Published("ExoMiner", "Valizadegan et al. 2022", "recall_at_precision_99", 0.936)
"""ApJ 926, 120: planet candidates against all other events of Kepler DR25."""
BEFORE_EXOMINER = Published("best before ExoMiner", "Valizadegan et al. 2022", "recall_at_precision_99", 0.763)
"""The best of the classifiers that ExoMiner is compared with in the same paper."""
