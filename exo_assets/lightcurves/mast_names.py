"""The archive's own names of light-curve files: Kepler long cadence, K2, and TESS at two minutes and 20 seconds.

Belongs here: what a file's name says, where the file lies in the archive, and which of several files of one stretch is
used. Does not belong here: what is in a file (`fits_file.py`), and getting it (`exo_resources.mast`).

Names and folders are those of the Kepler Archive Manual (section 2.1), the K2 Handbook (section 4) and the TESS Science
Data Products Description (section 2), below https://archive.stsci.edu.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

CATALOGUES = {"KIC": "kepler", "EPIC": "k2", "TIC": "tess"}
"""Star catalogues, and the mission that each was made for."""
DIGITS = {"kepler": 9, "k2": 9, "tess": 16}
"""Digits of a star's number in file names."""
LONG_CADENCE_S, SHORT_CADENCE_S, FAST_CADENCE_S = 1800, 120, 20
"""Kepler and K2 long cadence (29.4 minutes in truth); TESS two minutes; TESS 20 seconds."""
QUARTERS = {
    "2009131105131": 0,
    "2009166043257": 1,
    "2009259160929": 2,
    "2009350155506": 3,
    "2010009091648": 4,  # stars on module 3, which failed within the quarter
    "2010078095331": 4,
    "2010174085026": 5,
    "2010265121752": 6,
    "2010355172524": 7,
    "2011073133259": 8,
    "2011177032512": 9,
    "2011271113734": 10,
    "2012004120508": 11,
    "2012088054726": 12,
    "2012179063303": 13,
    "2012277125453": 14,
    "2013011073258": 15,
    "2013098041711": 16,
    "2013131215648": 17,
}
"""Quarter by the time stamp in the names of Kepler's long-cadence files."""
SPLIT_CAMPAIGNS = {9: (91, 92), 10: (101, 102), 11: (111, 112)}
"""Campaigns that K2 filed in two parts. Of the others there are 0 to 8 and 12 to 19."""
CAMPAIGNS = frozenset((*range(20), *(part for parts in SPLIT_CAMPAIGNS.values() for part in parts)))

_KEPLER = re.compile(r"kplr(?P<star>[0-9]{9})-(?P<stamp>[0-9]{13})_llc\.fits")
_K2 = re.compile(r"ktwo(?P<star>[0-9]{9})-c(?P<campaign>[0-9]{2,3})_llc\.fits")
_TESS = re.compile(
    r"tess[0-9]{13}-s(?P<sector>[0-9]{4})-(?P<star>[0-9]{16})-[0-9]{4}-(?:[xsab]_(?P<two_minutes>lc)|[xsab]_(?P<fast>fast-lc))\.fits"
)
_STAR = re.compile(r"(?<![A-Za-z])(KIC|EPIC|TIC)[ _-]*0*(\d{1,16})(?!\d)", re.IGNORECASE)


@dataclass(frozen=True)
class MastFile:
    """A light-curve file: `star_id` as the catalogues write it ('KIC 11442793'), `segment` Kepler quarter, K2 campaign
    (a part of a split one has its own number, e.g. 102) or TESS sector, `cadence_s` nominal seconds between points."""

    name: str
    mission: str
    star_id: str
    segment: int
    cadence_s: int


def parse_name(name: str) -> MastFile | None:
    """What an archive file's name says; None for any other name, Kepler's short cadence among them."""
    found = _KEPLER.fullmatch(name) or _K2.fullmatch(name) or _TESS.fullmatch(name)
    if found is None or not int(found["star"]):
        return None
    if found := _KEPLER.fullmatch(name):
        quarter = QUARTERS.get(found["stamp"])
        return None if quarter is None else MastFile(name, "kepler", _id("KIC", found), quarter, LONG_CADENCE_S)
    if found := _K2.fullmatch(name):
        campaign = int(found["campaign"])
        return MastFile(name, "k2", _id("EPIC", found), campaign, LONG_CADENCE_S) if campaign in CAMPAIGNS else None
    if found := _TESS.fullmatch(name):
        cadence = FAST_CADENCE_S if found["fast"] else SHORT_CADENCE_S
        return MastFile(name, "tess", _id("TIC", found), int(found["sector"]), cadence)
    return None


