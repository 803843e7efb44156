"""Whether a flux is one, checked alike in every reader.

Belongs here: fluxes that were never measured, whether a flux has a level to be divided by, magnitudes that are called
flux, and the form of one that came flat. Does not belong here: reading files, and finding trends (`detrend.py`).

Nothing is guessed of a flux that did not come flat: divided by a median that is zero but for noise, it would be noise.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.curve import LightCurve, as_flat, is_flat, usable
from exo_assets.lightcurves.detrend import point_to_point_sigma, robust_sigma
from exo_assets.lightcurves.file_error import LightCurveFileError

Array = NDArray[np.float64]

LEVEL_OFF = 0.1
"""A flux that came flat has its median so near to one, or to zero."""
FLAT_SCATTER = 0.1
"""A relative flux scatters less (1.4826 MAD). One in parts per million or in electrons scatters more."""
LEAST_OTHERS = 30
"""Among fewer fluxes a zero tells nothing."""
ZERO_SIGMA = 10.0
"""An exact zero so many scatters below the level is no measurement: what wrote it had none."""
NEAR_ZERO = 0.5
"""Fluxes below this share of the level tell how often a value that was measured there is repeated."""
MAGNITUDES = (3.5, 30.0)
"""Medians of magnitudes. So few electrons per second scatter from one point to the next by more than
`MAGNITUDE_SCATTER`: 22 of them in half an hour have a photon noise of 0.5 %, and the background's beside it; one in two
minutes 2 %."""
MAGNITUDE_SCATTER = 0.02
MIN_STEPS = 3
RISE_SIGMA, RISE_POINTS, LEAST_RISES = 4.0, 3, 2
"""A flat flux of magnitudes has dips upwards: stretches of so many points so high, and none so low."""
LOPSIDED = 0.25
"""A flare's first half is higher than its second by more than this share of its height; a dip's halves are alike."""
_MAGNITUDE_NAME = re.compile(r"(.*_|[a-z]{0,6}?)(m?)mags?(_.*)?|(.*_)?(d|delta)?magnitudes?(_.*)?", re.IGNORECASE)
TO_FLUX = "make them a flux, 10 ** (-0.4 * (m - median(m)))"


def measured(curve: LightCurve, name: str, *, in_electrons: bool = False) -> LightCurve:
    """The curve, with fluxes that were never measured as missing (nan), when its flux has a level to be divided by.

    Of a curve that came flat, only its zeros are judged. `in_electrons`: the file says so, and it holds no magnitudes.
    LightCurveFileError otherwise.
    """
    curve = without_zeros(curve)
    if is_flat(curve.flux_kind):
        return curve
    curve = at_level(curve, name)
    if not in_electrons and _are_magnitudes(curve.flux[usable(curve)]):
        raise LightCurveFileError(
            name,
            "flux_level",
            f"has a flux that looks like magnitudes (median {np.nanmedian(curve.flux):.4g}, from point to point "
            f"{point_to_point_sigma(curve.flux[np.isfinite(curve.flux)]):.2g}): {TO_FLUX}; a flux that has this level "
            "is divided by its median",
        )
    return curve


def without_zeros(curve: LightCurve) -> LightCurve:
    """The curve with exact zeros missing, where the other fluxes have a level; how many is noted.

    Zeros are no measurements when they are `ZERO_SIGMA` scatters from the level, or when more of them are alike than
    of any value nearer to the level: noise about a level, counted or rounded, has fewer of each value towards zero.
    """
    zero = curve.flux == 0
    others = curve.flux[usable(curve) & ~zero]
    if not zero.any() or others.size < LEAST_OTHERS:
        return curve
    level, scatter = float(np.median(others)), robust_sigma(others)
    near = others[np.abs(others) < NEAR_ZERO * abs(level)]
    alike = int(np.unique(near, return_counts=True)[1].max()) if near.size else 0
    is_far = abs(level) > ZERO_SIGMA * scatter or int(zero.sum()) > alike
    if not (abs(level) > scatter and is_far):
        return curve
    said = f"{int(zero.sum()):,} fluxes of exactly 0 beside a level of {level:.4g} are missing, not measured"
    flux = np.where(zero, np.nan, curve.flux)
    return replace(curve, flux=flux, origin=curve.origin.noted(said))


def at_level(curve: LightCurve, name: str) -> LightCurve:
    """The curve, when its median is above its scatter (1.4826 MAD); LightCurveFileError for a flux about zero, or below
    it. Points that are not usable do not count, unless there are no others."""
    good = usable(curve)
    flux = curve.flux[good if good.any() else np.isfinite(curve.flux)]
    if not flux.size:
        return curve
    level, scatter = float(np.median(flux)), robust_sigma(flux)
    if not level > scatter:
        what = "a flux below zero" if level < -scatter else "a flux about zero"
        raise LightCurveFileError(
            name,
            "flux_level",
            f"has {what} (median {level:.3g}, scatter {scatter:.3g}), with no level to be divided by: add "
            "one to a relative flux, or read it with --flat if its trend was taken away already (of magnitudes "
            f"{TO_FLUX})",
        )
    return curve


def came_flat(curve: LightCurve, name: str) -> LightCurve:
    """The curve, about one, of a relative flux whose trend was taken away before: about one or about zero.

    To a median within 0.1 of zero one is added; within 0.1 of one it stays. Every other flux, and one that scatters by
    more than 0.1, is in other units: LightCurveFileError.
    """
    known = curve.flux[np.isfinite(curve.flux)]
    level, scatter = (float(np.median(known)), robust_sigma(known)) if known.size else (np.nan, np.nan)
    about = next((zero for zero in (0.0, 1.0) if abs(level - zero) <= LEVEL_OFF), None)
    if about is None or not scatter <= FLAT_SCATTER:
        raise LightCurveFileError(
            name,
            "flux_level",
            f"is said to be flat, and its flux (median {level:.3g}, scatter {scatter:.3g}) is not relative, about one "
            "or about zero: divide it by its level, or leave --flat out",
        )
    curve = replace(curve, flux=curve.flux + (1.0 - about), flux_kind=as_flat(curve.flux_kind))
    if not about and (rises := _rises(curve.flux[usable(curve)] - 1)):
        said = f"its flux rises {rises} times, evenly, and never falls so far: if it is a difference of magnitudes, "
        return replace(curve, origin=curve.origin.noted(said + TO_FLUX))
    return curve


def of_magnitudes(magnitudes: Array) -> Array:
    """Relative flux of magnitudes, about one: 10^(-0.4 (m - median)) (Pogson 1856)."""
    return np.asarray(10 ** (-0.4 * (magnitudes - np.nanmedian(magnitudes))))


def magnitudes_in(column: str, unit: str = "") -> float | None:
    """Magnitudes in one of a column's numbers, by its unit or its name ('mag', 'mag(AB)', 'delta_mag', 'Vmag', 'mmag');
    None of a column that holds none."""
    name, unit = column.strip(), unit.strip().lower()
    found = None if "flux" in name.lower() else _MAGNITUDE_NAME.fullmatch(name)
    if not (found or unit.startswith(("mag", "mmag"))):
        return None
    return 1e-3 if unit.startswith("mmag") or (found and found[2] and not unit) else 1.0


def _are_magnitudes(flux: Array) -> bool:
    if flux.size < MIN_STEPS:
        return False
    level = float(np.median(flux))
    is_steady = bool(np.ptp(flux) > 0) and point_to_point_sigma(flux) < MAGNITUDE_SCATTER * level
    return MAGNITUDES[0] <= level <= MAGNITUDES[1] and is_steady


def _rises(flux: Array) -> int:
    """How often a flux about zero rises as a dip falls, in even stretches; 0 where it falls as far as often."""
    high = RISE_SIGMA * robust_sigma(flux) if flux.size >= LEAST_OTHERS else 0.0

    def stretches(away: Array) -> list[Array]:
        is_away = away > high
        runs = np.split(away, np.flatnonzero(np.diff(is_away.astype(np.int8))) + 1)
        return [run for run in runs if run[0] > high and run.size >= RISE_POINTS]

    def is_even(run: Array) -> bool:
        half = run.size // 2
        return abs(float(run[:half].mean() - run[-half:].mean())) < LOPSIDED * float(run.max())

    rises = stretches(flux) if high > 0 else []
    even = sum(map(is_even, rises))
    return even if even >= LEAST_RISES and 2 * even > len(rises) and not stretches(-flux) else 0
