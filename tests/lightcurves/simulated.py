"""Simulated light curves: white noise and trapezoids, for tests only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.ephemeris import Ephemeris, phase_days
from exo_assets.lightcurves.trapezoid import profile

Array = NDArray[np.float64]


def curve(
    *planets: tuple[Ephemeris, float],
    span_days: float = 80.0,
    cadence_minutes: float = 30.0,
    noise: float = 2e-4,
    seed: int = 0,
) -> tuple[Array, Array, Array]:
    """Time, flux and its error of a star with planets (ephemeris, depth); a tenth of the points is missing."""
    random = np.random.default_rng(seed)
    time = np.arange(0, span_days, cadence_minutes / 1440) + 100.0
    time = time[(random.random(time.size) < 0.95) & ~((time > 130) & (time < 134))]
    flux = 1 + random.normal(0, noise, time.size)
    for place, depth in planets:
        flux -= depth * profile(phase_days(time, place.period_days, place.t0), place.duration_days, 0.15)
    return time, flux, np.full(time.size, noise)


def light_curve(time: Array, flux: Array, segment: int = 1, target: str = "KIC 1") -> LightCurve:
    """Points of a Kepler star as a file gives them, all usable, without centroids."""
    n = time.size
    return LightCurve(
        target=target,
        mission="kepler",
        flux_kind="PDCSAP_FLUX",
        time_bjd=time,
        flux=flux,
        flux_err=np.full(n, 1e-4),
        quality=np.zeros(n, np.int64),
        segment=np.full(n, segment, np.int32),
        column=np.full(n, np.nan),
        row=np.full(n, np.nan),
    )
