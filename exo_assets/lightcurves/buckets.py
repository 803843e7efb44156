"""Buckets of stars: what one partition of the light-curve tables holds.

Belongs here: which bucket a star is in. Does not belong here: which buckets there are at the moment (they are
registered when a source has light curves for them).
"""

from __future__ import annotations

import polars as pl

from exo_assets.lightcurves.mast_names import mission_of

BUCKETS = {"kepler": 64, "k2": 16, "tess": 64}
"""Buckets of each mission: a hundred catalogued stars in one, three thousand when all of Kepler is processed."""


def bucket_of(star_id: str) -> str:
    """Partition of a star, such as 'kepler-41' for 'KIC 11442793'; ValueError for other names."""
    mission = mission_of(star_id)
    return f"{mission}-{int(star_id.partition(' ')[2]) % BUCKETS[mission]:02d}"


BUCKET = pl.col("star_id").map_elements(bucket_of, return_dtype=pl.String)
"""`bucket_of` of each row of a table."""


def parts(bucket: str) -> tuple[str, int]:
    """Mission and number of a bucket."""
    mission, _, number = bucket.rpartition("-")
    return mission, int(number)
