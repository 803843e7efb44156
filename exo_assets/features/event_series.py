"""The depth of a dip at every phase of every orbit, and the red noise that such depths show.

Belongs here: folding a curve into boxes as wide as its transits. Does not belong here: what the depths tell of a signal
(`model_shift.py`, `transit_statistics.py`, `centroids.py`).

Every orbit is one row, every phase one column: an element is what a box as wide as the transit at half depth holds. A
row is a series of single-event statistics, the sum of the rows that of multiple-event statistics (Jenkins 2002, ApJ
575, 493, without whitening). Sums over boxes are differences of running sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.detrend import robust_sigma
from exo_assets.lightcurves.trapezoid import Trapezoid

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

STEPS_PER_BOX = 8
"""Boxes begin so often in their own width, but not more often than twice in a cadence."""
MOST_COLUMNS = 1_000_000
"""Periods beyond a million steps, more than a century, are divided more coarsely."""
LEAST_COVER = 0.5
"""Share of a box that must be observed."""
LEAST_BOXES = 10
"""Boxes side by side, out of transit, that red noise can be measured from."""


@dataclass(frozen=True)
class Grid:
    """Where each point falls: its `row` (rows without data are left out; `number` says which transit each holds) and
    its column, one of `columns` phases of `step_days`. Column `centre` begins the box about mid-transit."""

    index: Ints
    number: Ints
    columns: int
    step_days: float
    box: int
    centre: int

    @property
    def phase_days(self) -> Array:
        """Middle of the box that begins in each column, days from mid-transit, from about -P/4 to 3P/4."""
        return np.asarray((np.arange(self.columns) - self.centre) * self.step_days)

    def boxes(self, values: Array, chosen: NDArray[np.bool_] | None = None) -> Array:
        """Sum of `values`, one for each point (of those chosen), in the box that begins in each row and column."""
        from exo_assets.features.event_kernels import box_sums

        out = np.empty((self.number.size, self.columns))
        follows = np.diff(self.number, append=self.number[-1:]) == 1
        box_sums(self.index if chosen is None else self.index[chosen], values, follows, self.box, out)
        return out


def grid(time: Array, transit: Trapezoid, cadence_days: float) -> Grid:
    """The rows and columns of a signal's orbits."""
    place = transit.ephemeris
    width = place.duration_days * (1 - transit.ingress_share)
    step = max(width / STEPS_PER_BOX, cadence_days / 2)
    columns = min(max(int(np.rint(place.period_days / step)), 4), MOST_COLUMNS)
    step = place.period_days / columns
    box = min(max(int(np.rint(width / step)), 1), columns)
    centre = columns // 4
    orbit = (time - place.t0) / place.period_days + (centre + box / 2) / columns
    number = np.floor(orbit).astype(np.int64)
    column = np.minimum(((orbit - number) * columns).astype(np.int64), columns - 1)
    first = int(number.min()) if number.size else 0
    observed = np.bincount(number - first) > 0
    row = (np.cumsum(observed) - 1)[number - first]
    return Grid(row * columns + column, np.flatnonzero(observed) + first, columns, step, box, centre)


@dataclass(frozen=True)
class EventSeries:
    """Depth under the level, relative flux, and its inverse variance by white noise, for every row and column of the
    grid; nan and 0 where less than half of a box is observed. `red_noise`: see `red_noise_of`."""

    grid: Grid
    depth: Array
    weight: Array
    red_noise: float


def event_series(on: Grid, transit: Trapezoid, deviation: Array, weight: Array, cover_days: Array) -> EventSeries:
    """The series of a signal. For each point: `deviation`, level minus flux, `weight`, 1 / error^2, and `cover_days`,
    the time that it stands for."""
    observed = on.boxes(cover_days) >= LEAST_COVER * on.box * on.step_days
    mass = np.where(observed, on.boxes(weight), 0.0)
    depth = np.where(observed, on.boxes(weight * deviation) / np.where(observed, mass, 1.0), np.nan)
    return EventSeries(on, depth, mass, red_noise_of(on, depth, mass, transit.ephemeris.duration_days))


def red_noise_of(on: Grid, depth: Array, weight: Array, duration_days: float) -> float:
    """sigma_r of Pont et al. (2006): scatter of depths out of transit beyond white noise, relative flux.

    With z the depth of a box over its white error, sigma_r^2 = (sigma(z)^2 - 1) median(1 / weight), not below zero;
    sigma(z) is 1.4826 MAD, so that a secondary eclipse does not count as noise. nan when fewer than ten boxes are left.
    """
    away = np.abs(on.phase_days) > duration_days
    sampled = slice(None, None, max(on.box // 2, 1))
    d, w = depth[:, away][:, sampled], weight[:, away][:, sampled]
    known = w > 0
    if known.sum() < 2 * LEAST_BOXES:
        return float("nan")
    excess = robust_sigma(d[known] * np.sqrt(w[known])) ** 2 - 1
    return float(np.sqrt(max(excess, 0.0) * np.median(1 / w[known])))
