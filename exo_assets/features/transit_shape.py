"""The shape of the folded transit: V or U, symmetric or not, a dip or a line; long or short for its star.

Belongs here: what the folded curve within one and a half durations of mid-transit tells. Does not belong here: the fit
itself (`lightcurves/trapezoid.py`) and single transits (`transit_statistics.py`).

The points are averaged in sixty bins first; models differ in chi-square there as they do point by point, for none of
them changes much within a bin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from exo_assets.features.measured import About
from exo_assets.lightcurves.periods import DAY_S, G_CGS, SOLAR_DENSITY_CGS, central_duration_days
from exo_assets.lightcurves.trapezoid import FITTED_DURATIONS, Trapezoid, profile

Array = NDArray[np.float64]
NAN = float("nan")

BINS = 60
U_SHARES, V_SHARE = (0.05, 0.15), 0.5
"""Ingress as a share of the duration: of a U, the better of two, and of a V."""
TRIED_DURATIONS = np.geomspace(0.6, 1.7, 27)
"""Durations of both, over the fitted one."""
LEAST_BINS = 12


@dataclass(frozen=True)
class TransitShape:
    """The shape of the folded transit."""

    shape_v: Annotated[float, About("Ingress and egress over duration: 0 for a box, 1 for a V", "", 0, 1)]
    u_over_v_chi2: Annotated[
        float, About("chi2 of the best V minus chi2 of the best U, durations and depths free: above 0 for a U")
    ]
    impact_plus_ratio: Annotated[
        float,
        About(
            "b + k of the trapezoid, k = sqrt(depth), b^2 = 1 - k T_half / T_ingress, not below 0 (Winn 2010, "
            "arXiv 1001.2010; DR25 Robovetter's shape metric: > 1.04, LEO: > 1.5)",
            "",
            0,
        ),
    ]
    model_vs_line_aic: Annotated[
        float,
        About("AIC of the trapezoid (5 parameters) minus that of a straight line (2) near transit (LEO: > -30)"),
    ]
    asymmetry_sigma: Annotated[
        float,
        About(
            "Tilt of the transit over its error with red noise: x p(x), fitted beside level, slope, the trapezoid p "
            "and its shift p'; positive when the second half is deeper",
            "sigma",
        ),
    ]
    duration_over_central: Annotated[
        float,
        About(
            "Duration at half depth over a central transit's for the star's density (Seager & Mallen-Ornelas 2003, ApJ "
            "585, 1038): sqrt(1 - b^2) on a circular orbit, above 1 for a blend or a larger star",
            "",
            0,
        ),
    ]
    density_circular_sun: Annotated[
        float,
        About(
            "Density of a star that this were a central transit of, circular orbit: 3 pi / (G P^2 sin^3(pi T / P))",
            "solar densities",
            0,
        ),
    ]


@dataclass(frozen=True)
class FoldedBins:
    """Bins of the folded curve that hold data: days from mid-transit, mean flux below the level, inverse variance."""

    x: Array
    y: Array
    weight: Array


def folded_bins(x: Array, deviation: Array, weight: Array, duration_days: float) -> FoldedBins:
    """Means of points near transit: `x` in days from mid-transit, `deviation` = level minus flux."""
    half = FITTED_DURATIONS * duration_days
    near = np.abs(x) < half
    x, w = x[near], weight[near]
    bins = np.minimum(((x + half) / (2 * half) * BINS).astype(np.int64), BINS - 1)
    mass = np.asarray(np.bincount(bins, w, BINS), dtype=np.float64)
    known = mass > 0
    middle, mean = (np.bincount(bins, w * v, BINS)[known] / mass[known] for v in (x, deviation[near]))
    return FoldedBins(middle, mean, mass[known])


def transit_shape(folded: FoldedBins, transit: Trapezoid, density_sun: float, inflation: float) -> TransitShape:
    """Shape of a signal; `inflation` is by how much red noise enlarges the error of its depth."""
    place, share = transit.ephemeris, transit.ingress_share
    wide = place.duration_days * (1 - share)
    ratio = math.sqrt(transit.depth) if transit.depth > 0 else NAN
    impact = math.sqrt(max(1 - ratio * (1 - share) / share, 0.0)) if share > 0 and ratio > 0 else NAN
    tilt, line = NAN, NAN
    u, v = NAN, NAN
    inside = np.abs(folded.x) < place.duration_days / 2
    if inside.sum() > LEAST_BINS / 2 and (~inside).sum() > LEAST_BINS / 2:
        u, v = (_best_gain(folded, place.duration_days, shares) for shares in (U_SHARES, (V_SHARE,)))
        line = _line_minus_trapezoid(folded, transit)
        tilt = _tilt(folded, transit) / inflation
    sine = math.sin(math.pi * min(wide / place.period_days, 0.5))
    density = (
        float(3 * math.pi / (G_CGS * (place.period_days * DAY_S) ** 2 * np.float64(sine) ** 3)) / SOLAR_DENSITY_CGS
    )
    known = density_sun > 0
    return TransitShape(
        shape_v=2 * share,
        u_over_v_chi2=u - v,
        impact_plus_ratio=impact + ratio,
        model_vs_line_aic=2 * (5 - 2) - line,
        asymmetry_sigma=tilt,
        duration_over_central=wide / central_duration_days(place.period_days, density_sun) if known else NAN,
        density_circular_sun=density,
    )


def _best_gain(folded: FoldedBins, duration_days: float, shares: tuple[float, ...]) -> float:
    """How much the best trapezoid of such ingress shares, its level and depth free, improves chi-square."""
    shapes = np.stack([profile(folded.x, duration_days * d, share) for share in shares for d in TRIED_DURATIONS])
    w, total = folded.weight, folded.weight.sum()
    centred = shapes - (shapes @ w / total)[:, None]
    size = centred**2 @ w
    sound = size > 1e-9 * total
    height = centred @ (w * folded.y)
    return float((height[sound] ** 2 / size[sound]).max()) if sound.any() else NAN


def _line_minus_trapezoid(folded: FoldedBins, transit: Trapezoid) -> float:
    """chi2 of a straight line minus chi2 of the fitted trapezoid, its level and depth free."""
    w, total = folded.weight, folded.weight.sum()
    shape = profile(folded.x, transit.ephemeris.duration_days, transit.ingress_share)
    gains = []
    for template in (shape, folded.x):
        centred = template - (w * template).sum() / total
        gains.append((w * centred * folded.y).sum() ** 2 / (w * centred**2).sum())
    return float(gains[0] - gains[1])


def _tilt(folded: FoldedBins, transit: Trapezoid) -> float:
    """Coefficient of x p(x) over its white-noise error; scatter beyond the errors enlarges them."""
    duration, share = transit.ephemeris.duration_days, transit.ingress_share
    x, root = folded.x, np.sqrt(folded.weight)
    step = 0.02 * duration
    shape, before, after = (profile(x + d, duration, share) for d in (0.0, -step, step))
    far = x / duration
    design = np.stack([np.ones_like(x), far, shape, (after - before) / 2, far * shape], axis=1) * root[:, None]
    found, _, rank, _ = np.linalg.lstsq(design, folded.y * root, rcond=None)
    if rank < design.shape[1] or x.size <= design.shape[1]:
        return NAN
    residual = folded.y * root - design @ found
    scatter = max(1.0, float(residual @ residual) / (x.size - design.shape[1]))
    variance = float(np.linalg.inv(design.T @ design)[-1, -1]) * scatter
    return float(found[-1] / np.sqrt(variance))
