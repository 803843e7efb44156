"""Does the light's centre move when the star dims? Then something else than the star is eclipsed, or light of others
falls into its aperture.

Belongs here: centroids in and beside transit. Does not belong here: pixels and images.

In each transit the flux-weighted centroid is compared with that before and after it (Batalha et al. 2010, ApJ 713,
L103; Bryson et al. 2013, PASP 125, 889). The same comparison, at all other phases of a stretch of data (a quarter, a
sector), tells its scatter, red noise included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from exo_assets.features.event_series import LEAST_BOXES, LEAST_COVER, Grid
from exo_assets.features.measured import About
from exo_assets.lightcurves.detrend import robust_sigma
from exo_assets.lightcurves.trapezoid import Trapezoid

Array = NDArray[np.float64]
NAN = float("nan")
FLANK_DURATIONS = 0.6
"""The boxes before and after a transit begin so many durations from its middle."""


@dataclass(frozen=True)
class CentroidShift:
    """Shift of the light's centre in transit; nan without centroids, or with too few to know their scatter."""

    centroid_shift_pixels: Annotated[
        float, About("Length of the shift in transit, over stretches, less what scatter alone would give", "pixels", 0)
    ]
    centroid_shift_sigma: Annotated[
        float,
        About("sqrt(chi2 - nu), not below 0: chi2 of the shifts of nu / 2 stretches, against none", "sigma", 0),
    ]
    centroid_offset_pixels: Annotated[
        float,
        About("Distance of what dims from the centroid: shift (1 - depth) / depth (Bryson et al. 2013)", "pixels", 0),
    ]


def centroid_shift(
    on: Grid, transit: Trapezoid, centroid: tuple[Array, Array], cover_days: Array, run: NDArray[np.int64]
) -> CentroidShift:
    """Shift in transit: `centroid` is column and row of each point, pixels, `run` its stretch of data, from 0."""
    from exo_assets.features.event_kernels import beside_flanks

    known = np.isfinite(centroid[0]) & np.isfinite(centroid[1])
    flank = int(np.ceil(FLANK_DURATIONS * transit.ephemeris.duration_days / on.step_days + on.box / 2))
    if not known.any() or flank > on.centre or flank > on.columns - 1 - on.centre:
        return CentroidShift(NAN, NAN, NAN)
    held = cover_days[known]
    moved = [pixels[known] - np.median(pixels[known]) for pixels in centroid]
    sums = np.stack([on.boxes(v, known) for v in (held, held * moved[0], held * moved[1], held * run[known])])
    shifts, stretch = np.empty((2, *sums.shape[1:])), np.empty(sums.shape[1:], np.int64)
    beside_flanks(sums, flank, LEAST_COVER * on.box * on.step_days, shifts, stretch)
    in_transit, of_transit = shifts[:, :, on.centre], stretch[:, on.centre]
    clear = (FLANK_DURATIONS + 0.5) * transit.ephemeris.duration_days + on.box * on.step_days
    away = np.flatnonzero(np.abs(on.phase_days) > clear)[:: max(on.box // 2, 1)]
    beside, of_beside = shifts[:, :, away].reshape(2, -1), stretch[:, away].ravel()
    chi2, count, length, total = 0.0, 0, 0.0, 0.0
    for number in np.unique(of_transit[of_transit >= 0]):
        transits, others = of_transit == number, of_beside == number
        if others.sum() < 2 * LEAST_BOXES:
            continue
        mean = in_transit[:, transits].mean(axis=1)
        error = np.array([robust_sigma(one[others]) for one in beside]) / np.sqrt(transits.sum())
        if not (error > 0).all():
            continue
        chi2 += float((mean**2 / error**2).sum())
        weight = float(1 / (error**2).sum())
        length += weight * float((mean**2 - error**2).sum())
        total += weight
        count += 1
    if not count:
        return CentroidShift(NAN, NAN, NAN)
    pixels_moved = float(np.sqrt(max(length / total, 0.0)))
    share = (1 - transit.depth) / transit.depth if 0 < transit.depth < 1 else NAN
    return CentroidShift(pixels_moved, float(np.sqrt(max(chi2 - 2 * count, 0.0))), pixels_moved * share)
