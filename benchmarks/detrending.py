"""Detrending beside wotan and lightkurve: CPU seconds on one thread, and how much of a transit's depth is left.

The curves are simulated: a spotted star, batman's transits, white noise. Ours is given the transits that are known, as
in the pipeline; the peers are run as they come, and with the same transits masked.
"""

from __future__ import annotations

import os

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulated_curves import KEPLER, TESS, Planet, Sampling, curve
from exo_assets.lightcurves.detrend import biweight_trend, spline_trend
from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit, phase_days
from exo_assets.lightcurves.periods import central_duration_days

Array = NDArray[np.float64]
REPEATS = 7
SPOTS = ((0.004, 11.3), (0.002, 5.7), (0.001, 3.8))
"""Amplitudes and periods (days) of the star's own variation."""


def spotted(sampling: Sampling, planet: Planet) -> tuple[Array, Array]:
    """Time and flux."""
    t, f, _ = curve(sampling, planet, seed=3)
    return t, f * (1 + sum(a * np.sin(2 * np.pi * t / p + p) for a, p in SPOTS))


def wotan(t: Array, f: Array, masked: NDArray[np.bool_] | None = None) -> Array:
    """wotan's biweight, a window of 1.5 days; over masked points its trend is interpolated, as its manual says."""
    from wotan import flatten

    if masked is None:
        return np.asarray(
            flatten(t, f, method="biweight", window_length=1.5, break_tolerance=0.5, return_trend=True)[1]
        )
    _, trend = flatten(
        t[~masked], f[~masked], method="biweight", window_length=1.5, break_tolerance=0.5, return_trend=True
    )
    known = np.isfinite(trend)
    return np.interp(t, t[~masked][known], trend[known])


def lightkurve(t: Array, f: Array) -> Array:
    """lightkurve's flatten with a window of a day and a half."""
    from lightkurve import LightCurve

    window = int(1.5 / np.median(np.diff(t))) | 1
    _, trend = LightCurve(time=t, flux=f).flatten(window_length=window, return_trend=True)
    return np.asarray(trend.flux.value)


def compare(sampling: Sampling, planet: Planet) -> None:
    """One row a method."""
    t, f = spotted(sampling, planet)
    duration = central_duration_days(planet.period_days) * 1.05
    place = Ephemeris(planet.period_days, planet.t0_days, duration)
    masked = in_transit(t, [place])
    offset = phase_days(t, place.period_days, place.t0)
    deep, beside = np.abs(offset) < 0.25 * duration, (np.abs(offset) > 0.7 * duration) & (np.abs(offset) < 2 * duration)
    true = 1 - _clean(sampling, planet)[deep].mean()
    methods: dict[str, Callable[[], Array]] = {
        "exo biweight, transits masked": lambda: biweight_trend(t, f, masked=in_transit(t, [place])),
        "wotan biweight": lambda: wotan(t, f),
        "wotan biweight, transits masked": lambda: wotan(t, f, in_transit(t, [place])),
        "lightkurve flatten": lambda: lightkurve(t, f),
        "exo spline, transits masked": lambda: spline_trend(t, f, masked=masked),
    }
    print(f"\n{sampling.name}: {t.size:,} points, {true * 1e6:.0f} ppm deep, {duration * 24:.1f} h")
    ours = 0.0
    for name, method in methods.items():
        method()
        seconds = []
        for _ in range(2 if "spline" in name else REPEATS):
            start = time.process_time()
            trend = method()
            seconds.append(time.process_time() - start)
        taken = float(np.median(seconds))
        ours = ours or taken
        flat = f / trend
        depth = np.nanmean(flat[beside]) - np.nanmean(flat[deep])
        print(f"  {name:<34}{taken:9.4f} s {taken / ours:8.1f} x ours   depth kept {depth / true:.3f}", flush=True)


def _clean(sampling: Sampling, planet: Planet) -> Array:
    """The same points without noise."""
    from dataclasses import replace

    return curve(replace(sampling, noise=0.0), planet, seed=3)[1]


def main() -> None:
    """Print the tables."""
    compare(KEPLER, Planet(23.4567, 3.3, 0.0265))
    compare(TESS, Planet(3.4521, 1.3, 0.05))


if __name__ == "__main__":
    main()
