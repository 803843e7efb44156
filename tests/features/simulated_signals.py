"""Simulated flat light curves with a signal each, for tests of the diagnostics only."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exo_assets.features.diagnostics import Diagnostics, diagnose
from exo_assets.lightcurves.clean import CleanCurve
from exo_assets.lightcurves.ephemeris import Ephemeris, phase_days
from exo_assets.lightcurves.trapezoid import Trapezoid, profile

Array = NDArray[np.float64]

PLACE = Ephemeris(5.3, 2_455_003.0, 0.2)
START = 2_455_000.0


@dataclass(frozen=True)
class Sky:
    """Times and white noise of a curve in two segments, a gap between them; a twentieth of the points is missing."""

    span_days: float = 90.0
    cadence_minutes: float = 20.0
    noise: float = 2e-4
    seed: int = 0

    def curve(self) -> CleanCurve:
        random = np.random.default_rng(self.seed)
        time = START + np.arange(0, self.span_days, self.cadence_minutes / 1440)
        middle = START + self.span_days / 2
        time = time[(random.random(time.size) < 0.95) & (np.abs(time - middle) > 1.0)]
        n = time.size
        ends = (START, middle - 1, middle + 1, START + self.span_days)
        return CleanCurve(
            target="simulated",
            mission="kepler",
            flux_kind="PDCSAP_FLUX",
            time_bjd=time,
            flux=1 + random.normal(0, self.noise, n),
            flux_err=np.full(n, self.noise),
            trend=np.ones(n),
            segment=(time > middle).astype(np.int32) + 1,
            column=500 + random.normal(0, 1e-3, n),
            row=300 + random.normal(0, 1e-3, n),
            is_edge=np.min([np.abs(time - end) for end in ends], axis=0) < 0.5,
            is_near_dump=np.zeros(n, dtype=bool),
            is_scattered=np.zeros(n, dtype=bool),
            n_unusable=0,
            n_outliers=0,
            cdpp_ppm=(100.0, 60.0, 40.0),
        )


def dip(curve: CleanCurve, place: Ephemeris, depth: float, ingress_share: float = 0.15) -> Array:
    """What transits take from the flux at each point."""
    x = phase_days(curve.time_bjd, place.period_days, place.t0)
    return depth * profile(x, place.duration_days, ingress_share)


def dimmed(curve: CleanCurve, by: Array) -> CleanCurve:
    return replace(curve, flux=curve.flux - by)


def transit(place: Ephemeris = PLACE, depth: float = 2e-3, ingress_share: float = 0.15) -> Trapezoid:
    """The transit as a perfect fit would have it."""
    return Trapezoid(place, ingress_share, depth, depth / 50, 1e-5, 1e-3, 1e-3)


def planet(sky: Sky | None = None, depth: float = 2e-3) -> CleanCurve:
    curve = (sky or Sky()).curve()
    return dimmed(curve, dip(curve, PLACE, depth))


def diagnosed(curve: CleanCurve, depth: float = 2e-3) -> Diagnostics:
    return diagnose(curve, transit(depth=depth))


def red_noise(curve: CleanCurve, sigma: float, days: float, seed: int = 9) -> Array:
    """Gaussian noise of standard deviation `sigma` that is correlated over `days` (a first-order autoregression)."""
    random = np.random.default_rng(seed)
    keep = np.exp(-np.diff(curve.time_bjd, prepend=curve.time_bjd[0]) / days)
    step = random.normal(0, sigma, curve.time_bjd.size) * np.sqrt(1 - keep**2)
    out = np.empty(keep.size)
    last = random.normal(0, sigma)
    for i in range(keep.size):
        last = keep[i] * last + step[i]
        out[i] = last
    return out
