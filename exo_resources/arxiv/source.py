"""Which abstracts are used, and why.

Belongs here: the order of sources in each mode, and what an outage leads to. Does not belong here: harvesting
(`harvest.py`) and mirrors (`mirror.py`).

| EXO_ARCHIVE | asked, in order | when all of them fail |
| --- | --- | --- |
| auto | arXiv, then the mirror if one is set | the abstracts of last time, else none |
| live | arXiv | the abstracts of last time, else none |
| mirror | the mirror | the abstracts of last time, else none |
| snapshot | nothing: no abstracts ship with the package | |

A harvest adds to what is there, and takes away what arXiv withdrew. A harvest that fails on the way counts as far as it
came. A mirror is all there is (what it does not hold goes), unless it stands in for arXiv: then it only adds.

Days in the future are believed of nobody: one record with a wrong date must not end all later harvests, nor make old
abstracts look new.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from exo_assets.corpus.abstracts import newest_listed, news, of_categories, updated
from exo_assets.corpus.source_contracts import RAW_ARXIV__ABSTRACTS
from exo_resources.archive.errors import ArchiveError, ArchiveShrunkError, Attempt
from exo_resources.arxiv.harvest import Harvest, spans
from exo_resources.arxiv.mirror import ASKED, mirrored_abstracts
from exo_resources.arxiv.oai import OaiService
from exo_resources.lake import Lake
from exo_resources.settings import Settings

log = logging.getLogger("exo.arxiv")

AHEAD = timedelta(days=1)
"""How far arXiv's days may be ahead of ours: it lists new records in the evening, and clocks differ."""

SHIPS_NONE = "the package ships no abstracts; let Exo reach arXiv, or set EXO_ARCHIVE_MIRROR, to have some"


