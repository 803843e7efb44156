"""Limb darkening of injected transits: two coefficients of the quadratic law from a star's temperature.

Belongs here: the table and reading between its lines. Does not belong here: transits (`injection.py`).

Coefficients for main-sequence stars (log g 4.5, solar metallicity, PHOENIX models): Kepler's band from Claret,
Hauschildt & Witte (2012, A&A 546, A14; 2013, A&A 552, A16), TESS's from Claret (2017, A&A 600, A30). A giant's differ
by a few hundredths, which changes an injected depth by about one percent.
"""

from __future__ import annotations

import numpy as np

SUN_TEFF_K = 5772.0
"""Nominal effective temperature of the Sun (IAU 2015 resolution B3)."""
_KEPLER = (
    (3000.0, 0.7073, 0.2311),
    (3500.0, 0.4154, 0.3159),
    (4000.0, 0.5068, 0.2043),
    (4500.0, 0.7010, 0.0462),
    (5000.0, 0.6147, 0.1061),
    (5500.0, 0.5226, 0.1650),
    (6000.0, 0.4703, 0.1893),
    (6500.0, 0.3814, 0.2385),
    (7000.0, 0.3765, 0.2538),
    (8000.0, 0.2475, 0.3559),
    (10000.0, 0.2481, 0.2739),
)
_TESS = (
    (3000.0, 0.1693, 0.5023),
    (3500.0, 0.1959, 0.4178),
    (4000.0, 0.3390, 0.2994),
    (4500.0, 0.5037, 0.1581),
    (4800.0, 0.4642, 0.1807),
    (5100.0, 0.4244, 0.1961),
    (5500.0, 0.3862, 0.2061),
    (6000.0, 0.3345, 0.2282),
    (6500.0, 0.3079, 0.2295),
    (7000.0, 0.2847, 0.2310),
    (8000.0, 0.2331, 0.2353),
    (10000.0, 0.1602, 0.2331),
)
TABLES = {"kepler": _KEPLER, "k2": _KEPLER, "tess": _TESS}
"""By mission: effective temperature (K), u1, u2 of I(mu) = 1 - u1 (1 - mu) - u2 (1 - mu)^2."""


def quadratic(teff_k: float, mission: str) -> tuple[float, float]:
    """The coefficients u1 and u2 at a temperature, between the lines of the table, and those of its ends beyond it.

    ValueError for a mission without a table or a temperature that is none.
    """
    if mission not in TABLES:
        raise ValueError(f"no limb darkening is known for the mission {mission!r}; known are {', '.join(TABLES)}")
    if not (np.isfinite(teff_k) and teff_k > 0):
        raise ValueError(f"a temperature of {teff_k} K is none")
    teff, u1, u2 = np.array(TABLES[mission]).T
    return float(np.interp(teff_k, teff, u1)), float(np.interp(teff_k, teff, u2))
