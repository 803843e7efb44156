"""Which stars' light curves are wanted, and in which buckets they are.

Belongs here: choosing stars before anything is fetched. Does not belong here: which files a star has (`source.py`).

A mirror, the shipped sample and users' own light curves are small and were put there on purpose: all of their stars are
taken, catalogued or not. Of MAST itself the stars that the catalogue names are asked for, more every night (growth.py).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from exo_assets.lightcurves.buckets import BUCKETS, bucket_of
from exo_assets.lightcurves.contracts import RAW_MAST__LIGHT_CURVES
from exo_assets.lightcurves.planning import star_names
from exo_resources.archive.errors import ArchiveError
from exo_resources.lake import Lake
from exo_resources.mast.files import Listing, chosen
from exo_resources.mast.growth import tonight, wanted_tonight
from exo_resources.mast.source import LightCurveSource, shipped
from exo_resources.star_tables import StarTables
from exo_resources.user_curves import user_stars

log = logging.getLogger("exo.mast")

FINISHED = ("kepler", "k2")
"""Missions that add no light curve to a star any more."""
CATALOGUE = "core_signals"
_TABLES = ("cumulative", "k2pandc", "toi")


def wanted(source: LightCurveSource, signals: pl.DataFrame, mission: str, have: Iterable[str] = ()) -> Listing:
    """The files of a mission that are wanted of the stars that it gave already (`have`) and that the catalogue names.
    Those of a finished mission are not asked for again: their files are those in the lake. Raises ArchiveError as
    `LightCurveSource.available`.
    """
    if source.settings.archive in ("auto", "live"):
        stars = sorted(set(have) & set(star_names(signals, mission)))
        known = stars if mission in FINISHED else []
        live = source.available(mission, [star for star in stars if star not in known])
        if live.source == "live":
            beside = source.kept(mission, known) + (shipped(mission) if source.settings.archive == "auto" else [])
            return replace(live, files=chosen([*live.files, *beside]))
    return source.available(mission, None)


def buckets_wanted(source: LightCurveSource, lake: Lake) -> list[str]:
    """Buckets that have light curves to be processed, sorted: of what the mirror and the package hold, of users' own,
    and of the catalogue's stars once its tables came from the live archive. An outage is no error here."""
    settings = source.settings
    stars = user_stars(lake)
    for mission in BUCKETS:
        try:
            held = source.kept(mission) if settings.archive == "live" else source.available(mission, None)
        except ArchiveError as error:
            log.warning("%s", error)
        else:
            stars |= {one.file.star_id for one in held}
    if settings.archive in ("auto", "live") and _is_live(lake):
        signals, have = lake.read(CATALOGUE), StarTables(lake).processed(RAW_MAST__LIGHT_CURVES.name)
        stars |= have
        for mission in BUCKETS:
            stars |= set(wanted_tonight(settings, signals, mission, have, tonight())[1])
    return sorted({bucket_of(star) for star in stars})


def _is_live(lake: Lake) -> bool:
    """Whether the catalogue was made of tables that the archive itself gave."""
    versions = [lake.version(f"raw_nea__{table}") for table in _TABLES]
    return lake.version(CATALOGUE) is not None and any(v and v.notes.get("source") == "live" for v in versions)
