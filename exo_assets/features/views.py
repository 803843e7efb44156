"""Folded views of a signal: what a neural vetter sees of a light curve.

Belongs here: the views and their normalisation. Does not belong here: detrending, or the table that they are kept in.

Global and local view, their bins, the value of empty bins and the normalisation are AstroNet's (Shallue & Vanderburg
2018, arXiv 1712.05044): a bin is a median; global bins are P / 2001 wide and do not overlap, local ones are 0.16
durations wide, 201 of them over four durations on either side; an empty bin has the median of the whole curve; the
median of the view is then subtracted, and the view divided by its deepest value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.ephemeris import Ephemeris, transit_number

Array = NDArray[np.float64]
View = NDArray[np.float32]

GLOBAL_BINS, LOCAL_BINS = 2001, 201
LOCAL_DURATIONS = 4.0
"""Half-width of the local view, durations."""
LOCAL_BIN_DURATIONS = 0.16
"""Width of a bin of the local view, durations."""
STACK_TRANSITS, STACK_BINS = 20, 31
"""Shape of the unfolded stack (ExoMiner++, arXiv 2502.09790): single transits, in the order of time."""
STACK_DURATIONS = 2.5


class ViewError(ValueError):
    """The light curve cannot be shown around this ephemeris; the message says why."""


@dataclass(frozen=True)
class Views:
    """Fixed-size views. `depth` is the relative flux that -1 stands for in all of them but the global one.

    `odd`, `even` and `secondary` have the median and the depth of `local`, so that they can be compared. The rows of
    `stack` are single transits, evenly chosen when there are more than 20; rows and bins without data are nan.
    """

    global_view: View
    local_view: View
    odd: View
    even: View
    secondary: View
    stack: View
    depth: float
    secondary_phase: float


@dataclass(frozen=True)
class Bins:
    """`count` bins of `width` days, evenly spaced (they may overlap) over `half` days on either side of mid-transit."""

    count: int
    width: float
    half: float


def median_view(x: Array, y: Array, bins: Bins, empty: float) -> Array:
    """Medians of `y` in bins of `x`, days from mid-transit; `empty` where there is nothing."""
    from exo_assets.features.view_kernels import median_bins

    if bins.count < 2 or not 0 < bins.width < 2 * bins.half:
        raise ViewError(f"{bins.count} bins of {bins.width:g} d do not fit into {2 * bins.half:g} d")
    # Edges are added up one after the other, as AstroNet does it: a point on an edge then falls on the same side.
    spacing = np.full(bins.count - 1, (2 * bins.half - bins.width) / (bins.count - 1))
    left = np.cumsum(np.concatenate([[-bins.half], spacing]))
    right = np.cumsum(np.concatenate([[-bins.half + bins.width], spacing]))
    out = np.full(bins.count, empty)
    median_bins(x, y, left, right, out)
    return out


def folded(time: Array, period_days: float, t0: float) -> Array:
    """Days from the nearest mid-transit, in [-P/2, P/2)."""
    from exo_assets.features.view_kernels import fold

    out = np.empty(time.size)
    fold(np.ascontiguousarray(time), period_days, t0, out)
    return out


def normalised(view: Array) -> tuple[Array, float]:
    """The view about zero with its deepest value at -1, and that depth. ViewError when it has no dip."""
    centred = view - np.median(view)
    depth = float(-centred.min())
    if not depth > 0:
        raise ViewError("the folded light curve has no dip: all bins are alike")
    return centred / depth, depth


def global_view(x: Array, flux: Array, period_days: float, bins: int = GLOBAL_BINS) -> Array:
    """The whole orbit: medians over P / `bins`, not normalised; `x` in days from mid-transit."""
    return median_view(x, flux, Bins(bins, period_days / bins, period_days / 2), float(np.median(flux)))


def local_view(x: Array, flux: Array, place: Ephemeris, empty: float) -> Array:
    """The transit and four durations on either side, half a period at most; not normalised."""
    half = min(place.period_days / 2, place.duration_days * LOCAL_DURATIONS)
    return median_view(x, flux, Bins(LOCAL_BINS, place.duration_days * LOCAL_BIN_DURATIONS, half), empty)


def views(time: Array, flux: Array, place: Ephemeris, secondary_phase: float = 0.5) -> Views:
    """All views of one signal in a flat light curve: `time` in days, `flux` relative, about one.

    ViewError for an ephemeris that is none or a curve without data at the transit.
    """
    period, duration = place.period_days, place.duration_days
    if not (np.isfinite([period, place.t0, duration]).all() and 0 < duration < period):
        raise ViewError(f"no ephemeris: period {period} d, duration {duration} d, epoch {place.t0}")
    if time.size < 2 or time.shape != flux.shape or not np.isfinite(flux).all() or not np.isfinite(time).all():
        raise ViewError("time and flux must be finite, of one length and more than one point")
    x = folded(time, period, place.t0)
    if not (np.abs(x) < duration / 2).any():
        raise ViewError("there are no data in transit")
    local = local_view(x, flux, place, float(np.median(flux)))
    level = float(np.median(local))
    primary, depth = normalised(local)
    whole, _ = normalised(global_view(x, flux, period))
    number = transit_number(time, period, place.t0)

    def beside(chosen: NDArray[np.bool_] | slice, offset: Array) -> View:
        return _scaled(local_view(offset[chosen], flux[chosen], place, level), level, depth)

    return Views(
        global_view=whole.astype(np.float32),
        local_view=primary.astype(np.float32),
        odd=beside(number % 2 == 1, x),
        even=beside(number % 2 == 0, x),
        secondary=beside(slice(None), folded(time, period, place.t0 + secondary_phase * period)),
        stack=_scaled(_stack(x, flux, number, duration), level, depth),
        depth=depth,
        secondary_phase=secondary_phase,
    )


def _scaled(view: Array, level: float, depth: float) -> View:
    return ((view - level) / depth).astype(np.float32)


def _stack(x: Array, flux: Array, number: NDArray[np.int64], duration_days: float) -> Array:
    half = STACK_DURATIONS * duration_days
    transits = np.unique(number[np.abs(x) < duration_days / 2])
    if transits.size > STACK_TRANSITS:
        transits = transits[np.linspace(0, transits.size - 1, STACK_TRANSITS).round().astype(int)]
    out = np.full((STACK_TRANSITS, STACK_BINS), np.nan)
    for row, transit in enumerate(transits):
        one = (np.abs(x) < half) & (number == transit)
        out[row] = median_view(x[one], flux[one], Bins(STACK_BINS, 2 * half / STACK_BINS, half), float("nan"))
    return out
