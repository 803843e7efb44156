"""Simulated light-curve files under the archive's names, small and whole."""

from __future__ import annotations

from functools import cache

from exo_assets.lightcurves.mast_names import QUARTERS, archive_path, parse_name
from tests.lightcurves.test_fits_file import a_file

STAMPS = {quarter: stamp for stamp, quarter in QUARTERS.items()}


def kepler_name(star: int, quarter: int) -> str:
    return f"kplr{star:09d}-{STAMPS[quarter]}_llc.fits"


@cache
def contents(name: str) -> bytes:
    """A whole file of the star that the name says."""
    file = parse_name(name)
    assert file is not None, name
    mission = {"kepler": "Kepler", "k2": "K2", "tess": "TESS"}[file.mission]
    return a_file(file.star_id, MISSION=mission, QUARTER=file.segment)


def at_archive(*names: str) -> dict[str, bytes]:
    """Whole files where the archive keeps them."""
    files = [parse_name(name) for name in names]
    return {archive_path(file): contents(file.name) for file in files if file is not None}
