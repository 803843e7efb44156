"""Which stars' light curves are wanted, and in which buckets they are.

Belongs here: choosing stars before anything is fetched. Does not belong here: which files a star has (`source.py`).

A mirror, the shipped sample and users' own light curves are small and were put there on purpose: all of their stars are
taken, catalogued or not. Of MAST itself the stars that the catalogue names are asked for, a sample of them in the
profile `fast`.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from exo_assets.lightcurves.buckets import BUCKETS, bucket_of
from exo_assets.lightcurves.planning import star_names
from exo_resources.archive.errors import ArchiveError
from exo_resources.lake import Lake
from exo_resources.mast.files import Listing, chosen
from exo_resources.mast.source import LightCurveSource, shipped
from exo_resources.settings import Settings
from exo_resources.user_curves import user_stars

log = logging.getLogger("exo.mast")

SAMPLE_STARS = 24
"""Stars of each mission in the profile `fast`: a night that tries everything and takes minutes."""
FINISHED = ("kepler", "k2")
"""Missions that add no light curve to a star any more."""
CATALOGUE = "core_signals"
_TABLES = ("cumulative", "k2pandc", "toi")


def named_stars(settings: Settings, signals: pl.DataFrame, mission: str) -> list[str]:
    """Stars of the catalogue that MAST is asked for: all, or a sample that stays the same while the catalogue grows."""
    names = star_names(signals, mission)
    most = settings.light_curve_stars or (None if settings.profile == "full" else SAMPLE_STARS)
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())[:most]


def wanted(source: LightCurveSource, signals: pl.DataFrame, mission: str, have: Iterable[str] = ()) -> Listing:
    """The files of a mission that are wanted. Stars that a finished mission gave already (`have`) are not asked for
    again: their files are those in the lake. Raises ArchiveError as `LightCurveSource.available`.
    """
    if source.settings.archive in ("auto", "live"):
        stars = named_stars(source.settings, signals, mission)
        known = sorted(set(have) & set(stars)) if mission in FINISHED else []
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
        signals = lake.read(CATALOGUE)
        stars |= {star for mission in BUCKETS for star in named_stars(settings, signals, mission)}
    return sorted({bucket_of(star) for star in stars})


def _is_live(lake: Lake) -> bool:
    """Whether the catalogue was made of tables that the archive itself gave."""
    versions = [lake.version(f"raw_nea__{table}") for table in _TABLES]
    return lake.version(CATALOGUE) is not None and any(v and v.notes.get("source") == "live" for v in versions)
