"""Dossiers by any name of their signal.

Belongs here: the table in memory, and the reply that a name gets. Does not belong here: how dossiers are made, or which
signals a name means (`exo_assets.corpus`), HTTP.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from exo_assets.corpus.dossier_contracts import OUT_DOSSIERS
from exo_assets.corpus.dossier_lookup import LONGEST_NAME, find, near

TABLE = OUT_DOSSIERS.name
LOOKED_AT_EVERY_S = 15.0
"""A new night's dossiers are seen after this long."""
TOLD = ("signal_id", "rank", "ranked_in", "corpus_version", "model_version", "made_at")
"""Columns that are told beside the dossier."""


class Tables(Protocol):
    """The part of the lake that is read."""

    def version(self, table: str) -> Any:
        """Version of a table (`digest`), or None."""

    def read(self, table: str) -> pl.DataFrame:
        """Rows of a table."""


class NoDossiersError(RuntimeError):
    """There are no dossiers yet, or this one could not be made."""


class DossierUnknownError(LookupError):
    """A name means no dossier, or several; `nearest` are names of some that there are."""

    def __init__(self, problem: str, nearest: list[str]) -> None:
        super().__init__(problem)
        self.nearest = nearest


@dataclass(frozen=True)
class _Table:
    digest: str
    rows: pl.DataFrame
    row_of: dict[str, int]


class Dossiers:
    """The dossiers of one lake. Safe to share between threads."""

    def __init__(self, tables: Tables, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables, self._clock = tables, clock
        self._lock = threading.Lock()
        self._table: _Table | None = None
        self._looked = float("-inf")

    def find(self, name: str, aliases: pl.DataFrame) -> dict[str, Any]:
        """The dossier of the signal that `name` means, with its rank and versions; of a star's, when it has just one.

        `aliases` is the library's table of them. DossierUnknownError, NoDossiersError, or the lake's DamagedTableError.
        """
        table, name = self._current(), name[:LONGEST_NAME]
        if name in table.row_of:
            return _shown(table, name)
        meant = find(name, aliases, table.row_of)
        if len(meant.signals) > 1:
            raise DossierUnknownError(f"{name!r} has {len(meant.signals)} candidates", list(meant.signals))
        if meant.signals:
            return _shown(table, meant.signals[0])
        if meant.others:
            raise DossierUnknownError(f"there is no dossier of {', '.join(meant.others[:5])}: no ranked candidate", [])
        raise DossierUnknownError(
            f"{name!r} is no name of a signal, planet or star of the catalogue", near(name, aliases, table.row_of)
        )

    def _current(self) -> _Table:
        with self._lock:
            now = self._clock()
            if self._table is None or now - self._looked > LOOKED_AT_EVERY_S:
                version = self._tables.version(TABLE)
                if version is None:
                    raise NoDossiersError("there are no dossiers yet")
                if self._table is None or version.digest != self._table.digest:
                    rows = self._tables.read(TABLE).select(*TOLD, "dossier", "reason")
                    row_of = {signal: row for row, signal in enumerate(rows["signal_id"])}
                    self._table = _Table(version.digest, rows, row_of)
                self._looked = now
            return self._table


def _shown(table: _Table, signal: str) -> dict[str, Any]:
    row = table.rows.row(table.row_of[signal], named=True)
    if row["dossier"] is None:
        raise NoDossiersError(f"the dossier of {signal} could not be made: {row['reason']}")
    return {**{name: row[name] for name in TOLD}, "dossier": json.loads(row["dossier"])}
