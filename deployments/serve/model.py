"""The model behind the endpoint and what the catalogue knows: which are pinned, and how others take their place.

Belongs here: loading, verifying and swapping. Does not belong here: HTTP or Ray.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from deployments.serve.events import EventPin, LoadedEvents, load_events
from exo_assets.scoring.known import NOTHING, Known
from exo_assets.scoring.score import judge
from exo_assets.training.model_ref import ModelRef
from exo_assets.training.vetter import Vetter


class ModelRejectedError(RuntimeError):
    """A model could not be loaded or is not the one that was pinned."""


@dataclass(frozen=True)
class Pin:
    """What `user_config` says: the model, the folder of its files, the deployment that asks, facts to show, the file of
    what the catalogue knows (None before there is a catalogue), and the vetter of events (None before there is one)."""

    ref: ModelRef
    path: Path
    deployment_id: str
    details: Mapping[str, Any] = field(default_factory=dict)
    known: Path | None = None
    events: EventPin | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Pin:
        """The pin in a `user_config`; ModelRejectedError naming what is missing."""
        try:
            ref = ModelRef.from_row(config["model"])
            known = Path(config["known"]) if config.get("known") else None
            events = EventPin.of(config["events"]) if config.get("events") else None
            details = dict(config.get("details") or {})
            return cls(ref, Path(config["path"]), str(config["deployment_id"]), details, known, events)
        except (KeyError, TypeError) as error:
            raise ModelRejectedError(f"user_config lacks {error}") from error


@dataclass(frozen=True)
class Loaded:
    """A verified model, what the catalogue knows, the vetter of events, and their pin."""

    pin: Pin
    vetter: Vetter
    known: Known = NOTHING
    events: LoadedEvents | None = None

    def catalogue(self) -> dict[str, Any]:
        """What is known, for people: the version of it, and how many signals."""
        return {"version": self.pin.known.stem if self.pin.known else None, "signals": self.known.signals.height}


def load(pin: Pin, current: Loaded | None = None) -> Loaded:
    """What is pinned: models verified against their digests and warmed up, those that `current` has taken from there.
    ModelRejectedError when that fails."""
    same = current is not None and current.pin.ref == pin.ref and current.pin.path == pin.path
    vetter = current.vetter if current and same else _vetter(pin)
    return Loaded(pin, vetter, _known(pin), _events(pin, current.events if current else None))


def _vetter(pin: Pin) -> Vetter:
    """The pinned model of signals; ModelRejectedError when it cannot be used."""
    try:
        vetter = Vetter.load(pin.path)
        if vetter.digest != pin.ref.digest:
            raise ModelRejectedError(
                f"the files in {pin.path} have digest {vetter.digest[:12]}, not {pin.ref.digest[:12]} of {pin.ref}"
            )
        # The first score parses the boosters: it belongs to loading, and a model that cannot score is none.
        judge(pl.DataFrame({"mission": ["kepler"], "period_days": [10.0], "depth_ppm": [500.0]}), vetter)
    except ModelRejectedError:
        raise
    except Exception as error:
        raise ModelRejectedError(f"{pin.ref} at {pin.path} cannot be used: {type(error).__name__}: {error}") from error
    return vetter


def _known(pin: Pin) -> Known:
    """What the catalogue knows, read once; ModelRejectedError when the file cannot be read."""
    try:
        return Known.of_file(pl.read_parquet(pin.known)) if pin.known else NOTHING
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ModelRejectedError(f"what the catalogue knows cannot be read from {pin.known}: {error}") from error


def _events(pin: Pin, current: LoadedEvents | None) -> LoadedEvents | None:
    """The pinned vetter of events, `current` if it is that one; ModelRejectedError when it cannot be used."""
    if pin.events is None or (current is not None and current.pin == pin.events):
        return current if pin.events else None
    try:
        return load_events(pin.events)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise ModelRejectedError(f"{pin.events.ref} at {pin.events.path} cannot be used: {why}") from error


class ModelSlot:
    """The model in use. It changes in one assignment, after the next one is fully loaded; a bad one changes nothing."""

    def __init__(self) -> None:
        self._loaded: Loaded | None = None
        self._rejected: tuple[Pin, str] | None = None

    @property
    def loaded(self) -> Loaded:
        """The model in use; ModelRejectedError when there never was a usable one."""
        if self._loaded is None:
            raise ModelRejectedError("no model has been loaded")
        return self._loaded

    @property
    def rejected(self) -> tuple[Pin, str] | None:
        """The newest pin, when it was refused, and why."""
        return self._rejected

    @property
    def deployment_id(self) -> str:
        """The newest deployment that was dealt with, accepted or refused."""
        return self._rejected[0].deployment_id if self._rejected else self.loaded.pin.deployment_id

    def put(self, pin: Pin) -> None:
        """Load `pin` and use it. A refused one leaves the model in use; without any, ModelRejectedError is raised."""
        try:
            loaded = load(pin, self._loaded)
        except ModelRejectedError as error:
            if self._loaded is None:
                raise
            self._rejected = (pin, str(error))
            return
        self._loaded, self._rejected = loaded, None