@dataclass(frozen=True)
class State:
    """What the table holds: arXiv's changes from `since` to `listed` in `categories`, as of `as_of` (ISO dates)."""

    source: str = "absent"
    as_of: str = ""
    since: str = ""
    listed: str = ""
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Abstracts:
    """The abstracts as they are to be used now.

    `source` is live, mirror, last_good, snapshot or absent; `frame` rows of `raw_arxiv__abstracts`; `attempts` what was
    asked before in vain, or broke off; `asked` what this run did (not kept with the table).
    """

    source: str
    frame: pl.DataFrame
    state: State
    attempts: tuple[Attempt, ...] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why the first source was not used, or not to its end; empty when it was."""
        return "; ".join(f"{a.source}: {a.error}: {a.message}" for a in self.attempts)

    @property
    def notes(self) -> dict[str, Any]:
        """What travels with the table in the lake. The same abstracts from the same source give the same notes."""
        kept = int((self.frame["status"] == "kept").sum())
        return {
            "source": self.source,
            "as_of": self.state.as_of,
            "since": self.state.since,
            "listed": self.state.listed,
            "categories": list(self.state.categories),
            "abstracts": kept,
            "rejected": self.frame.height - kept,
            "reason": self.reason,
            "remedy": "; or ".join(dict.fromkeys(a.remedy for a in self.attempts if a.remedy)),
            "refused": any(a.refused for a in self.attempts),
        }


class ArxivSource:
    """arXiv's abstracts under `settings`. `lake` has the table of last time; the settings' own when not given."""

    def __init__(self, settings: Settings, lake: Lake | None = None) -> None:
        self.settings = settings
        self.lake = lake or Lake(settings.lake)
        self.categories = tuple(sorted({c.strip() for c in settings.arxiv_categories.split(",") if c.strip()}))

    def fetch(self, today: date | None = None) -> Abstracts:
        """The abstracts that the mode allows. An outage is no error: what was there is used, `attempts` says why."""
        today = today or datetime.now(UTC).date()
        if self.settings.archive == "snapshot":
            return Abstracts("snapshot", RAW_ARXIV__ABSTRACTS.empty(), State(), (_ships_none(),))
        frame, state = self._before()
        state = _healed(state, frame, today)
        attempts = list[Attempt]()
        asked = {"auto": ("live", "mirror") if self.settings.archive_mirror else ("live",)}
        for source in asked.get(self.settings.archive, (self.settings.archive,)):
            try:
                if source == "live":
                    found = self._live(frame, state, today)
                else:
                    found = self._mirror(frame, state, today, stands_in=bool(attempts))
            except ArchiveError as error:
                log.warning("%s failed for arXiv's abstracts: %s", source, error)
                attempts.append(Attempt.failed(source, error))
            else:
                return replace(found, attempts=(*attempts, *found.attempts))
        if frame.height:
            log.warning("arXiv: using the %d abstracts of last time, as of %s", frame.height, state.as_of or "?")
            return Abstracts("last_good", of_categories(frame, self.categories), self._of(state), tuple(attempts))
        log.warning("arXiv: no source has abstracts; there are none")
        return Abstracts("absent", frame, State(), tuple(attempts))

    def _before(self) -> tuple[pl.DataFrame, State]:
        """The table of last time and what it holds; without rows when there is none, or it was of another form."""
        version = self.lake.version(RAW_ARXIV__ABSTRACTS.name)
        if version is None:
            return RAW_ARXIV__ABSTRACTS.empty(), State()
        frame = self.lake.read(RAW_ARXIV__ABSTRACTS.name)
        if frame.schema != RAW_ARXIV__ABSTRACTS.schema:
            log.warning("arXiv: the abstracts of last time are of an older form of the table and are not used")
            return RAW_ARXIV__ABSTRACTS.empty(), State()
        told = {name: str(version.notes.get(name, "")) for name in ("source", "as_of", "since", "listed")}
        return frame, State(**told, categories=tuple(version.notes.get("categories", ())))

    def _of(self, state: State) -> State:
        """What `state` says of the categories that are wanted now."""
        return replace(state, categories=tuple(c for c in self.categories if c in state.categories))

    def _live(self, frame: pl.DataFrame, state: State, today: date) -> Abstracts:
        """The table after a harvest; ArchiveError when not one span came."""
        s = self.settings
        harvested = bool(state.listed) and set(self.categories) <= set(state.categories)
        since, listed = (_day(state.since), _day(state.listed)) if harvested else (None, None)
        asked = spans(today - timedelta(days=s.arxiv_days), today, since, listed)
        parts, attempts, resumed = list[pl.DataFrame](), tuple[Attempt, ...](), 0
        try:
            with OaiService(s) as service:
                for changes in Harvest(self.lake, service, s.arxiv_url, self.categories).changes(asked):
                    parts.append(changes.news)
                    resumed += not changes.asked
                    since = min(since or changes.span.first, changes.span.first)
                    newest = newest_listed(changes.news, today + AHEAD)
                    listed = max(filter(None, (listed, newest)), default=None)
        except ArchiveError as error:
            if not parts:
                raise
            log.warning("arXiv: %d of %d spans came (%s)", len(parts), len(asked), error)
            problem = f"{len(parts)} of {len(asked)} spans came, then: {error.problem}"
            attempts = (Attempt("live", type(error).__name__, problem),)
        made = updated(of_categories(frame, self.categories), *parts)
        told = State(
            "live",
            as_of=min(listed, today).isoformat() if listed else "",
            since=since.isoformat() if since and listed else "",
            listed=listed.isoformat() if listed else "",
            categories=self.categories,
        )
        did = {
            "first_day": asked[0].first.isoformat(),
            "spans": len(asked),
            "spans_done": len(parts),
            "spans_resumed": resumed,
            "requests": service.requests,
            "records": sum(part.height for part in parts),
        }
        return Abstracts("live", made, told, attempts, did)

    def _mirror(self, frame: pl.DataFrame, state: State, today: date, *, stands_in: bool) -> Abstracts:
        """The mirror's abstracts; beside those of last time where it stands in for arXiv."""
        found = mirrored_abstracts(self.settings, self.categories, today)
        rows = news([found.listing], self.categories)
        as_of = found.as_of.isoformat() if found.as_of else ""
        did = {"files": list(found.files), "other_files": list(found.other), "records": rows.height}
        if stands_in:
            known = of_categories(frame, self.categories)
            rows = updated(rows, known.filter(_newer(known, rows)))
            kept = replace(self._of(state), source="mirror", as_of=max(as_of, state.as_of))
            return Abstracts("mirror", rows, kept, asked=did)
        self._refuse_shrunk(frame, state, rows)
        return Abstracts("mirror", updated(rows), State("mirror", as_of, categories=self.categories), asked=did)

    def _refuse_shrunk(self, frame: pl.DataFrame, state: State, rows: pl.DataFrame) -> None:
        """ArchiveShrunkError when the mirror lost more of its abstracts than the settings allow."""
        if state.source not in ("mirror", "last_good") or state.listed or set(state.categories) != set(self.categories):
            return
        lost = 1 - rows.height / frame.height if frame.height else 0.0
        if lost > self.settings.archive_shrink:
            raise ArchiveShrunkError(
                ASKED, f"the mirror holds {rows.height:,} abstracts, {lost:.0%} fewer than the {frame.height:,} in use"
            )


def _newer(known: pl.DataFrame, mirrored: pl.DataFrame) -> pl.Series:
    """Which known abstracts the mirror does not have in a later version."""
    beside = known.select("document_id", "updated").join(
        mirrored.select("document_id", _mirrored="updated"), on="document_id", how="left", maintain_order="left"
    )
    return beside.select((pl.col("_mirrored") <= pl.col("updated")).fill_null(True)).to_series()


def _healed(state: State, frame: pl.DataFrame, today: date) -> State:
    """`state` without days in the future.

    Harvests since such a day was believed asked for too little, nobody knows since when: all is asked for again.
    """
    listed, as_of = _day(state.listed), _day(state.as_of)
    if listed and listed > today + AHEAD:
        log.warning("arXiv: the last harvest is dated %s; its days are asked for again", listed)
        state = replace(state, since="", listed="")
    if as_of and as_of > today:
        newest = newest_listed(frame, today)
        state = replace(state, as_of=newest.isoformat() if newest else "")
    return state


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _ships_none() -> Attempt:
    return Attempt("snapshot", "ArchiveTableAbsentError", SHIPS_NONE)
