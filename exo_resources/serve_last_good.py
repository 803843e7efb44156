"""What the endpoint answered with last and proved good: what it returns to.

Belongs here: the model and the index that were marked good. Does not belong here: deploying them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from exo_assets.training.model_ref import ModelRef
from exo_resources.serve_cluster import ServeError, write_private

T = TypeVar("T")


@dataclass(frozen=True)
class Deployed:
    """A model and the folder of its files, as it was put on the endpoint, the file of what the catalogue knew, and
    beside a model of signals that of events (None before there is one)."""

    ref: ModelRef
    path: Path
    known: Path | None = None
    events: Deployed | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON values, folders and files in full."""
        return {
            "ref": self.ref.as_row(),
            "path": str(self.path.resolve()),
            "known": str(self.known.resolve()) if self.known else None,
            "events": self.events.as_dict() if self.events else None,
        }


@dataclass(frozen=True)
class DeployedLibrary:
    """A version of the index and the file with the settings that it is opened with."""

    version: str
    settings: Path


class LastGood:
    """What was marked good in one installation, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._model = folder / "last_good.json"
        self._library = folder / "last_good_library.json"

    def model(self) -> Deployed | None:
        """The last model that was marked good; ServeError when the file cannot be read."""
        return _stored(self._model, _deployed)

    def mark_model(self, good: Deployed) -> None:
        """Remember a model as the one to return to."""
        write_private(self._model, json.dumps(good.as_dict()))

    def library(self) -> DeployedLibrary | None:
        """The last version of the index that was marked good; ServeError when the file cannot be read."""
        return _stored(self._library, lambda found: DeployedLibrary(found["version"], Path(found["settings"])))

    def mark_library(self, good: DeployedLibrary) -> None:
        """Remember a version as the one to return to."""
        write_private(self._library, json.dumps({"version": good.version, "settings": str(good.settings)}))

    def forget_library(self) -> None:
        """There is no version to return to."""
        self._library.unlink(missing_ok=True)


def _deployed(found: dict[str, Any]) -> Deployed:
    known, events = found.get("known"), found.get("events")
    return Deployed(
        ModelRef(**found["ref"]),
        Path(found["path"]),
        Path(known) if known else None,
        _deployed(events) if events else None,
    )


def _stored(file: Path, read: Callable[[dict[str, Any]], T]) -> T | None:
    try:
        return read(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ServeError(f"{file} cannot be read ({error}); remove it and deploy again") from error
