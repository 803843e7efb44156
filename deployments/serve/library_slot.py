"""The library behind the endpoint: which version of the index is pinned, and how another takes its place.

Belongs here: what a pin says, opening and swapping. Does not belong here: HTTP, Ray, searching.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar


class LibraryRejectedError(RuntimeError):
    """A version of the index could not be opened, or `user_config` does not say which."""


@dataclass(frozen=True)
class LibraryPin:
    """What `user_config` says: the version of the index (None: there is none yet), the file with the settings that it
    is opened with, the deployment that asks."""

    version: str | None
    settings: Path | None
    deployment_id: str

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> LibraryPin:
        """The pin in a `user_config`; LibraryRejectedError naming what is missing."""
        try:
            version, settings = config["version"], config["settings"]
            return cls(version, Path(settings) if settings else None, str(config["deployment_id"]))
        except (KeyError, TypeError) as error:
            raise LibraryRejectedError(f"user_config lacks {error}") from error


class Opened(Protocol):
    """What a version is opened to."""

    @property
    def pin(self) -> LibraryPin:
        """Which version."""


O = TypeVar("O", bound=Opened)  # noqa: E741
Opener = Callable[[LibraryPin, "O | None"], O]
"""Opens a pinned version; it is given what is in use, whose parts it may share."""


class LibrarySlot(Generic[O]):
    """The version in use. It changes in one assignment, after the next one is open; a bad one changes nothing.

    Unlike the model's slot it may be empty: an endpoint without an index, or with one that cannot be read, judges
    signals all the same.
    """

    def __init__(self, opener: Opener[O]) -> None:
        self._opener = opener
        self._opened: O | None = None
        self._newest: LibraryPin | None = None
        self._rejected: str | None = None

    @property
    def opened(self) -> O | None:
        """The version in use; None when there is none."""
        return self._opened

    @property
    def refused(self) -> LibraryPin | None:
        """The newest pin, when it could not be opened."""
        return self._newest if self._rejected is not None else None

    def put(self, pin: LibraryPin) -> None:
        """Open `pin` and use it. One that cannot be opened leaves what is in use; one without a version empties the
        slot."""
        before = self._opened
        try:
            opened = None if pin.version is None else self._opener(pin, before)
        except Exception as error:
            self._newest, self._rejected = pin, f"{type(error).__name__}: {error}"
            return
        self._opened, self._newest, self._rejected = opened, pin, None

    def state(self) -> dict[str, Any]:
        """What is in use and what was refused, as /healthz tells it.

        `ok`; `none`: there is no index yet; `degraded`: the newest version was refused, the one before is in use;
        `failed`: it was refused and there is none before.
        """
        opened, refused = self._opened, self.refused
        status = ("degraded" if opened else "failed") if refused else ("ok" if opened else "none")
        return {
            "status": status,
            "version": opened.pin.version if opened else None,
            "settings": opened.pin.settings.name if opened and opened.pin.settings else None,
            "rejected": {"version": refused.version, "reason": self._rejected} if refused else None,
            "deployment_id": self._newest.deployment_id if self._newest else None,
        }
