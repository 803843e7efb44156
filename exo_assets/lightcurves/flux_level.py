"""What the flux of a user's table is relative to.

Belongs here: whether a flux has a level to be divided by, and the form of one that came flat. Does not belong here:
reading tables (`table_file.py`), and finding trends (`detrend.py`).

Nothing is guessed of a flux that did not come flat: divided by a median that is zero but for noise, it would be noise.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from exo_assets.lightcurves.curve import LightCurve, as_flat
from exo_assets.lightcurves.detrend import robust_sigma
from exo_assets.lightcurves.fits_file import LightCurveFileError

LEVEL_OFF = 0.1
"""A flux that came flat has its median so near to one, or to zero."""
FLAT_SCATTER = 0.1
"""A relative flux scatters less (1.4826 MAD). One in parts per million or in electrons scatters more."""


def at_level(curve: LightCurve, name: str) -> LightCurve:
    """The curve, when its median is above its scatter (1.4826 MAD); LightCurveFileError for a flux about zero."""
    level, scatter = float(np.median(curve.flux)), robust_sigma(curve.flux)
    if not level > scatter:
        raise LightCurveFileError(
            name,
            "flux_level",
            f"has a flux about zero (median {level:.3g}, scatter {scatter:.3g}), with no level to be divided by: add "
            "one to a relative flux, or import it with --flat if its trend was taken away already",
        )
    return curve


def came_flat(curve: LightCurve, name: str) -> LightCurve:
    """The curve, about one, of a relative flux whose trend was taken away before: about one or about zero.

    To a median within 0.1 of zero one is added; within 0.1 of one it stays. Every other flux, and one that scatters by
    more than 0.1, is in other units: LightCurveFileError.
    """
    level, scatter = float(np.median(curve.flux)), robust_sigma(curve.flux)
    about = next((zero for zero in (0.0, 1.0) if abs(level - zero) <= LEVEL_OFF), None)
    if about is None or not scatter <= FLAT_SCATTER:
        raise LightCurveFileError(
            name,
            "flux_level",
            f"is said to be flat, and its flux (median {level:.3g}, scatter {scatter:.3g}) is not relative, about one "
            "or about zero: divide it by its level, or leave --flat out",
        )
    return replace(curve, flux=curve.flux + (1.0 - about), flux_kind=as_flat(curve.flux_kind))
