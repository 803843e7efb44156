"""Whether a star varies at the period of one of its signals.

Belongs here: the amplitude of the star's own variation beside a signal's depth. Does not belong here: the fit of a
sinusoid (`features/sinusoid.py`), and what follows from it: a planet of a star that varies is a planet.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exo_assets.features.sinusoid import sinusoids
from exo_assets.lightcurves.clean import CleanCurve
from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit
from exo_assets.lightcurves.trapezoid import Trapezoid

Array = NDArray[np.float64]

SIGNIFICANT_SIGMA = 15.0
"""A sinusoid less significant than this counts for nothing (LEO-Vetter's limit of SWEET)."""


def variability_ratio(curve: CleanCurve, transit: Trapezoid, places: list[Ephemeris]) -> float:
    """Amplitude of the largest significant sinusoid at P/2, P or 2 P over the depth of `transit`; 0 where none is.

    It is fitted to the flux before its trend was taken away, out of the transits of `places`, as the SWEET test does
    (Thompson et al. 2018, ApJS 235, 38). nan where it cannot be measured.
    """
    away = ~in_transit(curve.time_bjd, [*places, transit.ephemeris])
    run = np.concatenate([[0], np.cumsum(np.diff(curve.segment) != 0)]).astype(np.int64)[away]
    flux, weight = (curve.flux * curve.trend)[away], curve.flux_err[away] ** -2
    found = sinusoids(curve.time_bjd[away], flux, weight, run, transit.ephemeris.period_days)
    amplitudes = np.array([found.sweet_half_amplitude_ppm, found.sweet_amplitude_ppm, found.sweet_double_amplitude_ppm])
    sigmas = np.array([found.sweet_half_sigma, found.sweet_sigma, found.sweet_double_sigma])
    if not np.isfinite(sigmas).any() or not transit.depth > 0:
        return float("nan")
    return float(np.where(sigmas > SIGNIFICANT_SIGMA, amplitudes, 0.0).max() * 1e-6 / transit.depth)
