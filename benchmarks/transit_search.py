"""The transit search beside astropy's BLS and TLS: CPU seconds on one thread, significance, and what is recovered.

Every engine searches the same simulated curves in the same range of periods (Ofir's optimal grid, oversampling 3; TLS
makes its own, a tenth shorter) in this process, one after the other; compilation is left out of the times. `--quick`
leaves out the peers' four-year searches, which take minutes.
"""

from __future__ import annotations

import os

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulated_curves import KEPLER, TESS, Planet, Sampling, curve
from exo_assets.lightcurves.intervals import wilson
from exo_assets.lightcurves.search import SearchSettings, Spectrum, power, spectrum

Array = NDArray[np.float64]
Curve = tuple[Array, Array, Array]
BLS_DURATIONS_DAYS = np.array([0.05, 0.08, 0.11, 0.15, 0.2, 0.25, 0.29, 0.33])
REPEATS = 5
SDE_MIN = 7.0


def exo(data: Curve, sampling: Sampling) -> Spectrum:
    """Ours."""
    return spectrum(*data, SearchSettings(period_min_days=0.5, period_max_days=sampling.period_max_days))


def bls(data: Curve, sampling: Sampling) -> Spectrum:
    """astropy's box least squares on our periods, eight durations."""
    from astropy.timeseries import BoxLeastSquares

    t, f, e = data
    periods = _grid(data, sampling)
    shortest = BLS_DURATIONS_DAYS[periods[0] > BLS_DURATIONS_DAYS]
    found = BoxLeastSquares(t, f, dy=e).power(periods, shortest, objective="likelihood", oversample=10)
    gain = 2 * np.asarray(found.power)
    return Spectrum(periods, gain, power(gain, float((((f - np.average(f, weights=e**-2)) / e) ** 2).sum())))


def tls(data: Curve, sampling: Sampling) -> Spectrum:
    """Transit least squares with its own settings."""
    from transitleastsquares import transitleastsquares

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = transitleastsquares(*data, verbose=False).power(
            period_min=0.5,
            period_max=sampling.period_max_days,
            use_threads=1,
            show_progress_bar=False,
        )
    order = np.argsort(found.periods)
    height = np.asarray(found.power)[order]
    # Its power is scaled so that the highest is the SDE.
    return Spectrum(np.asarray(found.periods)[order], np.asarray(-found.chi2)[order], height / height.max() * found.SDE)


def _grid(data: Curve, sampling: Sampling) -> Array:
    from exo_assets.lightcurves.periods import optimal_periods

    return optimal_periods(float(data[0][-1] - data[0][0]), 0.5, sampling.period_max_days)


ENGINES: dict[str, Callable[[Curve, Sampling], Spectrum]] = {"exo": exo, "astropy BLS": bls, "TLS": tls}


def timed(engine: Callable[[Curve, Sampling], Spectrum], data: Curve, sampling: Sampling, repeats: int) -> Any:
    """Median CPU seconds, and the last spectrum."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        found = engine(data, sampling)
        seconds.append(time.process_time() - start)
    return float(np.median(seconds)), found


def side_by_side(sampling: Sampling, planet: Planet, engines: list[str]) -> None:
    """One row an engine: periods, seconds, how many times ours, SDE, and the period found."""
    data = curve(sampling, planet, seed=1)
    print(f"\n{sampling.name}: {data[0].size:,} points, {planet.period_days} d, {planet.radius_ratio**2 * 1e6:.0f} ppm")
    ours = 0.0
    for name in engines:
        many = sampling is TESS or name == "exo"
        seconds, found = timed(ENGINES[name], data, sampling, REPEATS if many else 1)
        ours = ours or seconds
        best = found.period_days[found.power.argmax()]
        print(
            f"  {name:<12}{found.period_days.size:>9,} periods {seconds:>9.3f} s {seconds / ours:>7.1f} x ours   "
            f"SDE {found.sde:7.2f}   {best:.5f} d",
            flush=True,
        )


def recovery(sampling: Sampling, count: int, engines: list[str]) -> None:
    """Share of weak injected planets whose period each engine finds above the threshold, with 95 % intervals."""
    random = np.random.default_rng(20)
    planets = [
        Planet(p := float(np.exp(random.uniform(np.log(0.7), np.log(12)))), float(random.uniform(0, p)), r)
        for r in random.uniform(0.012, 0.028, count)
    ]
    hits = {name: np.zeros(count, bool) for name in engines}
    ratio = []
    for i, planet in enumerate(planets):
        data = curve(sampling, planet, seed=100 + i)
        height = {}
        for name in engines:
            found = ENGINES[name](data, sampling)
            best = float(found.period_days[found.power.argmax()])
            height[name] = found.sde
            hits[name][i] = found.sde >= SDE_MIN and abs(best / planet.period_days - 1) < 1e-2
        if "TLS" in height and hits["TLS"][i] and hits["exo"][i]:
            ratio.append(height["exo"] / height["TLS"])
    print(f"\nRecovery of {count} weak simulated planets, {sampling.name}, SDE of {SDE_MIN:g} and more")
    for name in engines:
        low, high = wilson(int(hits[name].sum()), count)
        print(f"  {name:<12}{hits[name].mean():.3f} ({low:.3f} to {high:.3f})")
    for name in engines[1:]:
        print(f"  only exo: {(hits['exo'] & ~hits[name]).sum()}, only {name}: {(~hits['exo'] & hits[name]).sum()}")
    if ratio:
        print(f"  SDE of ours over TLS where both find it: median {np.median(ratio):.3f}, least {min(ratio):.3f}")
    print(f"\nSDE of {count} curves without a planet, the same for all engines")
    for name in engines:
        noise = np.array([ENGINES[name](curve(sampling, None, seed=900 + i), sampling).sde for i in range(count)])
        share, (low, high) = float(np.mean(noise >= SDE_MIN)), wilson(int((noise >= SDE_MIN).sum()), count)
        print(
            f"  {name:<12}median {np.median(noise):.2f}, 90 % below {np.quantile(noise, 0.9):.2f}, "
            f"{share:.3f} ({low:.3f} to {high:.3f}) reach {SDE_MIN:g}",
            flush=True,
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the peers search one TESS sector only")
    parser.add_argument("--injections", type=int, default=60)
    chosen = parser.parse_args()
    engines = list(ENGINES)
    for engine in ENGINES.values():
        engine(curve(TESS, Planet(3.4521, 1.3, 0.05), seed=0), TESS)  # compile
    side_by_side(TESS, Planet(3.4521, 1.3, 0.05), engines)
    side_by_side(TESS, Planet(3.4521, 1.3, 0.03), engines)
    recovery(TESS, chosen.injections, engines)
    side_by_side(KEPLER, Planet(23.4567, 3.3, 0.0265), engines[:1] if chosen.quick else engines)


if __name__ == "__main__":
    main()