def archive_path(file: MastFile) -> str:
    """Where the archive keeps a file, below its root; ValueError for a file that has no name of the archive's."""
    if parse_name(file.name) != file:
        raise ValueError(f"{file.name} is no light-curve file of the archive")
    number = padded(file.star_id)
    if file.mission == "kepler":
        return f"{kepler_folder(file.star_id)}/{file.name}"
    if file.mission == "k2":
        return f"{k2_folder(file.star_id, file.segment)}/{file.name}"
    fours = "/".join(number[i : i + 4] for i in range(0, 16, 4))
    return f"missions/tess/tid/s{file.segment:04d}/{fours}/{file.name}"


def kepler_folder(star_id: str) -> str:
    """Folder of a Kepler star's light curves, below the archive's root."""
    number = padded(star_id)
    return f"missions/kepler/lightcurves/{number[:4]}/{number}"


def k2_folder(star_id: str, campaign: int) -> str:
    """Folder of a K2 campaign that holds a star's light curve (and those of up to 999 others)."""
    number = padded(star_id)
    return f"missions/k2/lightcurves/c{campaign}/{number[:4]}00000/{number[4:6]}000"


def k2_name(star_id: str, campaign: int) -> str:
    """Name of the light curve of a K2 star in a campaign."""
    return f"ktwo{padded(star_id)}-c{campaign:02d}_llc.fits"


def mission_of(star_id: str) -> str:
    """The mission that a star's catalogue was made for; ValueError for what is no such id."""
    catalogue, _, number = star_id.partition(" ")
    mission = CATALOGUES.get(catalogue)
    if mission is None or not re.fullmatch(r"[1-9]\d{0,15}", number) or len(number) > DIGITS[mission]:
        raise ValueError(f"{star_id!r} is no star of KIC, EPIC or TIC, such as 'KIC 11442793'")
    return mission


def padded(star_id: str) -> str:
    """A star's number with the leading zeros that file names have; ValueError for what is no id."""
    return star_id.partition(" ")[2].zfill(DIGITS[mission_of(star_id)])


def star_in(text: str) -> str | None:
    """The star that a text names first ('epic_201367065.csv' names 'EPIC 201367065'); None when it names none."""
    return _checked(_STAR.search(text))


def star_of(text: str) -> str | None:
    """The star that a text is the name of, in the catalogue's spelling; None for any other text."""
    return _checked(_STAR.fullmatch(text.strip()))


def _checked(found: re.Match[str] | None) -> str | None:
    try:
        star_id = f"{found[1].upper()} {int(found[2])}" if found else ""
        mission_of(star_id)
    except ValueError:
        return None
    return star_id


def preferred(files: Iterable[MastFile]) -> list[MastFile]:
    """Of the files of one star and segment those that are used, in the order given.

    The mission's own files come before tables of the same stretch, and two minutes before 20 seconds.
    """
    chosen = list(files)
    best: dict[tuple[str, str, int], tuple[bool, int]] = {}
    for file in chosen:
        best[_stretch(file)] = max(_rank(file), best.get(_stretch(file), (False, 0)))
    return [file for file in chosen if _rank(file) == best[_stretch(file)]]


def _stretch(file: MastFile) -> tuple[str, str, int]:
    return file.mission, file.star_id, file.segment


def _rank(file: MastFile) -> tuple[bool, int]:
    return file.name.endswith(".fits"), file.cadence_s


def _id(catalogue: str, found: re.Match[str]) -> str:
    return f"{catalogue} {int(found['star'])}"
