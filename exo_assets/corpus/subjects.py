"""What a document is about: its mission, and the stars that it names.

Belongs here: both, as functions of title and text. Does not belong here: what a name looks like (`designators.py`), and
which names are of one star (`identifiers.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from exo_assets.corpus.identifiers import read_names, resolved

OPENING = 5_000
"""Characters at the beginning of a text that decide on the mission: a whole paper names every mission in passing."""

_NUMBER = (
    r"(?!\w|[-_‐-―−]?\d|\s\d{1,4}(?!\d)(?!\s+(?:stars?|planets?|candidates?|targets?|systems?|hosts?|quarters?)\b))"
)
_NOT_THE_MAN = (
    r"(?!['’]s\s+(?:\w+\s+)?(?:laws?|equation|problem|orbit|constant|supernova)|\s(?:problem|equation|orbit|law|map))"
)
_K2_ALONE = re.compile(
    r"\bKepler(?:['’]s)?[\s-]+(?:space\s+telescope(?:['’]s)?[\s-]+)?(?:(?:extended\s+)?mission\s*,?\s+)?(?=K2\b)"
)
_MISSIONS = {
    "kepler": re.compile(rf"(?<![\w-])(?<!Johannes )(?:Kepler|KEPLER){_NUMBER}{_NOT_THE_MAN}"),
    "k2": re.compile(
        rf"(?<![\w-])(?<!type )(?<!types )K2{_NUMBER}(?!\s?(?:V|IV|III)\b|[-\s](?:type|dwarfs?|giants?|star\b))"
    ),
    "tess": re.compile(r"(?<![\w-])TESS(?!\w)"),
}
"""The mission itself by name; not a planet's or star's name (Kepler-90, K2-18), a spectral type or Kepler's laws."""

_CATALOGUES = {
    "kepler": re.compile(r"(?<![\w-])(?:Kepler[-‐-―−\s]?\d{1,4}(?!\d)|KOI[-\s]?\d|KIC[-\s]?\d{6})"),
    "k2": re.compile(r"(?<![\w-])(?:K2[-‐-―−]\d{1,3}(?!\d)|EPIC[-\s]?\d{8})"),
    "tess": re.compile(r"(?<![\w-])(?:TOI[-\s]?\d|TIC[-\s]?\d{4})"),
}
"""Names that a mission's catalogue gives."""


def mission_of(title: str, text: str) -> str | None:
    """The mission that a document is about: 'kepler', 'k2', 'tess', or None when no one of them is singled out.

    What is asked, in order: the missions by name in the title; those by name in the opening, and where they are several
    the one whose catalogue the title's names are from; names of catalogues in the title, then in the opening. So a TESS
    paper on Kepler-90 is about TESS, a paper that names Kepler-90 and no mission is about Kepler, and one on TOI-700
    that compares TESS with Kepler is about TESS. 'Kepler's K2 mission' names K2 alone.
    """
    opening = text[:OPENING]
    of_title = _named(title, _CATALOGUES)
    if named := _named(title, _MISSIONS):
        return _one(named)
    if named := _named(opening, _MISSIONS):
        return _one(named) or _one([mission for mission in of_title if mission in named])
    return _one(of_title or _named(opening, _CATALOGUES))


def _one(named: list[str]) -> str | None:
    return named[0] if len(named) == 1 else None


def _named(text: str, patterns: dict[str, re.Pattern[str]]) -> list[str]:
    said = _K2_ALONE.sub("", text)
    return [mission for mission, pattern in patterns.items() if pattern.search(said)]


def targets_of(texts: Sequence[str], aliases: pl.DataFrame) -> list[list[str]]:
    """Of each text the stars that it names, in order of first mention, each once.

    A star of the catalogue is its `star_id`. A name that is surely one but that no table knows is the key of its star
    (`kepler1649`), so that documents on it are found by it.
    """
    read = read_names(texts)
    known = resolved(read, aliases).select("row", "start", target="star_id")
    keys = aliases.select(host_key="alias_key").unique()
    unknown = (
        read.filter(pl.col("sure"))
        .join(keys, on="host_key", how="anti")
        .join(keys.rename({"host_key": "alias_key"}), on="alias_key", how="anti")
        .select("row", "start", target="host_key")
    )
    found = (
        pl.concat([known, unknown])
        .sort("row", "start", "target")
        .unique(["row", "target"], keep="first", maintain_order=True)
        .group_by("row", maintain_order=True)
        .agg("target")
    )
    named = dict(found.iter_rows())
    return [named.get(row, []) for row in range(len(texts))]
