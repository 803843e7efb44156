"""Scoring of a table of threshold-crossing events: the archive's TCE columns in, the events vetter's judgement beside.

Belongs here: telling such a table, and its rows to events and back. Does not belong here: what an event's columns mean
(`events/core.py`), the vetter (`events/vetter.py`), tables of signals (`files.py`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import polars as pl

from exo_assets.catalogs.parsing import integer, unreadable
from exo_assets.events.columns import MEASURED
from exo_assets.events.core import core_events
from exo_assets.events.vetter import PROBABILITIES
from exo_assets.scoring.files import reasons_text
from exo_assets.text_csv import number

EVENT_ADDED = (
    *("event", *PROBABILITIES, "verdict", "prediction_set", "reasons"),
    *("completed_from", "model_version", "problems"),
)
"""Columns that scoring a table of events adds, in order."""

EVENTS = "DR25 TCE"
NAMELESS = "not scored: an event is named by its star and its number there (kepid, tce_plnt_num)"
NOTHING = "not scored: no measured quantity"
SAME_PERIOD = 1e-3
"""Relative difference of periods below which an event of this name is the archive's: it is completed from there."""
_JUDGED = (*PROBABILITIES, "verdict", "prediction_set", "reasons")
_TOLD = {
    "_row": pl.UInt32,
    **dict.fromkeys(PROBABILITIES, pl.Float64),
    **dict.fromkeys(("verdict", "prediction_set", "reasons", "completed_from"), pl.String),
}
_FIRST = ("period_days", "duration_hours", "depth_ppm", "mes", "model_snr", "radius_earth")


class EventJudge(Protocol):
    """The part of `exo_assets.events.vetter.EventVetter` that is used."""

    @property
    def version(self) -> str:
        """Name of the model version."""

    def judge(self, events: pl.DataFrame, *, every_reason: bool = False) -> pl.DataFrame:
        """Of each event its name, PROBABILITIES, verdict, prediction set and reasons."""


def is_events(columns: Collection[str]) -> bool:
    """Whether a table has the archive's columns of threshold-crossing events."""
    return "tce_period" in columns or {"tce_plnt_num", "tce_depth"} <= set(columns)


def score_events_frame(raw: pl.DataFrame, vetter: EventJudge, known: pl.DataFrame | None = None) -> pl.DataFrame:
    """`raw` (text columns of the archive's TCE tables) with EVENT_ADDED beside its own columns, rows in order.

    An event that `known` (rows of `core_events`) has, with the same period, is completed from there: it is judged
    as in `out_event_scores`, and its reasons are told whatever it is. A row that names no event, or of which
    nothing is measured, is told in `problems`, and so is a value that counts as unknown: text that is no number, a
    number below zero where there is none. ValueError when a column of `raw` has the name of one that is added.
    """
    taken = [name for name in EVENT_ADDED if name in raw.columns]
    if taken:
        raise ValueError(f"the input already has columns named {', '.join(map(repr, taken))}: rename or remove them")
    numbers = [integer(name, raw.columns).cast(pl.String) for name in ("kepid", "tce_plnt_num")]
    name = pl.format("{}-{}", numbers[0].str.zfill(9), numbers[1].str.zfill(2))
    rows = raw.with_columns(event=name).with_row_index("_row")
    rows = rows.with_columns(_time=pl.int_range(pl.len()).over("event"))
    # A repeated event is judged each time by itself: among others it would be its own companion.
    named = rows.filter(pl.col("event").is_not_null())
    times = named["_time"].unique().sort().to_list() or [0]
    told = pl.concat([_judged(named.filter(_time=time), vetter, known) for time in times])
    joined = rows.join(told, on="_row", how="left", maintain_order="left")
    nothing = pl.when(pl.col("verdict").is_null()).then(pl.lit(NOTHING))
    lacking = pl.when(pl.col("event").is_null()).then(pl.lit(NAMELESS)).otherwise(nothing)
    problems = pl.concat_str(lacking, *_wrong(raw.columns), separator="; ", ignore_nulls=True).replace("", None)
    scored = pl.when(pl.col("verdict").is_not_null()).then(pl.lit(vetter.version))
    return joined.with_columns(problems=problems, model_version=scored).select(*raw.columns, *EVENT_ADDED)


def _wrong(columns: list[str]) -> list[pl.Expr]:
    """What is said of fields that are no numbers, and of numbers below zero where the quantity has none, other than the
    -1 that the archive writes for what it could not fit."""
    no_number = unreadable([c.raw for c in MEASURED], ("kepid", "tce_plnt_num"), columns)
    below = [
        pl.when((number(c.raw, columns) < 0) & (number(c.raw, columns) != -1)).then(pl.lit(f"{c.raw} below 0"))
        for c in MEASURED
        if c.unknown == "not_positive" and c.group != "error" and c.raw in columns
    ]
    told = [pl.format("unreadable: {}", no_number)]
    if below:
        unknown = pl.concat_str(below, separator=", ", ignore_nulls=True)
        told.append(pl.when(unknown != "").then(pl.format("taken as unknown: {}", unknown)))
    return told


def _judged(rows: pl.DataFrame, vetter: EventJudge, known: pl.DataFrame | None) -> pl.DataFrame:
    """What is added to `rows`, each of another event, by `_row`."""
    none = pl.DataFrame()
    events = _completed(core_events(rows.drop("_row", "_time", "event"), none, none)[0], known)
    measured = events.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in _FIRST))
    if measured.is_empty():
        return pl.DataFrame(schema=_TOLD)
    said = vetter.judge(measured.drop("completed_from"), every_reason=True).select("event", *_JUDGED)
    told = said.with_columns(reasons_text()).join(measured.select("event", "completed_from"), on="event")
    return rows.select("_row", "event").join(told, on="event").drop("event")


def _completed(events: pl.DataFrame, known: pl.DataFrame | None) -> pl.DataFrame:
    """`events` with what the archive knows of them and they lack, and `completed_from`."""
    if known is None or known.is_empty():
        return events.with_columns(completed_from=pl.lit(None, pl.String))
    names = [c.name for c in MEASURED]
    places = ["ra_deg", "dec_deg"]
    here = known.join(events.select("event"), on="event", how="semi")
    beside = here.select("event", *(pl.col(name).alias(f"_{name}") for name in (*names, *places)))
    joined = events.join(beside, on="event", how="left", maintain_order="left")
    same = ((pl.col("period_days") / pl.col("_period_days") - 1).abs() < SAME_PERIOD).fill_null(False)
    joined = joined.with_columns(_same=same)
    fills = {
        name: pl.col("_same") & pl.col(name).is_null() & pl.col(f"_{name}").is_not_null() for name in (*names, *places)
    }
    filled = [pl.when(fill).then(f"_{name}").otherwise(name).alias(name) for name, fill in fills.items()]
    taken = pl.when(pl.any_horizontal(*fills.values())).then(pl.lit(EVENTS))
    return joined.with_columns(*filled, completed_from=taken).select(*events.columns, "completed_from")
