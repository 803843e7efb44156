"""Files that a source has, and how those of MAST are asked for.

Belongs here: what listings and fetches pass to one another. Does not belong here: listing or fetching.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from exo_assets.lightcurves.mast_names import MastFile, preferred
from exo_resources.archive.errors import Asked, Attempt


@dataclass(frozen=True)
class Available:
    """A file that can be fetched.

    `source` is live, mirror, last_good (it lies in the lake) or snapshot (it ships). `fingerprint` changes when the
    file does, and is empty when the source says nothing of it; `size_bytes` is None then.
    """

    file: MastFile
    url: str
    fingerprint: str
    source: str
    size_bytes: int | None = None


@dataclass(frozen=True)
class Listing(Sequence[Available]):
    """The files of one mission that are to be had, the preferred one of each star and segment.

    `source` is where they are from, `attempts` the sources that were asked in vain before. `missed` says of stars that
    could not be asked for why; `ignored` counts files with names that are not the archive's. `passed_over` are files
    of photons that a preferred file has: they are not fetched.
    """

    source: str
    files: tuple[Available, ...]
    attempts: tuple[Attempt, ...] = ()
    missed: Mapping[str, str] = field(default_factory=dict)
    ignored: int = 0
    passed_over: tuple[Available, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Available: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Available, ...]: ...
    def __getitem__(self, index: int | slice) -> Available | tuple[Available, ...]:
        return self.files[index]

    def __len__(self) -> int:
        return len(self.files)


def asked(name: str) -> Asked:
    """What errors call a file or a list of MAST's."""
    return Asked(name, kind="light curve", url_setting="EXO_MAST_URL")


def chosen(files: Iterable[Available]) -> tuple[Available, ...]:
    """One of each name, the preferred ones, by name."""
    named = _named(files)
    return tuple(named[file.name] for file in preferred(one.file for one in named.values()))


def passed_over(files: Iterable[Available]) -> tuple[Available, ...]:
    """Those that `chosen` leaves out, by name."""
    named = _named(files)
    names = {one.file.name for one in chosen(named.values())}
    return tuple(one for name, one in named.items() if name not in names)


def _named(files: Iterable[Available]) -> dict[str, Available]:
    """One of each name, by name."""
    named = {one.file.name: one for one in sorted(files, key=lambda one: one.url, reverse=True)}
    return {name: named[name] for name in sorted(named)}
