"""How the light curves of the catalogue's stars come in: more every night, within a budget.

Belongs here: which stars are asked for tonight, and when the night has fetched enough. Does not belong here: which
stars come first (`exo_assets.features.curves_wanted`), or how a file is fetched (`fetch.py`).

A night that is killed has what it fetched, and the next one goes on: stars are taken a few at a time, each with all of
its files, and what was fetched on the same day counts in the budget.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime

import polars as pl

from exo_assets.features.curves_wanted import CurvesWanted, curves_wanted
from exo_assets.lightcurves.buckets import BUCKETS, bucket_of
from exo_assets.lightcurves.records import Record
from exo_resources.archive.errors import ArchiveError, Attempt
from exo_resources.mast.outcome import passed_record
from exo_resources.mast.source import LightCurveSource
from exo_resources.settings import Settings

LISTED, FETCHED = 16, 4
"""Stars that are asked for in one question, and those that are fetched between two looks at the budget."""
MOST_A_NIGHT = 64
"""Stars of a mission that a night of the profile `fast` asks for: all that is fetched is searched, too."""
GB = 1e9


def tonight() -> str:
    """The night that it is, an ISO date in UTC."""
    return datetime.now(UTC).date().isoformat()


def wanted_tonight(
    settings: Settings, signals: pl.DataFrame, mission: str, have: Collection[str], night: str
) -> tuple[CurvesWanted, tuple[str, ...]]:
    """How far a mission is, and the stars that MAST is asked for tonight (`night`: an ISO date), in their order.

    With EXO_LIGHT_CURVE_STARS the first so many of the catalogue; with EXO_PROFILE=full all; else MOST_A_NIGHT until
    diagnostics and views count. The order of those changes from night to night: a star that MAST has nothing of is not
    in the way of others.
    """
    if settings.light_curve_stars is not None:
        whole = curves_wanted(signals, mission, ())
        state = curves_wanted(signals, mission, have)
        return state, tuple(star for star in whole.without[: settings.light_curve_stars] if star not in have)
    state = curves_wanted(signals, mission, have, night)
    if settings.profile == "full":
        return state, state.without
    return state, () if state.enough else state.without[:MOST_A_NIGHT]


def spent_on(records: Iterable[Record], night: str) -> int:
    """Bytes that MAST gave on the day `night`."""
    return sum(
        record.size_bytes or 0 for record in records if record.source == "live" and record.retrieved_at[:10] == night
    )


class Growth:
    """More light curves of the catalogue's stars, in the `buckets` of a run; `spent` bytes were fetched tonight."""

    def __init__(self, source: LightCurveSource, buckets: Collection[str], night: str, spent: int) -> None:
        self.source, self.night, self.spent = source, night, spent
        self._buckets = frozenset(buckets)
        self.budget = source.settings.light_curve_gb_a_night * GB

    def records(
        self, signals: pl.DataFrame, have: Collection[str], log: logging.Logger, trouble: list[Attempt]
    ) -> Iterator[list[Record]]:
        """Records of stars that are new in the lake, all those of a star in one list. The missions take turns."""
        if self.source.settings.archive not in ("auto", "live"):
            return
        queues = {}
        for mission in BUCKETS:
            state, stars = wanted_tonight(self.source.settings, signals, mission, have, self.night)
            log.info("%s; %d stars are asked for tonight", state, len(stars))
            queues[mission] = iter(_groups([s for s in stars if bucket_of(s) in self._buckets], LISTED))
        while queues:
            for mission in list(queues):
                group = next(queues[mission], [])
                if not group or self.spent >= self.budget:
                    del queues[mission]
                    continue
                try:
                    yield from self._group(mission, group, trouble)
                except ArchiveError as error:
                    log.warning("%s: %s; no more stars are asked for tonight", mission, error)
                    trouble.append(Attempt.failed(mission, error))
                    del queues[mission]
        if self.spent >= self.budget:
            log.info("the night's %.3g GB of light curves are spent; the next night goes on", self.budget / GB)

    def _group(self, mission: str, stars: list[str], trouble: list[Attempt]) -> Iterator[list[Record]]:
        """The records of a few stars; those that come after the budget is spent are left to another night."""
        listing = self.source.available(mission, stars)
        trouble += listing.attempts
        if listing.source != "live":
            return
        for some in _groups(stars, FETCHED):
            if self.spent >= self.budget:
                return
            files = [one for one in listing if one.file.star_id in some]
            beside = [passed_record(one) for one in listing.passed_over if one.file.star_id in some]
            records = [*beside, *self.source.fetch(files, {})]
            self.spent += sum(record.size_bytes or 0 for record in records if record.source == "live")
            yield records


def _groups(stars: list[str], size: int) -> list[list[str]]:
    """The stars, so many at a time."""
    return [stars[at : at + size] for at in range(0, len(stars), size)]
