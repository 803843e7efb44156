"""A trapezoid fitted to the transits of one signal: period, epoch, duration, ingress and depth with uncertainties.

Belongs here: the transit as four straight lines. Does not belong here: finding signals (`search.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.ephemeris import Ephemeris, nearest_transit, phase_days

Array = NDArray[np.float64]

FITTED_DURATIONS = 1.5
"""Half-width of the data fitted around a transit, in durations."""
MIN_POINTS = 6


class FitError(ValueError):
    """The data do not hold enough of the transit to fit one."""


@dataclass(frozen=True)
class Trapezoid:
    """A fitted transit: `depth` in relative flux, `ingress_share` of the duration (0 for a box, 0.5 for a V)."""

    ephemeris: Ephemeris
    ingress_share: float
    depth: float
    depth_err: float
    period_err_days: float
    t0_err: float
    duration_err_days: float

    @property
    def snr(self) -> float:
        """Depth over its uncertainty, for white noise of the size given."""
        return self.depth / self.depth_err


def profile(offset_days: Array, duration_days: float, ingress_share: float) -> Array:
    """The trapezoid's depth, 0 to 1, at times from mid-transit."""
    ingress = max(duration_days * ingress_share, 1e-9)
    return np.clip((duration_days / 2 - np.abs(offset_days)) / ingress, 0.0, 1.0)


def fit(time: Array, flux: Array, flux_err: Array, start: Ephemeris) -> Trapezoid:
    """Least squares from a starting ephemeris; depth and level out of transit are solved for at every step.

    `flux` is relative, about one. Scatter above `flux_err` enlarges the uncertainties. FitError when there are too few
    data in or beside the transits.
    """
    from scipy.optimize import least_squares

    near = np.abs(phase_days(time, start.period_days, start.t0)) < FITTED_DURATIONS * start.duration_days
    t, f, w = time[near], flux[near], 1 / flux_err[near]
    inside = np.abs(phase_days(t, start.period_days, start.t0)) < start.duration_days / 2
    if inside.sum() < MIN_POINTS // 2 or (~inside).sum() < MIN_POINTS // 2 or t.size < MIN_POINTS:
        raise FitError(f"{inside.sum()} points in transit and {(~inside).sum()} beside it are too few to fit")
    # The epoch in the middle of the data is the one that the period's error moves least.
    middle = float(nearest_transit(start.t0, start.period_days, t.mean()))
    cycles = max((t.max() - t.min()) / start.period_days, 1.0)
    scale = np.array([start.duration_days / cycles, start.duration_days, start.duration_days, 1.0])

    def solved(x: Array) -> tuple[Array, Array, Array]:
        shape = profile(
            phase_days(t, start.period_days + x[0] * scale[0], middle + x[1] * scale[1]), x[2] * scale[2], x[3]
        )
        design = np.stack([w, -shape * w], axis=1)
        level, *_ = np.linalg.lstsq(design, f * w, rcond=None)
        return design @ level - f * w, design, np.asarray(level, dtype=np.float64)

    found = least_squares(
        lambda x: solved(x)[0],
        [0.0, 0.0, 1.0, 0.2],
        bounds=([-1.0, -0.75, 0.2, 0.01], [1.0, 0.75, 2.0, 0.5]),
        diff_step=1e-3,
        max_nfev=60,
    )
    residual, design, (level, drop) = solved(found.x)
    inflate = max(1.0, float(residual @ residual) / max(t.size - 6, 1))
    whole = np.concatenate([design, found.jac], axis=1)
    variance = np.diag(np.linalg.pinv(whole.T @ whole)) * inflate
    depth_err = float(np.sqrt(np.linalg.pinv(design.T @ design)[1, 1] * inflate) / abs(level))
    error = np.sqrt(np.maximum(variance[2:], 0.0)) * scale
    period, t0, duration = (
        start.period_days + found.x[0] * scale[0],
        middle + found.x[1] * scale[1],
        found.x[2] * scale[2],
    )
    return Trapezoid(
        Ephemeris(float(period), float(t0), float(duration)),
        float(found.x[3]),
        float(drop / level),
        depth_err,
        float(error[0]),
        float(error[1]),
        float(error[2]),
    )
