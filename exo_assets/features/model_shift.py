"""The model-shift test: dips and bumps of the folded curve elsewhere than at the transit.

Belongs here: the strongest events over all phases, and how they compare. Does not belong here: the depths at each phase
(`event_series.py`).

As Rowe et al. (2015), Coughlin et al. (2016, ApJS 224, 12) and Thompson et al. (2018, ApJS 235, 38) define it: the
transit's shape is shifted over all phases; primary is the event at the transit, secondary the deepest at least two
durations from it, tertiary the deepest at least two durations from both, positive the highest at least three durations
from both. Exclusions and thresholds are those of LEO-Vetter (Kunimoto et al. 2025, arXiv 2509.10619). The shape here is
a box as wide as the transit at half depth. Significances are in white noise; F_red says by how much that is too little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from exo_assets.features.event_series import EventSeries
from exo_assets.features.measured import About
from exo_assets.lightcurves.ephemeris import Ephemeris

Array = NDArray[np.float64]
NAN = float("nan")

TRIED_SIGNALS = 20_000
"""Signals among which one false alarm is allowed (LEO-Vetter)."""
LEAST_WEIGHT = 0.25
"""Phases with less than this share of the median phase's data are not looked at."""


@dataclass(frozen=True)
class ModelShift:
    """Events of the folded curve; nan where the orbit is too short or too empty for one."""

    primary_sigma: Annotated[float, About("Depth of the primary event over its white-noise error", "sigma")]
    secondary_white_sigma: Annotated[float, About("Depth of the secondary event over its white-noise error", "sigma")]
    tertiary_sigma: Annotated[float, About("Depth of the tertiary event over its white-noise error", "sigma")]
    positive_sigma: Annotated[float, About("Height of the strongest bump over its white-noise error", "sigma")]
    fred: Annotated[
        float,
        About("F_red: scatter of depth over white-noise error, over all phases but primary and secondary", "", 0),
    ]
    fa1_sigma: Annotated[
        float, About("FA1 = sqrt(2) erfcinv((T / P) / 20000): one false alarm among all signals", "sigma")
    ]
    fa2_sigma: Annotated[float, About("FA2 = sqrt(2) erfcinv(T / P): one false alarm for this signal", "sigma")]
    modshift_1: Annotated[float, About("primary / F_red - FA1; low for a primary that red noise makes (LEO: < 0.2)")]
    modshift_2: Annotated[float, About("primary - tertiary - FA2; low for a primary that is not unique (LEO: < 0.8)")]
    modshift_3: Annotated[float, About("primary - positive - FA2; low where bumps are as strong (LEO: < 0.8)")]
    modshift_4: Annotated[float, About("secondary / F_red - FA1; above 0 for a significant secondary eclipse (LEO)")]
    modshift_5: Annotated[float, About("secondary - tertiary - FA2; above -1 for a secondary that is unique (LEO)")]
    modshift_6: Annotated[float, About("secondary - positive - FA2; above -1 for one stronger than any bump (LEO)")]
    secondary_sigma: Annotated[
        float, About("Secondary depth over its error with red noise (Pont et al. 2006)", "sigma")
    ]
    secondary_phase: Annotated[float, About("Phase of the secondary event after mid-transit, in periods", "", 0, 1)]
    secondary_depth_ppm: Annotated[float, About("Mean depth of the secondary event in its box", "ppm")]
    half_phase_sigma: Annotated[
        float, About("Depth at phase 0.5, where circular orbits are eclipsed, over its error with red noise", "sigma")
    ]
    half_phase_depth_ppm: Annotated[float, About("Mean depth at phase 0.5", "ppm")]
    shp: Annotated[
        float,
        About("SHP = Fmax / (Fmax - Fmin) of the shifted model's amplitude: 0 dip, 0.5 sinusoid, 1 bump (LEO: > 0.6)"),
    ]


def model_shift(series: EventSeries, place: Ephemeris) -> ModelShift:
    """The events of a signal's series and what is made of them."""
    from scipy.special import erfcinv

    on, period, duration = series.grid, place.period_days, place.duration_days
    weight = series.weight.sum(axis=0)
    filled = weight > LEAST_WEIGHT * np.median(weight[weight > 0]) if (weight > 0).any() else np.zeros(0, bool)
    fa1, fa2 = (float(np.sqrt(2) * erfcinv(duration / period / tries)) for tries in (TRIED_SIGNALS, 1))
    depth = np.full(on.columns, np.nan)
    red = np.full(on.columns, np.nan)
    if filled.any():
        depth[filled] = np.nansum(series.depth * series.weight, axis=0)[filled] / weight[filled]
        pink = 1 / weight[filled] + series.red_noise**2 * (series.weight**2).sum(axis=0)[filled] / weight[filled] ** 2
        red[filled] = np.sqrt(pink)
    sigma = depth * np.sqrt(weight)

    def apart(column: int, durations: float) -> NDArray[np.bool_]:
        away = np.abs(np.arange(on.columns) - column) * on.step_days
        return np.minimum(away, period - away) >= durations * duration

    primary = _top(sigma, ~apart(on.centre, 0.5))
    beyond = apart(on.centre, 2)
    secondary = _top(sigma, beyond)
    quiet = beyond & apart(secondary, 1) & np.isfinite(sigma) if secondary >= 0 else np.zeros(0, bool)
    scatter = float(sigma[quiet].std()) if quiet.sum() > 2 * on.box else NAN
    fred = scatter if scatter > 0 else NAN
    tertiary = _top(sigma, beyond & apart(secondary, 2)) if secondary >= 0 else -1
    positive = _top(-sigma, apart(on.centre, 3) & apart(secondary, 3)) if secondary >= 0 else -1
    pri, sec, ter = (float(sigma[k]) if k >= 0 else NAN for k in (primary, secondary, tertiary))
    pos = float(-sigma[positive]) if positive >= 0 else NAN
    half = (on.centre + int(np.rint(on.columns / 2))) % on.columns
    lowest, highest = (float(-f(depth[filled])) if filled.any() else NAN for f in (np.max, np.min))
    return ModelShift(
        primary_sigma=pri,
        secondary_white_sigma=sec,
        tertiary_sigma=ter,
        positive_sigma=pos,
        fred=fred,
        fa1_sigma=fa1,
        fa2_sigma=fa2,
        modshift_1=pri / fred - fa1,
        modshift_2=pri - ter - fa2,
        modshift_3=pri - pos - fa2,
        modshift_4=sec / fred - fa1,
        modshift_5=sec - ter - fa2,
        modshift_6=sec - pos - fa2,
        secondary_sigma=float(depth[secondary] / red[secondary]) if secondary >= 0 else NAN,
        secondary_phase=(secondary - on.centre) % on.columns / on.columns if secondary >= 0 else NAN,
        secondary_depth_ppm=float(depth[secondary]) * 1e6 if secondary >= 0 else NAN,
        half_phase_sigma=float(depth[half] / red[half]),
        half_phase_depth_ppm=float(depth[half]) * 1e6,
        shp=highest / (highest - lowest) if highest > lowest else NAN,
    )


def _top(sigma: Array, chosen: NDArray[np.bool_]) -> int:
    """The column of the strongest event among those chosen; -1 when none of them is known."""
    ranked = np.where(chosen & np.isfinite(sigma), sigma, -np.inf)
    best = int(ranked.argmax())
    return best if np.isfinite(ranked[best]) else -1
