"""Buckets of stars: what one partition of the light-curve tables holds.

Belongs here: which bucket a star is in. Does not belong here: which buckets there are at the moment (they are
registered when a source has light curves for them).
"""

from __future__ import annotations

import re

BUCKETS = {"kepler": 64, "k2": 16, "tess": 64}
"""Buckets of each mission: a hundred catalogued stars in one, three thousand when all of Kepler is processed."""
CATALOGUE_NAMES = {"kepler": "KIC", "k2": "EPIC", "tess": "TIC"}
"""How each mission's input catalogue is called in names of stars: 'KIC 11442793'."""
ID_COLUMNS = {"kepler": "kic_id", "k2": "epic_id", "tess": "tic_id"}
"""Column of the catalogue tables that holds the number of a star in each mission's input catalogue."""


def bucket_of(star_id: str) -> str:
    """Partition of a star, such as 'kepler-41' for 'KIC 11442793'; ValueError for other names."""
    found = re.fullmatch(r"(KIC|EPIC|TIC) (\d+)", star_id)
    if not found:
        raise ValueError(f"{star_id!r} is no star of Kepler, K2 or TESS; write KIC, EPIC or TIC and its number")
    mission = next(m for m, name in CATALOGUE_NAMES.items() if name == found[1])
    return f"{mission}-{int(found[2]) % BUCKETS[mission]:02d}"


def mission_of(bucket: str) -> str:
    """Mission of a partition."""
    return bucket.rpartition("-")[0]


def all_buckets(mission: str) -> list[str]:
    """Every bucket of a mission, in order."""
    return [f"{mission}-{number:02d}" for number in range(BUCKETS[mission])]
