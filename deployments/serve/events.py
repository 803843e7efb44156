"""The events vetter behind the endpoint: threshold-crossing events in the archive's columns, as `exo score` has them.

Belongs here: which vetter of events is pinned, loading it, what a request for one event may say, and its reply. Does
not belong here: HTTP (app.py), the model of signals (model.py), judging (exo_assets.scoring.event_files).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from deployments.serve.body import RefusedError
from deployments.serve.problems import LONGEST_SHOWN, InvalidRequestError, refuse_repeated
from exo_assets.events.columns import MEASURED
from exo_assets.events.vetter import EventVetter
from exo_assets.scoring.event_files import EVENT_ADDED, is_events, score_events_frame
from exo_assets.training.model_ref import ModelRef

MARK = b'"tce_'
"""Bytes that a JSON object of the archive's event columns has, and one of a signal's fields has not."""
MOST_COLUMNS = 500


@dataclass(frozen=True)
class EventPin:
    """The vetter of events: which, the folder of its files, and the file of the archive's events (None without)."""

    ref: ModelRef
    path: Path
    known: Path | None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> EventPin:
        """The pin in the part of a `user_config` that is about events; KeyError when it lacks something."""
        known = config.get("known")
        return cls(ModelRef.from_row(config["model"]), Path(config["path"]), Path(known) if known else None)

    def as_dict(self) -> dict[str, Any]:
        """What /healthz says of it: the model, and the version of the archive's events."""
        return {"model": self.ref.as_row(), "catalogue": self.known.stem if self.known else None}


@dataclass(frozen=True)
class LoadedEvents:
    """A verified vetter of events, and the archive's events that a row is completed from."""

    pin: EventPin
    vetter: EventVetter
    known: pl.DataFrame | None

    def judge(self, raw: pl.DataFrame) -> pl.DataFrame:
        """`raw` with the judgement beside its columns, as `exo score` gives it."""
        return score_events_frame(raw, self.vetter, self.known)

    def described(self) -> dict[str, Any]:
        """What /v1/model says of it."""
        catalogue = {
            "version": self.pin.as_dict()["catalogue"],
            "events": 0 if self.known is None else self.known.height,
        }
        facts = dict(self.vetter.facts)
        return {**self.pin.ref.as_row(), "model_version": self.vetter.version, "facts": facts, "catalogue": catalogue}


def event_schema() -> dict[str, Any]:
    """JSON schema of the request body of one event: the archive's columns, of which others are taken and ignored."""
    value = {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]}
    names = {"kepid": "KIC number of its star", "tce_plnt_num": "Its number among the events of the star"}
    measured = {c.raw: f"{c.description}{c.unit and f' [{c.unit}]'}" for c in MEASURED}
    return {
        "title": "Event",
        "description": "One threshold-crossing event of Kepler in the archive's columns; what is left out is unknown.",
        "type": "object",
        "properties": {name: {**value, "description": about} for name, about in (names | measured).items()},
        "required": [*names],
    }


def load_events(pin: EventPin) -> LoadedEvents:
    """The pinned vetter of events, its boosters parsed. ValueError when its files are not the pinned ones."""
    vetter = EventVetter.load(pin.path)
    if vetter.digest != pin.ref.digest:
        raise ValueError(f"the files have digest {vetter.digest[:12]}, not {pin.ref.digest[:12]}")
    loaded = LoadedEvents(pin, vetter, pl.read_parquet(pin.known) if pin.known else None)
    loaded.judge(pl.DataFrame({"kepid": ["1"], "tce_plnt_num": ["1"], "tce_period": ["10"], "tce_depth": ["500"]}))
    return loaded


def present(events: LoadedEvents | None) -> LoadedEvents:
    """`events`; RefusedError 503 when there are none."""
    if events is None:
        raise RefusedError(
            503,
            "there is no champion to judge events with",
            "`exo run` trains, judges, promotes and deploys one where a source has the archive's table of "
            "threshold-crossing events; signals are judged meanwhile",
        )
    return events


def parse_event(body: bytes) -> pl.DataFrame | None:
    """The one row of a JSON object in the archive's event columns, as text; None when `body` is not one.

    InvalidRequestError when a value is neither text, a finite number nor null.
    """
    if MARK not in body:
        return None
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        return None  # no JSON: who reads signals says where
    if not isinstance(values, dict) or not is_events(values):
        return None
    refuse_repeated(body)
    if len(values) > MOST_COLUMNS:
        remedy = "send the archive's columns of threshold-crossing events"
        raise InvalidRequestError(
            [{"field": "(body)", "problem": f"has more than {MOST_COLUMNS} fields", "remedy": remedy}]
        )
    wrong = [name for name, value in values.items() if not _allowed(value)]
    if wrong:
        remedy = "a finite number or text, as in the archive's table; leave it out (or null) when it is unknown"
        raise InvalidRequestError(
            [{"field": n[:LONGEST_SHOWN], "problem": "is no value of a table", "remedy": remedy} for n in wrong[:50]]
        )
    return pl.DataFrame({n: [None if v is None or v == "" else str(v)] for n, v in values.items()}).cast(pl.String)


def judge_event(raw: pl.DataFrame, events: LoadedEvents) -> dict[str, Any]:
    """The reply to one event. InvalidRequestError when it is not judged, with the reason that a table would tell."""
    try:
        said = events.judge(raw).select(EVENT_ADDED).row(0, named=True)
    except ValueError as error:
        raise InvalidRequestError(
            [{"field": "(body)", "problem": str(error), "remedy": "rename or remove it"}]
        ) from None
    if said["verdict"] is None:
        remedy = "give kepid, tce_plnt_num and measured columns of the archive's table (tce_period, tce_depth, ...)"
        raise InvalidRequestError([{"field": "(body)", "problem": said["problems"], "remedy": remedy}])
    return {**said, "model": events.pin.ref.as_row()}


def _allowed(value: Any) -> bool:
    if value is None or isinstance(value, str):
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
