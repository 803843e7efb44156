"""Files that a source has, and how those of MAST are asked for.

Belongs here: what listings and fetches pass to one another. Does not belong here: listing or fetching.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from exo_assets.lightcurves.mast_names import MastFile, preferred
from exo_resources.archive.errors import Asked
from exo_resources.archive.source import Attempt


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
    could not be asked for why; `ignored` counts files with names that are not the archive's.
    """

    source: str
    files: tuple[Available, ...]
    attempts: tuple[Attempt, ...] = ()
    missed: Mapping[str, str] = field(default_factory=dict)
    ignored: int = 0

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
    named = {one.file.name: one for one in sorted(files, key=lambda one: one.url, reverse=True)}
    return tuple(named[file.name] for file in preferred(named[name].file for name in sorted(named)))
