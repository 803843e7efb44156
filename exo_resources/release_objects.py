"""The live release's tables of objects, for questions about them.

Belongs here: reading them, and taking the next release's when it is published. Does not belong here: what they say
(`exo_assets/corpus/objects`), which release is live (`releases.py`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from exo_assets.corpus.objects.catalogue import Catalogue
from exo_assets.corpus.objects.tables import READ, Tables
from exo_assets.corpus.objects.told import Told
from exo_resources.releases import Release, ReleaseError, ReleaseStore
from exo_resources.settings import Settings

LOOKED_AT_EVERY_S = 15.0
"""A new release is seen after this long."""

_log = logging.getLogger(__name__)


class ReleaseObjects:
    """Objects of the release that is live. Safe to share between threads; nothing is read before the first question.

    Without a whole release there is nothing to tell: questions are answered from the corpus alone.
    """

    def __init__(self, releases: ReleaseStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._releases, self._clock = releases, clock
        self._lock = threading.Lock()
        self._catalogue: Catalogue | None = None
        self._looked = float("-inf")

    @property
    def version(self) -> str:
        """As `Objects.version`, by the release's manifest."""
        try:
            live = self._releases.current()
        except ReleaseError:
            return ""
        return live.id if live else ""

    def told(self, question: str) -> Told | None:
        """As `Objects.told`."""
        with self._lock:
            catalogue = self._newest()
        return catalogue.told(question) if catalogue else None

    def _newest(self) -> Catalogue | None:
        now = self._clock()
        if now - self._looked > LOOKED_AT_EVERY_S:
            try:
                live = self._releases.serving()
                if live is None:
                    self._catalogue = None
                elif self._catalogue is None or self._catalogue.tables.release != live.id:
                    self._catalogue = Catalogue(read(self._releases, live))
            except ReleaseError as broken:
                _log.warning("objects are not answered from the release: %s", broken)
                self._catalogue = None
            self._looked = now
        return self._catalogue


def release_objects(settings: Settings) -> ReleaseObjects:
    """The objects of an installation."""
    return ReleaseObjects(ReleaseStore(settings.releases, settings.releases_kept))


def read(releases: ReleaseStore, release: Release) -> Tables:
    """The tables of objects that `release` has. ReleaseError when it is not what was published."""
    import polars as pl

    archive: dict[str, Any] = release.manifest.info.get("archive", {})
    with closing(releases.open(release)) as connection:
        there = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        frames = {
            table: pl.DataFrame(connection.sql(f"SELECT {columns} FROM {table}").to_arrow_table())
            for table, columns in READ.items()
            if table in there
        }
    return Tables(
        release.id,
        release.manifest.created_at[:10],
        {name: str(about.get("as_of") or "")[:10] for name, about in archive.items()},
        frames,
    )
