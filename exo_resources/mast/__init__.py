"""Light-curve files of Kepler, K2 and TESS: from MAST, a mirror of it, or what ships with the package.

Belongs here: which files there are and their bytes, checked, into the lake. Does not belong here: what names mean
(`exo_assets.lightcurves.mast_names`), and what is in a file (`exo_assets.lightcurves.fits_file`).
"""

from __future__ import annotations

from exo_resources.mast.files import Available, Listing
from exo_resources.mast.source import LightCurveSource

__all__ = ["Available", "LightCurveSource", "Listing"]
