"""Single transits against each other and against the noise: number, depth, significance, consistency.

Belongs here: what the depths of single transits tell of a signal. Does not belong here: how they are measured
(`lightcurves/transit_depths.py`, `event_series.py`), and the transit's shape (`transit_shape.py`).

Depths are those of the fitted shape, its height free in each transit. Noise is pink (Pont, Zucker & Queloz 2006, MNRAS
373, 231). A transit counts as observed when half of it is. LEO is LEO-Vetter (Kunimoto et al. 2025, arXiv 2509.10619),
whose limits are given where it has some.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from exo_assets.features.event_series import LEAST_COVER, EventSeries
from exo_assets.features.measured import About
from exo_assets.lightcurves.ephemeris import Ephemeris, phase_days, transit_number
from exo_assets.lightcurves.transit_depths import SingleDepths, average_depth, odd_even

Array = NDArray[np.float64]
NAN = float("nan")

CHASES_SHARE, CHASES_PERIODS, CHASES_DURATIONS = 0.7, 0.1, 1.5
"""An event with this share of a transit's significance counts, if it is within so many periods of the transit, and so
many durations away (LEO-Vetter)."""
BESIDE_DURATIONS = (1.5, 4.0)
"""How far beside the next transit a light curve that varies still resembles this one, durations."""


@dataclass(frozen=True)
class Coverage:
    """How much of the signal was observed, and how well."""

    n_transits_observed: Annotated[int, About("Transits of which at least half was observed", "", 0)]
    n_transits_expected: Annotated[int, About("Transits between the first and the last point", "", 0)]
    coverage: Annotated[float, About("Observed share of the time in expected transits", "", 0, 1)]
    edge_share: Annotated[float, About("Share of in-transit points within 0.5 d of the end of a stretch", "", 0, 1)]
    dump_share: Annotated[float, About("Share of in-transit points within 0.5 d of a momentum dump", "", 0, 1)]


@dataclass(frozen=True)
class TransitStatistics:
    """Significance and consistency of the transits."""

    snr_white: Annotated[float, About("Depth over its error if noise were white (MES)", "sigma")]
    snr_red: Annotated[
        float,
        About("Depth over sqrt(sigma_w^2 / n + sigma_r^2 / N_tr) (Pont et al. 2006; SPOC: 7.1, LEO: < 6.2)", "sigma"),
    ]
    red_noise_ppm: Annotated[
        float,
        About("sigma_r: scatter of depths out of transit beyond white noise, on the transit's timescale", "ppm", 0),
    ]
    white_noise_ppm: Annotated[float, About("White-noise error of a single transit's depth, median", "ppm", 0)]
    odd_even_sigma: Annotated[
        float,
        About("|d_odd - d_even| / sqrt(e_odd^2 + e_even^2), errors with red noise (LEO: > 3)", "sigma", 0),
    ]
    odd_depth_ppm: Annotated[float, About("Depth of odd transits (epoch is transit 0)", "ppm")]
    even_depth_ppm: Annotated[float, About("Depth of even transits", "ppm")]
    depth_mean_over_median: Annotated[float, About("DMM: mean over median depth of observed transits (LEO: > 1.5)")]
    depth_scatter_chi2: Annotated[
        float, About("sum((d_k - d)^2 / e_k^2) / (N - 1), errors with red noise: 1 for equal transits", "", 0)
    ]
    chi_sigma: Annotated[
        float,
        About(
            "CHI = MES / sqrt(chi2 / (N - 1)), chi2 = sum((SES_k - E_k)^2 / E_k), E_k = d / e_k, with red noise "
            "(Seader et al. 2013, ApJS 206, 25; LEO: < 7.8)"
        ),
    ]
    max_ses_over_mes: Annotated[
        float, About("Largest single-event over multiple-event statistic, with red noise (LEO: > 0.8)")
    ]
    chases: Annotated[
        float,
        About(
            "Mean over transits: distance to the nearest event, dip or bump, of 0.7 of their significance, in 0.1 P; 1 "
            "for none (Thompson et al. 2018, ApJS 235, 38; LEO: < 0.78)",
            "",
            0,
            1,
        ),
    ]
    autocorrelation: Annotated[
        float,
        About(
            "Correlation of the depths, in boxes, within a duration of each transit with those one period later, about "
            "the level: sum(a b) / sqrt(sum(a^2) sum(b^2)) (the idea of McQuillan et al. 2013, MNRAS 432, 1203)",
            "",
            -1,
            1,
        ),
    ]
    autocorrelation_beside: Annotated[
        float,
        About("The highest such sum(a b), over the same scale, with b 1.5 to 4 durations beside the next transit"),
    ]


def coverage(
    time: Array,
    cover_days: Array,
    place: Ephemeris,
    ends: tuple[float, float],
    near: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> tuple[Coverage, NDArray[np.int64]]:
    """Coverage of a signal, and the numbers of its observed transits.

    `cover_days`: the time that each point stands for. `ends`: first and last time of the curve. `near`: whether each
    point is near an edge, and near a momentum dump.
    """
    inside = np.abs(phase_days(time, place.period_days, place.t0)) < place.duration_days / 2
    low, high = ((end - place.t0) / place.period_days for end in ends)
    first, last = int(np.ceil(low)), int(np.floor(high))
    number = transit_number(time[inside], place.period_days, place.t0)
    start = int(number.min()) if number.size else 0
    covered = np.bincount(number - start, cover_days[inside])
    observed = np.flatnonzero(covered >= LEAST_COVER * place.duration_days) + start
    expected = max(last - first + 1, 0) + int(((observed < first) | (observed > last)).sum())
    whole = expected * place.duration_days
    return Coverage(
        n_transits_observed=int(observed.size),
        n_transits_expected=expected,
        coverage=min(float(covered.sum()) / whole, 1.0) if whole else NAN,
        edge_share=float(near[0][inside].mean()) if inside.any() else NAN,
        dump_share=float(near[1][inside].mean()) if inside.any() else NAN,
    ), observed


def transit_statistics(
    depths: SingleDepths, observed: NDArray[np.int64], series: EventSeries, place: Ephemeris
) -> TransitStatistics:
    """Statistics of a signal's transits: significances of all, consistency of the `observed` ones."""
    red = series.red_noise
    depth, white_err = average_depth(depths)
    red_err = average_depth(depths, red)[1]
    parity = odd_even(depths, red)
    some = depths.where(np.isin(depths.number, observed))
    n = some.number.size
    err = np.sqrt(1 / some.weight + red**2)
    ses, mes = some.depth / err, depth / red_err
    expected = depth / err
    scatter = ((some.depth - depth) ** 2 / err**2).sum() / (n - 1) if n > 1 else NAN
    chi2 = ((ses - expected) ** 2 / expected).sum() / (n - 1) if n > 1 and depth > 0 else NAN
    middle = float(np.median(some.depth)) if n else NAN
    same, beside = _autocorrelations(series, place)
    return TransitStatistics(
        snr_white=depth / white_err,
        snr_red=mes,
        red_noise_ppm=red * 1e6,
        white_noise_ppm=float(np.median(some.weight**-0.5)) * 1e6 if n else NAN,
        odd_even_sigma=parity.sigma,
        odd_depth_ppm=parity.odd_depth * 1e6,
        even_depth_ppm=parity.even_depth * 1e6,
        depth_mean_over_median=float(some.depth.mean()) / middle if n > 1 and middle > 0 else NAN,
        depth_scatter_chi2=float(scatter),
        chi_sigma=float(mes / np.sqrt(chi2)) if chi2 > 0 else NAN,
        max_ses_over_mes=float(ses.max()) / mes if n and mes > 0 else NAN,
        chases=_chases(series, some.number, ses, place),
        autocorrelation=same,
        autocorrelation_beside=beside,
    )


