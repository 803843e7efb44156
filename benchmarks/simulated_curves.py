"""Simulated light curves to compare engines on: batman's transits in white noise. Not real data, and not a test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.periods import orbit_over_star_radius

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sampling:
    """How a mission samples a star: span and cadence, share of points kept, gap, noise of a point."""

    name: str
    span_days: float
    cadence_days: float
    kept: float
    gap_days: tuple[float, float]
    noise: float
    period_max_days: float


KEPLER = Sampling("Kepler, 4 years, long cadence", 1460.0, 29.4244 / 1440, 0.915, (700.0, 701.0), 120e-6, 100.0)
TESS = Sampling("TESS, one sector, two minutes", 27.4, 2 / 1440, 1.0, (13.0, 14.2), 1000e-6, 13.0)


@dataclass(frozen=True)
class Planet:
    """A planet of a Sun-like star: radius over the star's, and the impact parameter."""

    period_days: float
    t0_days: float
    radius_ratio: float
    impact: float = 0.3


def curve(sampling: Sampling, planet: Planet | None, seed: int) -> tuple[Array, Array, Array]:
    """Time (days), relative flux and its error."""
    random = np.random.default_rng(seed)
    time = np.arange(0, sampling.span_days, sampling.cadence_days)
    inside_gap = (time > sampling.gap_days[0]) & (time < sampling.gap_days[1])
    time = time[(random.random(time.size) < sampling.kept) & ~inside_gap]
    flux = 1 + random.normal(0, sampling.noise, time.size)
    if planet is not None:
        flux += _transit(time, planet, sampling.cadence_days) - 1
    return time, flux, np.full(time.size, sampling.noise)


def _transit(time: Array, planet: Planet, exposure_days: float) -> Array:
    import batman

    orbit = orbit_over_star_radius(planet.period_days)
    star = batman.TransitParams()
    star.t0, star.per, star.rp, star.a = planet.t0_days, planet.period_days, planet.radius_ratio, orbit
    star.inc, star.ecc, star.w = float(np.degrees(np.arccos(planet.impact / orbit))), 0.0, 90.0
    star.u, star.limb_dark = [0.48, 0.19], "quadratic"
    model = batman.TransitModel(star, time, supersample_factor=7, exp_time=exposure_days)
    return np.asarray(model.light_curve(star))
