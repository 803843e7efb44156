"""Cells of period and radius: what planets are drawn from, and what completeness is counted in.

Belongs here: the cells. Does not belong here: drawing from them (`injection.py`), counting in them (`completeness.py`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """A range of periods (days) and radii (Earth's)."""

    period_low_days: float
    period_high_days: float
    radius_low_earth: float
    radius_high_earth: float


@dataclass(frozen=True)
class Grid:
    """Edges, ascending, of the cells in which completeness is counted."""

    period_edges_days: tuple[float, ...]
    radius_edges_earth: tuple[float, ...]

    def cells(self) -> list[Cell]:
        """Every cell: the radii of the first period, then those of the next."""
        periods = zip(self.period_edges_days[:-1], self.period_edges_days[1:], strict=True)
        radii = list(zip(self.radius_edges_earth[:-1], self.radius_edges_earth[1:], strict=True))
        return [Cell(*period, *radius) for period in periods for radius in radii]


RADII_EARTH = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0, 16.0)
GRIDS = {
    "kepler": Grid((0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0), RADII_EARTH),
    "k2": Grid((0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0), RADII_EARTH),
    "tess": Grid((0.5, 1.0, 2.0, 4.0, 8.0, 14.0), RADII_EARTH),
}
"""By mission: up to the longest period of which two transits fit into four years, a campaign and a sector."""
