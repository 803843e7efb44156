"""Putting a version of the index on the endpoint, and the one before back when it does not prove itself.

Belongs here: the order of steps and what counts as proof. Does not belong here: how the endpoint is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from exo_assets.corpus.library import Library
from exo_assets.serving.golden_searches import FUSION, GOLDEN_SEARCHES, LIMIT, expected_hits, wrong_hits

SHOWN = 5
Say = Callable[[str], None]
Golden = Sequence[tuple[str, str]]


class GoodLibrary(Protocol):
    """A version that proved itself."""

    @property
    def version(self) -> str:
        """Which version."""

    @property
    def settings(self) -> Path:
        """The file with the settings that it was deployed with."""


class LibraryEndpoint(Protocol):
    """The part of `exo_resources.library_client.LibraryClient` that a roll-out uses; its errors are RuntimeErrors."""

    def serves(self, version: str) -> bool:
        """Whether the library answers from this version, with the settings and the code at hand."""

    def deploy(self, version: str, *, settings: Path | None = None, progress: Say = ...) -> None:
        """Put a version on the endpoint and wait until it answers."""

    def search(self, query: str, limit: int, fusion: str) -> list[dict[str, Any]]:
        """The endpoint's hits."""

    def last_good(self) -> GoodLibrary | None:
        """The version to return to."""

    def mark_good(self, version: str) -> None:
        """Remember the version to return to."""

    def withdraw(self, *, progress: Say = ...) -> None:
        """Take the index off the endpoint."""


class LibraryRolloutError(RuntimeError):
    """A version did not prove itself on the endpoint; `restored` is the one that answers instead, if any."""

    def __init__(self, version: str, reason: str, restored: str | None, aftermath: str) -> None:
        super().__init__(f"the index {version} was not put on the endpoint: {reason}. {aftermath}")
        self.reason, self.restored = reason, restored


@dataclass(frozen=True)
class LibraryOutcome:
    """A version answers, and every golden search was right."""

    version: str
    changed: bool
    searches: int


def roll_out_library(
    endpoint: LibraryEndpoint,
    version: str,
    open_version: Callable[[str], Library],
    *,
    golden: Golden = GOLDEN_SEARCHES,
    say: Say = lambda _: None,
) -> LibraryOutcome:
    """Make the endpoint search in `version`; nothing is touched when it does already.

    When it is refused, or a golden search finds something else than the version itself does (`open_version` opens it),
    the last good version is put back and verified, and LibraryRolloutError is raised. Without one the library is left
    empty rather than wrong; the vetter is never touched.
    """
    library = open_version(version)
    if endpoint.serves(version):
        wrong = _wrong(endpoint, library, golden)
        if not wrong:
            endpoint.mark_good(version)
            return LibraryOutcome(version, changed=False, searches=len(golden))
        say(f"the endpoint finds something else although it has {version}: deploying it again ({wrong[0]})")
    before = endpoint.last_good()
    try:
        endpoint.deploy(version, progress=say)
        _prove(endpoint, library, golden)
    except RuntimeError as error:
        restored, aftermath = _put_back(endpoint, before, version, open_version, golden=golden, say=say)
        raise LibraryRolloutError(version, str(error), restored, aftermath) from error
    endpoint.mark_good(version)
    return LibraryOutcome(version, changed=True, searches=len(golden))


def _wrong(endpoint: LibraryEndpoint, library: Library, golden: Golden) -> list[str]:
    return [
        problem
        for question, document in golden
        for problem in wrong_hits(
            question, document, expected_hits(library, question), endpoint.search(question, LIMIT, FUSION)
        )
    ]


def _prove(endpoint: LibraryEndpoint, library: Library, golden: Golden) -> None:
    wrong = _wrong(endpoint, library, golden)
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise RuntimeError(f"golden searches differ: {'; '.join(wrong[:SHOWN])}{more}")


def _put_back(
    endpoint: LibraryEndpoint,
    before: GoodLibrary | None,
    failed: str,
    open_version: Callable[[str], Library],
    *,
    golden: Golden,
    say: Say,
) -> tuple[str | None, str]:
    """What answers now, and what was done about it in words."""
    if before is None or before.version == failed:
        endpoint.withdraw(progress=say)
        return None, "There is no other version that proved good: the endpoint has no index"
    say(f"putting the index {before.version} back")
    try:
        endpoint.deploy(before.version, settings=before.settings, progress=say)
        _prove(endpoint, open_version(before.version), golden)
    except (RuntimeError, LookupError, OSError, ValueError) as error:
        endpoint.withdraw(progress=say)
        return None, f"{before.version} could not be put back either ({error}): the endpoint has no index"
    return before.version, f"{before.version} was put back and answers"
