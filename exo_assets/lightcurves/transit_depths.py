"""Depths of a signal's single transits, and averages of them.

Belongs here: one depth for each transit, and the depth and uncertainty of several. Does not belong here: the fit of a
transit's shape (`trapezoid.py`), how red noise is measured, and what depths are held against.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.ephemeris import phase_days, transit_number
from exo_assets.lightcurves.trapezoid import Trapezoid, profile

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SingleDepths:
    """One value for each transit with data: how many periods after the epoch it is (`number`, ascending), its depth in
    relative flux, and the inverse variance that white noise gives that depth."""

    number: NDArray[np.int64]
    depth: Array
    weight: Array

    def where(self, chosen: NDArray[np.bool_]) -> SingleDepths:
        """The chosen transits."""
        return SingleDepths(self.number[chosen], self.depth[chosen], self.weight[chosen])


def single_depths(time: Array, flux: Array, flux_err: Array, transit: Trapezoid, *, level: float = 1.0) -> SingleDepths:
    """The depth of each transit: least squares of the fitted shape, its height free, under `level`.

    d_k = sum(w p (level - f)) / sum(w p^2) over the points of transit k; p: the trapezoid of depth one, w: 1 / error^2.
    """
    place = transit.ephemeris
    x = phase_days(time, place.period_days, place.t0)
    inside = np.abs(x) < place.duration_days / 2
    if not inside.any():
        return SingleDepths(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    shape = profile(x[inside], place.duration_days, transit.ingress_share)
    number = transit_number(time[inside], place.period_days, place.t0)
    first = int(number.min())
    weighted = shape * flux_err[inside] ** -2
    height, weight = (
        np.asarray(np.bincount(number - first, values), dtype=np.float64)
        for values in (weighted * (level - flux[inside]), weighted * shape)
    )
    known = np.flatnonzero(weight > 0)
    return SingleDepths(known + first, height[known] / weight[known], weight[known])


def average_depth(depths: SingleDepths, red_noise: float = 0.0) -> tuple[float, float]:
    """Depth of several transits and its uncertainty; nan for none.

    The mean has the weights of white noise, W_k. sigma^2 = sum(W_k^2 (1 / W_k + sigma_r^2)) / (sum W_k)^2, which for
    transits of equal weight is sigma_w^2 / n + sigma_r^2 / N_tr (Pont, Zucker & Queloz 2006, MNRAS 373, 231).
    `red_noise` is sigma_r: by how much noise that its points share moves the depth of one transit.
    """
    total = float(depths.weight.sum())
    if not total > 0:
        return float("nan"), float("nan")
    share = depths.weight / total
    return float((share * depths.depth).sum()), float(np.sqrt(1 / total + red_noise**2 * (share**2).sum()))


@dataclass(frozen=True)
class OddEven:
    """Depths of odd and even transits, relative flux, and how far they differ, in standard deviations."""

    odd_depth: float
    even_depth: float
    sigma: float


def odd_even(depths: SingleDepths, red_noise: float = 0.0) -> OddEven:
    """|d_odd - d_even| / sqrt(e_odd^2 + e_even^2); nan unless there are transits of both kinds.

    An eclipsing binary found at half its period has two depths (Batalha et al. 2010, ApJ 713, L103).
    """
    is_odd = depths.number % 2 == 1
    (odd, odd_err), (even, even_err) = (average_depth(depths.where(chosen), red_noise) for chosen in (is_odd, ~is_odd))
    return OddEven(odd, even, float(abs(odd - even) / np.hypot(odd_err, even_err)))
