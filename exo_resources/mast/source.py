"""Which source of light-curve files is used, and why.

Belongs here: the order of sources in each mode, and what an outage leads to. Does not belong here: listing (`live.py`,
`mirror.py`) and fetching (`fetch.py`).

| EXO_ARCHIVE | asked, in order | when all of them fail |
| --- | --- | --- |
| auto | MAST, for named stars; then the mirror if one is set | what the lake has, and what ships with the package |
| live | MAST, for named stars | what the lake has, else the error |
| mirror | the mirror | what the lake has; else nothing if the mirror lacks only mast/, else the error |
| snapshot | what ships with the package | |
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from exo_assets.lightcurves.mast_names import DIGITS, mission_of, parse_name
from exo_assets.lightcurves.records import Record
from exo_assets.lightcurves.sample.shipped import shipped_files
from exo_resources.archive.errors import ArchiveError, ArchiveSettingError, ArchiveTableAbsentError, Attempt
from exo_resources.archive.mirror import shown
from exo_resources.lake import Lake
from exo_resources.mast.fetch import Fetcher
from exo_resources.mast.files import Available, Listing, asked, chosen
from exo_resources.mast.live import LiveMast
from exo_resources.mast.mirror import MastMirror
from exo_resources.mast.outcome import RAW
from exo_resources.settings import Settings

log = logging.getLogger("exo.mast")

Ask = Callable[[str, Sequence[str] | None], Listing]


class LightCurveSource:
    """Light-curve files under `settings`; `lake` is where they are kept, the settings' own when not given."""

    def __init__(self, settings: Settings, lake: Lake | None = None) -> None:
        self.settings = settings
        self.lake = lake or Lake(settings.lake)

    def available(self, mission: str, stars: Sequence[str] | None) -> Listing:
        """The files of a mission ('kepler', 'k2', 'tess'), of these stars ('KIC 11442793'), or of all when None.

        MAST lists named stars only. Raises a named ArchiveError in the modes live and mirror when nothing can be
        listed at all, and ArchiveSettingError for a mission or star that is none.
        """
        _refuse_foreign(mission, stars)
        if self.settings.archive == "snapshot":
            return Listing("snapshot", chosen(shipped(mission, stars)))
        attempts: list[Attempt] = []
        failure: ArchiveError | None = None
        for source, ask in self._outside():
            try:
                listing = ask(mission, stars)
            except ArchiveError as error:
                log.warning("%s failed for the light curves of %s: %s", source, mission, error)
                attempts.append(Attempt.failed(source, error))
                failure = error
            else:
                if listing.missed:
                    beside = self.kept(mission, list(listing.missed))
                    listing = replace(listing, files=chosen([*listing.files, *beside]))
                return replace(listing, attempts=tuple(attempts))
        assert failure is not None
        found = self.kept(mission, stars)
        if self.settings.archive == "auto":
            found += shipped(mission, stars)
        elif not found and not isinstance(failure, ArchiveTableAbsentError):
            raise failure
        log.warning("%s: %d light curves of the lake and the package are what there is", mission, len(found))
        return Listing("last_good", chosen(found), tuple(attempts))

    def fetch(self, files: Sequence[Available], kept: Mapping[str, Record]) -> Iterator[Record]:
        """Files into the lake, a record of each as it is done, in any order.

        `kept` are the records of before by file name: a file that has not changed since and lies in the lake is not
        asked for again; its record comes back as it was. What fails at the source is a record, never
        an exception.
        """
        return Fetcher(self.settings, self.lake, lambda: MastMirror(self.settings).reader()).records(files, kept)

    def _outside(self) -> list[tuple[str, Ask]]:
        live: tuple[str, Ask] = ("live", self._live)
        mirror: tuple[str, Ask] = ("mirror", lambda mission, stars: MastMirror(self.settings).available(mission, stars))
        if self.settings.archive == "live":
            return [live]
        if self.settings.archive == "mirror":
            return [mirror]
        return [live, mirror] if self.settings.archive_mirror else [live]

    def _live(self, mission: str, stars: Sequence[str] | None) -> Listing:
        if stars is None:
            raise ArchiveSettingError(
                asked(f"list of {mission}"),
                "MAST can be asked for named stars only",
                remedy="name the stars, or set EXO_ARCHIVE_MIRROR and EXO_ARCHIVE=mirror",
            )
        return LiveMast(self.settings).available(mission, stars)

    def kept(self, mission: str, stars: Sequence[str] | None = None) -> list[Available]:
        """The archive's files that lie in the lake."""
        wanted = None if stars is None else set(stars)
        parsed = ((key, parse_name(key.rpartition("/")[2])) for key in self.lake.keys(f"{RAW}/{mission}"))
        return [
            Available(file, f"{shown(self.lake.root)}/{key}", "", "last_good")
            for key, file in parsed
            if file is not None and (wanted is None or file.star_id in wanted)
        ]


def shipped(mission: str, stars: Sequence[str] | None = None) -> list[Available]:
    """The files of a mission that ship with the package."""
    wanted = None if stars is None else set(stars)
    return [
        Available(one.file, one.origin, one.sha256, "snapshot", one.size_bytes)
        for one in shipped_files()
        if one.file.mission == mission and (wanted is None or one.file.star_id in wanted)
    ]


def _refuse_foreign(mission: str, stars: Sequence[str] | None) -> None:
    if mission not in DIGITS:
        raise ArchiveSettingError(asked(mission), f"no such mission; known are {sorted(DIGITS)}")
    for star in stars or ():
        try:
            catalogue = mission_of(star)
        except ValueError as error:
            raise ArchiveSettingError(asked(star), str(error)) from None
        if catalogue != mission:
            raise ArchiveSettingError(asked(star), f"it is no star of {mission}'s catalogue")
