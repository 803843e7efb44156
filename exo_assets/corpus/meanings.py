"""What the checker knows of words: units, quantities, opposites, what excludes each other, what says the same.

Belongs here: reading `meanings.yaml`. Does not belong here: what a text says with these words (`wording.py`).

`units`: a unit's spellings, and the only quantity that a value in it can be of. `quantities`: a quantity's words, and
the units that its values have where they do not say it themselves. `opposites`: an axis and the words of its two sides.
`exclusive`: names and words of which only one can be in a place; `required`: of which it must
be there. `same`: words that are compared as one.
A word with a capital letter is found as it is written, any other in either case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("meanings.yaml")


@dataclass(frozen=True)
class Sense:
    """A meaning of words: its class (`unit`, `quantity`, an axis, a line of what excludes each other), and which member
    of the class it is; the sides of an axis are "+" and "-"."""

    group: str
    member: str


class Finder:
    """Finds the words of senses in a text; where two overlap, the longer."""

    def __init__(self, words: Mapping[str, Sense], *, joined: bool = False) -> None:
        """`words`: regular expressions of whole words; `joined`: behind a hyphen they are found, too (long-period)."""
        self._senses = list(words.values())
        parts = (
            f"(?P<w{n}>{word if any(c.isupper() for c in word) else f'(?i:{word})'})" for n, word in enumerate(words)
        )
        before = r"(?<!\w)" if joined else r"(?<![\w-])"
        self._pattern = re.compile(rf"{before}(?:{'|'.join(_longest_first(parts))})(?!\w|-?\d)")

    def __call__(self, text: str) -> Iterator[tuple[int, int, Sense]]:
        """(start, end, sense) of every word found."""
        for match in self._pattern.finditer(text):
            yield match.start(), match.end(), self._senses[int(str(match.lastgroup)[1:])]


def _longest_first(parts: Iterable[str]) -> list[str]:
    return sorted(parts, key=len, reverse=True)


@dataclass(frozen=True)
class Meanings:
    """All that is known. `of_unit`: the quantity of a value by its unit; `units_of`: the units that its values have."""

    unit: re.Pattern[str]
    symbols: tuple[str, ...]
    of_unit: Mapping[str, str]
    units_of: Mapping[str, frozenset[str]]
    quantities: Finder
    opposites: tuple[Finder, ...]
    exclusive: tuple[Finder, ...]
    required: tuple[Finder, ...]
    same: Mapping[str, str]


@cache
def meanings() -> Meanings:
    """The file, read once."""
    content: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    units, quantities = content["units"], content["quantities"]
    written = sorted(((w, symbol) for symbol, u in units.items() for w in u["written"]), key=lambda p: -len(p[0]))
    pattern = "|".join(f"({w if any(c.isupper() for c in w) else f'(?i:{w})'})" for w, _ in written)
    words = {
        w: Sense(kind, name) for name, q in quantities.items() for kind in ("words", "also") for w in q.get(kind, ())
    }
    return Meanings(
        unit=re.compile(rf"\s?[-‐]?\s?(?:{pattern})(?![\w])"),
        symbols=tuple(symbol for _, symbol in written),
        of_unit={symbol: u["of"] for symbol, u in units.items() if "of" in u},
        units_of={name: frozenset(q["units"]) for name, q in quantities.items() if "units" in q},
        quantities=Finder(words, joined=True),
        opposites=tuple(_sides(axis, sides) for axis, sides in content["opposites"].items()),
        exclusive=tuple(_members(f"exclusive {n}", line) for n, line in enumerate(content["exclusive"])),
        required=tuple(_members(f"required {n}", line) for n, line in enumerate(content["required"])),
        same={word.lower(): line[0] for line in content["same"] for word in line},
    )


def _sides(axis: str, sides: tuple[list[str], list[str]]) -> Finder:
    return Finder({word: Sense(axis, sign) for sign, side in zip("+-", sides, strict=True) for word in side})


def _members(group: str, line: list[str]) -> Finder:
    return Finder({word: Sense(group, word.lower()) for word in line})
