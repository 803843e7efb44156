"""What the catalogue knows of its signals, read from the lake: for the command line, and as a file for the endpoint.

Belongs here: which tables are read, and the file. Does not belong here: what a row is completed from
(`exo_assets.scoring.known`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl

from exo_assets.events.contracts import CORE_EVENTS
from exo_assets.features.signal_contracts import FEAT_VIEW_INDEX
from exo_assets.scoring.known import KNOWN, NOTHING, READ_OF_DIAGNOSTICS, READ_OF_IDENTITY, READ_OF_SIGNALS, Known
from exo_resources.lake import Lake
from exo_resources.signal_views import SignalViews

IDENTITY = "core_planet_identity"
SIGNALS, DIAGNOSTICS, VIEWS = "core_signals", "feat_signal_diagnostics", FEAT_VIEW_INDEX.name
FILES_KEPT = 3
"""Files that stay beside the newest: one that an endpoint may still have, or go back to."""


class KnownSignals:
    """The catalogue of one lake. A table that is not there yet says nothing."""

    def __init__(self, lake: Lake) -> None:
        self._lake, self._views = lake, SignalViews(lake)

    def version(self) -> str:
        """A digest of all that is read: another version, and something may be known differently."""
        versions = [self._lake.version(table) for table in (SIGNALS, DIAGNOSTICS, VIEWS, IDENTITY)]
        parts = [*(version.digest if version else "absent" for version in versions), *KNOWN]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def read(self, about: pl.DataFrame | None = None) -> Known:
        """All that is known, with views; or only what is known of the stars and signals that `about` names.

        OutdatedTableError for a table that was written before it had the columns that are read: no others are asked
        for, so that a champion can be put back before the night after an upgrade.
        """
        signals = self._lake.stored(SIGNALS, READ_OF_SIGNALS)
        if signals is None:
            return NOTHING
        known = Known.of(
            signals,
            self._lake.stored(DIAGNOSTICS, READ_OF_DIAGNOSTICS),
            self._lake.stored(IDENTITY, READ_OF_IDENTITY),
        )
        if about is not None:
            known = known.about(about)
        index = self._lake.stored(VIEWS, FEAT_VIEW_INDEX.schema)
        return known if index is None else Known(self._views.beside(known.signals, index))

    def put(self, folder: Path) -> Path | None:
        """The file of this version in `folder`, written when it is not there; None before there is a catalogue."""
        if self._lake.version(SIGNALS) is None:
            return None
        return _put(folder, self.version(), lambda: self.read().signals)


def put_events(lake: Lake, folder: Path) -> Path | None:
    """The file of the archive's events as the lake has them now in `folder`; None when it has none."""
    version = lake.version(CORE_EVENTS.name)
    if version is None or not version.rows:
        return None
    return _put(folder, version.digest[:16], lambda: lake.read(CORE_EVENTS.name, CORE_EVENTS.schema))


def _put(folder: Path, version: str, read: Callable[[], pl.DataFrame]) -> Path:
    """The file of `version` in `folder`, written when it is not there; old ones go."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{version}.parquet"
    if not file.exists():
        temporary = file.with_suffix(f".{os.getpid()}.tmp")
        read().write_parquet(temporary)
        temporary.replace(file)
    file.touch()
    newest = sorted(folder.glob("*.parquet"), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in newest[1 + FILES_KEPT :]:
        old.unlink(missing_ok=True)
    return file
