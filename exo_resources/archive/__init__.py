"""The NASA Exoplanet Archive: live, mirrored, or as last seen.

Belongs here: getting an archive table's bytes from the outside world, checked. Does not belong here: what the columns
mean (`exo_assets.archive.contracts`, `exo_assets.catalogs`).
"""

from __future__ import annotations

from exo_resources.archive.errors import ArchiveError, Attempt
from exo_resources.archive.source import ArchiveSource, Fetched

__all__ = ["ArchiveError", "ArchiveSource", "Attempt", "Fetched"]
