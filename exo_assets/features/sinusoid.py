"""The SWEET test: does the star vary as a sinusoid at the signal's period, half or twice of it?

Belongs here: sinusoids in the flux out of transit. Does not belong here: other tests of variability.

SWEET (sine wave evaluation; Thompson et al. 2018, ApJS 235, 38, and exovetter's): amplitude over its error of a sine
fitted to the flux out of transit. The flux is that before the trend was taken out, for a trend follows such sinusoids.
Each stretch of data has its own level and slope, so that slow drifts are not taken for long periods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from exo_assets.features.measured import About

Array = NDArray[np.float64]
NAN = float("nan")
LEAST_POINTS = 20
COLLINEAR = 1e-6
"""Share of a sine that must be left beside level and slope, for it to be measured."""


@dataclass(frozen=True)
class Sinusoids:
    """Amplitudes of sinusoids out of transit, and how significant they are."""

    sweet_half_sigma: Annotated[float, About("SWEET at P/2: amplitude over its error (LEO: > 15)", "sigma", 0)]
    sweet_sigma: Annotated[float, About("SWEET at P: amplitude over its error", "sigma", 0)]
    sweet_double_sigma: Annotated[float, About("SWEET at 2 P: amplitude over its error", "sigma", 0)]
    sweet_half_amplitude_ppm: Annotated[float, About("Amplitude of the sine at P/2", "ppm", 0)]
    sweet_amplitude_ppm: Annotated[float, About("Amplitude of the sine at P", "ppm", 0)]
    sweet_double_amplitude_ppm: Annotated[float, About("Amplitude of the sine at 2 P", "ppm", 0)]


def sinusoids(time: Array, flux: Array, weight: Array, run: NDArray[np.int64], period_days: float) -> Sinusoids:
    """The test on points out of transit: `flux` relative, `weight` 1 / error^2, `run` the stretch of data,
    ascending.

    Amplitude A = sqrt(a^2 + b^2) of a sin + b cos, by weighted least squares; its error is propagated from theirs,
    scaled to the scatter of the residuals. nan with too few points, or a stretch too short for a period.
    """
    if time.size < LEAST_POINTS:
        return Sinusoids(NAN, NAN, NAN, NAN, NAN, NAN)
    angle = np.pi / period_days * (time - time.mean())
    flat = _Stretches(time, weight, run)
    y = flat.rid(flux)
    s, c = np.sin(angle), np.cos(angle)
    found = []
    for _ in range(3):  # 2 P, P, P / 2: each has double the angle of the one before
        found.append(_sine(y, flat.rid(s), flat.rid(c), flat))
        s, c = 2 * s * c, c * c - s * s
    (double, double_err), (one, one_err), (half, half_err) = found
    return Sinusoids(half / half_err, one / one_err, double / double_err, half * 1e6, one * 1e6, double * 1e6)


class _Stretches:
    """Takes level and slope of each stretch out of values: what is left is what least squares beside both would see."""

    def __init__(self, time: Array, weight: Array, run: NDArray[np.int64]) -> None:
        self.weight = weight
        self.first = np.concatenate([[0], np.flatnonzero(np.diff(run)) + 1])
        self.size = np.diff(self.first, append=run.size)
        self.total = np.add.reduceat(weight, self.first)
        centred = time - time[0]
        self.time = centred - self._spread(self._sum(centred) / self.total)
        inertia = self._sum(self.time**2)
        self.inertia = np.where(inertia > 0, inertia, np.inf)

    def _sum(self, values: Array) -> Array:
        return np.asarray(np.add.reduceat(self.weight * values, self.first))

    def _spread(self, values: Array) -> Array:
        return np.repeat(values, self.size)

    def rid(self, values: Array) -> Array:
        level = self._sum(values) / self.total
        slope = self._sum(values * self.time) / self.inertia
        return np.asarray(values - self._spread(level) - self._spread(slope) * self.time)


def _sine(y: Array, s: Array, c: Array, flat: _Stretches) -> tuple[float, float]:
    """Amplitude of the best sine and its error, relative flux."""
    w = flat.weight
    ws, wc = w * s, w * c
    # Not `@`: the linear algebra library's threads cost more than these sums.
    ss, cc, sc, ys, yc, yy = (float(v.sum()) for v in (ws * s, wc * c, ws * c, ws * y, wc * y, w * y * y))
    left = ss * cc - sc * sc
    free = y.size - 2 * flat.size.size - 2
    if not left > (COLLINEAR * float(w.sum())) ** 2 or free < LEAST_POINTS / 2:
        return NAN, NAN
    a, b = (cc * ys - sc * yc) / left, (ss * yc - sc * ys) / left
    scatter = (yy - a * ys - b * yc) / free
    amplitude = float(np.hypot(a, b))
    if not (amplitude > 0 and scatter > 0):
        return amplitude, NAN
    variance = scatter * (a * a * cc + b * b * ss - 2 * a * b * sc) / left / amplitude**2
    return amplitude, float(np.sqrt(variance))
