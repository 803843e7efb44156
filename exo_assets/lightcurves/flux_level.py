"""Whether a flux is one, checked alike in every reader.

Belongs here: fluxes that were never measured, whether a flux has a level to be divided by, magnitudes that are called
flux, and the form of one that came flat. Does not belong here: reading files, and finding trends (`detrend.py`).

Nothing is guessed of a flux that did not come flat: divided by a median that is zero but for noise, it would be noise.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.curve import LightCurve, as_flat, is_flat, usable
from exo_assets.lightcurves.detrend import robust_sigma
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
MAGNITUDES = (3.5, 22.0)
"""Medians of magnitudes. So few electrons per second scatter by more than `MAGNITUDE_SCATTER`: 22 of them in half an
hour have a photon noise of 0.5 %, and the background's beside it; one in two minutes 2 %."""
MAGNITUDE_SCATTER = 0.02


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
            f"has a flux that looks like magnitudes (median {np.nanmedian(curve.flux):.4g}, scatter "
            f"{robust_sigma(curve.flux[np.isfinite(curve.flux)]):.2g}): make them a flux, 10 ** (-0.4 * (m - "
            "median(m))); a flux that has this level is divided by its median",
        )
    return curve


def without_zeros(curve: LightCurve) -> LightCurve:
    """The curve with exact zeros missing, where the other fluxes are far from zero; how many is noted."""
    zero = curve.flux == 0
    others = curve.flux[usable(curve) & ~zero]
    if not zero.any() or others.size < LEAST_OTHERS:
        return curve
    level = float(np.median(others))
    if not abs(level) > ZERO_SIGMA * robust_sigma(others):
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
            "one to a relative flux, or import it with --flat if its trend was taken away already",
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
    return replace(curve, flux=curve.flux + (1.0 - about), flux_kind=as_flat(curve.flux_kind))


def of_magnitudes(magnitudes: Array) -> Array:
    """Relative flux of magnitudes, about one: 10^(-0.4 (m - median)) (Pogson 1856)."""
    return np.asarray(10 ** (-0.4 * (magnitudes - np.nanmedian(magnitudes))))


def _are_magnitudes(flux: Array) -> bool:
    if not flux.size:
        return False
    level = float(np.median(flux))
    return MAGNITUDES[0] <= level <= MAGNITUDES[1] and 0 < robust_sigma(flux) < MAGNITUDE_SCATTER * level
