"""The folded views of one Kepler signal beside AstroNet's preprocessing: CPU seconds on one thread, and agreement.

AstroNet's code (Shallue & Vanderburg 2018, arXiv 1712.05044) is a loop over bins of a folded, sorted curve, in Python;
it is written here anew as published, and run on the same flat curve in the same process. Both make the global view of
2001 bins and the local one of 201, medians, normalised. Our other four views (odd, even, secondary, and single
transits) are timed as well. The curve is simulated; compilation is left out.
"""

from __future__ import annotations

import os

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulated_curves import KEPLER, Planet, curve
from exo_assets.features.views import folded, global_view, local_view, normalised, views
from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.periods import central_duration_days

Array = NDArray[np.float64]
REPEATS = 31
PLANET = Planet(23.4567, 3.3, 0.0265)


def exo(t: Array, f: Array, place: Ephemeris) -> tuple[Array, Array]:
    """Our global and local view."""
    x = folded(t, place.period_days, place.t0)
    whole = global_view(x, f, place.period_days)
    near = local_view(x, f, place, float(np.median(f)))
    return normalised(whole)[0], normalised(near)[0]


def astronet(t: Array, f: Array, place: Ephemeris) -> tuple[Array, Array]:
    """AstroNet's loop, written anew: fold, sort, and the median of each bin."""
    half = place.period_days / 2
    x = np.mod(t + (half - place.t0), place.period_days) - half
    order = np.argsort(x)
    x, y = x[order], f[order]
    whole = _bins(x, y, 2001, place.period_days / 2001, (-half, half))
    reach = min(half, 4 * place.duration_days)
    near = _bins(x, y, 201, 0.16 * place.duration_days, (-reach, reach))
    return _normalised(whole), _normalised(near)


def _bins(x: Array, y: Array, count: int, width: float, ends: tuple[float, float]) -> Array:
    low, high = ends
    spacing = (high - low - width) / (count - 1)
    out = np.repeat(np.median(y), count)
    first, last = np.searchsorted(x, low), np.searchsorted(x, high)
    start, left, right = first, low, low + width
    for i in range(count):
        while start < last and x[start] < left:
            start += 1
        end = start
        while end < last and x[end] < right:
            end += 1
        if end > start:
            out[i] = np.median(y[start:end])
        left, right = left + spacing, right + spacing
    return out


def _normalised(view: Array) -> Array:
    view = view - np.median(view)
    return view / np.abs(np.min(view))


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Median CPU seconds after a first call that compiles, and the result."""
    out = function()
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        out = function()
        seconds.append(time.process_time() - start)
    return float(np.median(seconds)), out


def main() -> None:
    """Print the figures."""
    t, f, _ = curve(KEPLER, PLANET, seed=1)
    place = Ephemeris(PLANET.period_days, PLANET.t0_days, central_duration_days(PLANET.period_days) * 1.05)
    ours, mine = timed(lambda: exo(t, f, place))
    theirs, peer = timed(lambda: astronet(t, f, place))
    everything, _ = timed(lambda: views(t, f, place))
    off = max(float(np.abs(a - b).max()) for a, b in zip(mine, peer, strict=True))
    print(f"{KEPLER.name}: {t.size:,} points, {place.period_days} d; load {os.getloadavg()[0]:.2f}")
    print(f"  exo, global and local view        {ours * 1e3:8.2f} ms")
    print(f"  AstroNet's loop, written anew      {theirs * 1e3:8.2f} ms {theirs / ours:8.1f} x ours")
    print(f"  exo, all six views                {everything * 1e3:8.2f} ms")
    print(f"  largest difference of a bin       {off:.1e} (of a depth of one)")


if __name__ == "__main__":
    main()
