"""Trends of light curves: what a star and its spacecraft do slower than a transit.

Belongs here: trends, and which data are kept out of them. Does not belong here: choosing and joining data (`clean.py`).

A trend never crosses a gap. Transits that are known are left out of it, so that it does not follow them: unmasked, the
same window takes 5 to 17 % of a transit's depth. It is the flux divided by the trend that is searched.

A star that varies within the window leaves its curvature in the flat curve: crests and troughs that a search finds at
the rotation period. Parabolas in a narrower window follow it, at the price of some depth of long transits.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

WINDOW_DAYS = 1.5
"""Width of the biweight's window: three durations of the longest transits that are searched for, and more."""
WINDOW_DURATIONS = 3.0
"""A window is at least so many durations of the longest known transit."""
BREAK_DAYS = 0.5
"""A longer gap ends a piece (Hippke et al. 2019, wotan's break_tolerance)."""
TUNING = 5.0
"""Where the biweight's weight falls to zero, in MAD (Hippke et al. 2019: 5 serves transit searches best)."""
KNOTS_PER_WINDOW = 8
"""The biweight is evaluated so often in a window; a smooth curve joins the values."""
KNOT_SPACINGS_DAYS = np.geomspace(0.5, 20.0, 20)
CLIP_SIGMA, CLIP_ROUNDS = 3.0, 5


class DetrendError(ValueError):
    """The light curve cannot be detrended; the message says why."""


def pieces(time: Array, segment: NDArray[np.integer] | None = None) -> Iterator[slice]:
    """The runs of points that no gap interrupts, and that are of one segment (quarter, sector, campaign)."""
    cut = np.diff(time) > BREAK_DAYS
    if segment is not None:
        cut |= np.diff(segment) != 0
    ends = [0, *(np.flatnonzero(cut) + 1), time.size]
    yield from (slice(a, b) for a, b in pairwise(ends) if b > a)


def biweight_trend(
    time: Array,
    flux: Array,
    *,
    masked: Mask | None = None,
    segment: NDArray[np.integer] | None = None,
    window_days: float = WINDOW_DAYS,
    is_curved: bool = False,
) -> Array:
    """The sliding biweight of the flux; nan in pieces that have too few points outside the mask.

    `is_curved` fits parabolas in the windows instead of lines: for stars that vary within a window.

    `time` in days, ascending; `masked` marks points that are not to count. The trend reaches over what is masked.
    """
    from exo_assets.lightcurves.detrend_kernels import through, window_biweights

    _checked(time, flux, masked)
    if not window_days > 0:
        raise DetrendError(f"a window of {window_days} d is none")
    trend = np.full(time.size, np.nan)
    for piece in pieces(time, segment):
        t = time[piece]
        counts = slice(None) if masked is None else ~masked[piece]
        knots = max(int(np.ceil((t[-1] - t[0]) / window_days * KNOTS_PER_WINDOW)), 1) + 1
        centres = np.linspace(t[0], t[-1], knots)
        values = window_biweights(t[counts], flux[piece][counts], centres, window_days / 2, (TUNING, is_curved))
        known = np.isfinite(values)
        if known.any():
            filled = values if known.all() else np.interp(centres, centres[known], values[known])
            through(t, centres[0], max(centres[1] - centres[0], 1e-9), filled, trend[piece])
    return trend


def spline_trend(
    time: Array, flux: Array, *, masked: Mask | None = None, segment: NDArray[np.integer] | None = None
) -> Array:
    """A cubic spline for each piece, its knot spacing chosen by the Bayesian information criterion.

    As Vanderburg & Johnson (2014) and Shallue & Vanderburg (2018, section 3.1) do it: twenty spacings from 0.5 to
    20 d; points three standard deviations off are left out, up to five times; the spacing with the least
    N ln(2 pi s^2) + SSR / s^2 + k ln N over all pieces is taken, s being the noise from one point to the next.
    nan in pieces with too few points.
    """
    _checked(time, flux, masked)
    runs = list(pieces(time, segment))
    counts = np.ones(time.size, dtype=bool) if masked is None else ~masked
    noise = max(point_to_point_sigma(flux[counts]), 1e-9 * float(np.median(np.abs(flux))))  # a flat curve has none
    best, criterion = np.full(time.size, np.nan), np.inf
    for spacing in KNOT_SPACINGS_DAYS:
        trend, total = np.full(time.size, np.nan), 0.0
        for piece in runs:
            fitted = _spline(time[piece], flux[piece], counts[piece], spacing)
            if fitted is not None:
                trend[piece], kept, parameters = fitted
                residual = (flux[piece] - trend[piece])[kept]
                total += (
                    kept.sum() * np.log(2 * np.pi * noise**2)
                    + (residual**2).sum() / noise**2
                    + parameters * np.log(kept.sum())
                )
        if np.isfinite(trend).any() and total < criterion:
            best, criterion = trend, total
    return best


def _spline(t: Array, f: Array, counts: Mask, spacing: float) -> tuple[Array, Mask, int] | None:
    """Spline of one piece, the points that it was fitted to, and its number of coefficients; None for too few."""
    from scipy.interpolate import make_lsq_spline

    kept = counts.copy()
    for _ in range(CLIP_ROUNDS):
        if kept.sum() < 5 or t[kept][-1] - t[kept][0] <= 0:
            return None
        low, high = t[kept][0], t[kept][-1]
        inner = np.linspace(low, high, max(int((high - low) / spacing), 1) + 1)[1:-1]
        # Knots without data between them have no unique spline: those are left out.
        filled = np.histogram(t[kept], [low, *inner, high])[0]
        inner = inner[(filled[:-1] > 1) & (filled[1:] > 1)]
        knots = np.concatenate([[low] * 4, inner, [high] * 4])
        try:
            spline = make_lsq_spline(t[kept], f[kept], knots, k=3)
        except (ValueError, np.linalg.LinAlgError):
            return None
        trend = np.asarray(spline(np.clip(t, low, high)))
        residual = f - trend
        clipped = counts & (np.abs(residual) <= CLIP_SIGMA * robust_sigma(residual[kept]))
        if (clipped == kept).all() or clipped.sum() < 5:
            break
        kept = clipped
    return trend, kept, len(knots) - 4


def robust_sigma(values: Array) -> float:
    """Standard deviation from the median absolute deviation: 1.4826 MAD, that of normal noise."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def point_to_point_sigma(flux: Array) -> float:
    """Noise of a point from the differences of neighbours, which a trend does not enlarge: 1.4826 MAD / sqrt(2)."""
    steps = np.diff(flux)
    return robust_sigma(steps) / float(np.sqrt(2)) if steps.size else float("nan")


def _checked(time: Array, flux: Array, masked: Mask | None) -> None:
    if time.shape != flux.shape or (masked is not None and masked.shape != time.shape):
        raise DetrendError("time, flux and mask differ in shape")
    if not (np.isfinite(time).all() and np.isfinite(flux).all()):
        raise DetrendError("time or flux has values that are not finite; leave them out")
    if (np.diff(time) < 0).any():
        raise DetrendError("time is not ascending; sort the points")
