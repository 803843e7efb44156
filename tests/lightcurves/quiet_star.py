"""A simulated star without a planet, as measured: spots, two segments of different brightness, gaps and bad points."""

from __future__ import annotations

import numpy as np
from simulated import curve as simulated

from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.injection import Host

HOST = Host("KIC 1", "kepler", radius_sun=1.0, density_sun=1.0, teff_k=5800.0)
START_BJD = 2_455_000.0


def quiet(*, noise: float = 2e-4, span_days: float = 60.0, seed: int = 0, spots: float = 3e-3) -> list[LightCurve]:
    """Two segments of raw flux; some of the points are nan, and some have bits that make them unusable."""
    random = np.random.default_rng(seed + 1000)
    time, flux, _ = simulated(span_days=span_days, noise=noise, seed=seed)
    flux = flux * (1 + spots * np.sin(2 * np.pi * time / 17.0))
    flux[random.random(time.size) < 0.01] = np.nan
    quality = np.where(random.random(time.size) < 0.01, 1 << 16, 0).astype(np.int64)
    n, half = time.size, time < 102 + span_days / 2
    unknown = np.full(n, np.nan)
    whole = LightCurve(
        target=HOST.target,
        mission=HOST.mission,
        flux_kind="PDCSAP_FLUX",
        time_bjd=time - 100 + START_BJD,
        flux=flux * np.where(half, 5000.0, 8000.0),
        flux_err=np.full(n, 1.0),
        quality=quality,
        segment=np.where(half, 1, 2).astype(np.int32),
        column=unknown,
        row=unknown,
    )
    return [whole.where(half), whole.where(~half)]