def _chases(series: EventSeries, number: NDArray[np.int64], ses: Array, place: Ephemeris) -> float:
    """Mean over transits of how far the nearest event of comparable significance is; nan where there is no room."""
    on = series.grid
    reach = CHASES_PERIODS * place.period_days
    away = np.abs(on.phase_days)
    columns = np.flatnonzero((away > CHASES_DURATIONS * place.duration_days) & (away < reach))
    row = np.searchsorted(on.number, number)
    found = (row < on.number.size) & np.isfinite(ses)
    found[found] &= on.number[row[found]] == number[found]
    if not columns.size or not found.any() or not np.isfinite(series.red_noise):
        return NAN
    row, at_least = row[found], CHASES_SHARE * ses[found]
    weight = series.weight[row[:, None], columns]
    known = weight > 0
    near = series.depth[row[:, None], columns] / np.sqrt(1 / np.where(known, weight, 1.0) + series.red_noise**2)
    rivals = known & (np.abs(np.where(known, near, 0.0)) > at_least[:, None])
    nearest = np.where(rivals, away[columns], reach).min(axis=1)
    return float((nearest / reach).mean())


def _autocorrelations(series: EventSeries, place: Ephemeris) -> tuple[float, float]:
    """Correlation of transits with what is one period later, and the highest with what is beside that."""
    on = series.grid
    half = max(int(place.duration_days / on.step_days), 1)
    pairs = np.flatnonzero(np.diff(on.number) == 1)
    low, high = (max(int(durations * place.duration_days / on.step_days), 1) for durations in BESIDE_DURATIONS)
    high = min(high, on.centre - half, on.columns - 1 - on.centre - half)
    if not pairs.size or on.centre < half or on.columns - 1 - on.centre < half:
        return NAN, NAN
    here = series.depth[pairs, on.centre - half : on.centre + half + 1]

    def at(lag: int) -> tuple[Array, Array]:
        there = series.depth[pairs + 1, on.centre - half + lag : on.centre + half + 1 + lag]
        both = np.isfinite(here) & np.isfinite(there)
        return here[both], there[both]

    a, b = at(0)
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    if not scale > 0:
        return NAN, NAN
    steps = range(low, high + 1, max(on.box // 2, 1))
    beside = [float((u * v).sum()) / scale for lag in steps for u, v in (at(lag), at(-lag)) if u.size]
    return float(np.clip((a * b).sum() / scale, -1, 1)), max(beside, default=NAN)
