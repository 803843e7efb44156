"""Names that an answer must not confuse: stars, planets, signals, and columns of tables.

Belongs here: which names a text holds, and whether a text speaks of those that are asked for. Does not belong here:
what a star's name looks like (`designators.py`), which names are of one star (`identifiers.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from exo_assets.corpus.designators import Designator, designators

Same = Callable[[str], Collection[str]]
"""A key to all keys of what it names (identifiers.synonyms)."""

_COLUMN = re.compile(r"(?<![\w/.-])(?:[a-z]\w*\.)?(?P<column>[A-Za-z][A-Za-z0-9]+(?:_[A-Za-z0-9]+)+)(?![\w/*])")


_PROPER = re.compile(r"(?<=[a-z,;)\d] )[A-Z][A-Za-z]*(?:-[A-Z]?[A-Za-z]+)*|\b[A-Z][a-z]*[A-Z]\w*")
_ACRONYM = 3
"""Letters up to which capitals (PDF, API) are no name of anything."""


def only_itself(key: str) -> Collection[str]:
    """A name that stands for nothing but itself, where there is no table of aliases."""
    return (key,)


def names(text: str) -> list[Designator]:
    """The names in `text` that can mean nothing else, in order: designators and columns (koi_fpflag_nt)."""
    found = [d for d in designators(text) if d.sure]
    for match in _COLUMN.finditer(text):
        column = match["column"].lower()
        found.append(Designator(column, column, match.start("column"), match.end("column")))
    return sorted(found, key=lambda d: (d.start, d.end))


@dataclass(frozen=True)
class Asked:
    """A name that is asked for: all keys of what it names, and of its star."""

    name: Designator
    keys: frozenset[str]
    hosts: frozenset[str]

    def is_in(self, found: Sequence[Designator]) -> bool:
        """Whether one of the names `found` is it, or a planet or signal of it."""
        return any(d.key in self.keys or d.host in self.keys for d in found)


def asked_for(text: str, same: Same = only_itself) -> list[Asked]:
    """The names in a text, with all that they are also called."""
    return [Asked(d, frozenset(same(d.key)), frozenset(same(d.host))) for d in names(text)]


def proper_names(question: str) -> list[str]:
    """Words of a question that only names are written like (Venus, JWST, Rossiter-McLaughlin), each once.

    Not the first word of a sentence, nor short acronyms; none in a text that is a title or all in capitals.
    """
    words = re.findall(r"[A-Za-z]{4,}", question)[1:]
    if sum(w[0].isupper() for w in words) > len(words) / 2:
        return []
    found = [m[0] for m in _PROPER.finditer(question)]
    return [w for w in dict.fromkeys(found) if not (w.isupper() and len(w) <= _ACRONYM)]


def missing(text: str, asked: Sequence[Asked], found: Sequence[Sequence[Designator]]) -> list[str]:
    """Names in `text`, as they are written there, that none of the lists `found` holds."""
    absent = [text[a.name.start : a.name.end] for a in asked if not any(a.is_in(each) for each in found)]
    return list(dict.fromkeys(absent))


def on_topic(found: Sequence[Designator], asked: Sequence[Asked]) -> bool:
    """Whether a text with the names `found` speaks of what is asked for or its star, or of no one by name."""
    return not asked or not found or any(a.is_in(found) or any(d.key in a.hosts for d in found) for a in asked)
