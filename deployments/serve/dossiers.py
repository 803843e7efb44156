"""Dossiers by any name of their signal.

Belongs here: the table in memory, and which of its rows a name means. Does not belong here: how dossiers are made
(`exo_assets.corpus`), HTTP.
"""

from __future__ import annotations

import bisect
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from exo_assets.corpus.designators import designators, key

TABLE = "out_dossiers"
LOOKED_AT_EVERY_S = 15.0
"""A new night's dossiers are seen after this long."""
NEAREST = 5
LONGEST_NAME = 200


class Tables(Protocol):
    """The part of the lake that is read."""

    def version(self, table: str) -> Any:
        """Version of a table (`digest`), or None."""

    def read(self, table: str) -> pl.DataFrame:
        """Rows of a table."""


class NoDossiersError(RuntimeError):
    """There is no table of dossiers yet."""


class DossierUnknownError(LookupError):
    """No dossier is of that name; `nearest` are names of some that there are."""

    def __init__(self, name: str, nearest: list[str]) -> None:
        super().__init__(f"there is no dossier of {name[:LONGEST_NAME]!r}")
        self.nearest = nearest


@dataclass(frozen=True)
class _Rows:
    """The dossiers by signal, and every name that leads to one, sorted: its key, as it is written, the signal."""

    digest: str
    by_signal: dict[str, str]
    names: list[tuple[str, str, str]]
    keys: list[str]


class Dossiers:
    """The dossiers of one lake. Safe to share between threads."""

    def __init__(self, tables: Tables, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables, self._clock = tables, clock
        self._lock = threading.Lock()
        self._rows: _Rows | None = None
        self._looked = float("-inf")

    def find(self, name: str, aliases: pl.DataFrame) -> dict[str, Any]:
        """The dossier of the signal that `name` means, as it was written.

        `aliases` is the library's table of them. DossierUnknownError, NoDossiersError, or the lake's DamagedTableError.
        """
        rows = self._current(aliases)
        name = name.strip()
        whole = {d.key for d in designators(name) if (d.start, d.end) == (0, len(name))}
        wanted = whole | {key(name)}
        signals = {signal for alias in wanted for signal in _named(rows, alias)}
        if len(signals) != 1:
            raise DossierUnknownError(name, self._nearest(rows, name, signals))
        found: dict[str, Any] = json.loads(rows.by_signal[signals.pop()])
        return found

    def _nearest(self, rows: _Rows, name: str, signals: set[str]) -> list[str]:
        """Names of the star's signals, or those that begin most like `name`."""
        if signals:
            return sorted(signals)[: 2 * NEAREST]
        found = designators(name)
        wanted = (found[0].key if found else key(name))[:LONGEST_NAME]
        at = bisect.bisect_left(rows.keys, wanted)
        around = rows.names[max(0, at - 20) : at + 20]
        alike = sorted(around, key=lambda n: (-_begins_alike(n[0], wanted), n[0]))
        return list(dict.fromkeys(written for _, written, _ in alike))[:NEAREST]

    def _current(self, aliases: pl.DataFrame) -> _Rows:
        with self._lock:
            now = self._clock()
            if self._rows is None or now - self._looked > LOOKED_AT_EVERY_S:
                version = self._tables.version(TABLE)
                if version is None:
                    raise NoDossiersError("there are no dossiers yet")
                if self._rows is None or version.digest != self._rows.digest:
                    self._rows = _rows(version.digest, self._tables.read(TABLE), aliases)
                self._looked = now
            return self._rows


def _begins_alike(a: str, b: str) -> int:
    """How many characters both begin with."""
    return next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _named(rows: _Rows, alias: str) -> set[str]:
    first, last = bisect.bisect_left(rows.keys, alias), bisect.bisect_right(rows.keys, alias)
    return {signal for _, _, signal in rows.names[first:last]}


def _rows(digest: str, table: pl.DataFrame, aliases: pl.DataFrame) -> _Rows:
    by_signal = dict(table.select("signal_id", "dossier").iter_rows())
    names = {(key(signal), signal, signal) for signal in by_signal}
    known = aliases.filter(pl.col("signal_id").is_in(list(by_signal)))
    names |= set(known.select("alias_key", "alias", "signal_id").iter_rows())
    # The star's own names lead to its signals: to the dossier when there is one, else to the choice.
    stars = known.select("star_id", "signal_id").unique()
    of_star = aliases.filter(pl.col("signal_id").is_null()).select("alias_key", "alias", "star_id")
    names |= set(of_star.join(stars, on="star_id").select("alias_key", "alias", "signal_id").iter_rows())
    ordered = sorted(names)
    return _Rows(digest, by_signal, ordered, [name[0] for name in ordered])
