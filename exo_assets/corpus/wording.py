"""How a text says what it says: its words with what is denied, its values, its opposites, its names.

Belongs here: reading one text. Does not belong here: comparing two (`fitting.py`, `agreement.py`, `contrasts.py`), the
words themselves (`meanings.yaml`).

Distances are counted in words, the end of a clause or sentence counting as several: what belongs together stands close.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from exo_assets.corpus.denials import denials
from exo_assets.corpus.designators import Designator
from exo_assets.corpus.meanings import Finder, Sense, meanings
from exo_assets.corpus.terms import STOP_WORDS, english_stemmer
from exo_assets.corpus.values import bounds, values


@dataclass(frozen=True)
class Word:
    """A word in the form in which it is compared, where it stands, whether it is denied, and whether it is in a clause
    in which something is."""

    term: str
    start: int
    place: float
    denied: bool
    beside_denial: bool


@dataclass(frozen=True)
class Item:
    """A word or words with a sense. `than`: where the other end of its comparison begins (than, before, after)."""

    sense: Sense
    word: str
    start: int
    place: float
    denied: bool
    beside_denial: bool
    than: int | None

    @property
    def on_axis(self) -> bool:
        """Whether it is one of two sides."""
        return self.sense.member in ("+", "-")

    @property
    def side(self) -> str:
        """The member of its class; of an axis the side that it comes to when it is denied."""
        if self.denied and self.on_axis:
            return "-" if self.sense.member == "+" else "+"
        return self.sense.member

    @property
    def shown(self) -> str:
        """What tells it from others of its class: of an axis the word, which may stand for a side more than once."""
        return self.word if self.on_axis else self.sense.member

    def agrees(self, other: Item) -> bool:
        """Whether both come to the same: the same word in clauses that both deny something does, too."""
        alike = self.sense == other.sense and self.beside_denial and other.beside_denial
        return self.side == other.side or alike


_CAPITALS = re.compile(r"(?<=[a-z,;)\d] )[A-Z][A-Za-z]+|\b[A-Z]*[a-z]*[A-Z]{2,}[A-Za-z]*\b")
"""Words that are written as names are; not the first of a sentence, unless it has more than one capital."""
_WORD = re.compile(r"[^\W\d_]+(?:['’]s)?|\d+(?:[.,]\d+)*")
_COSTS = (
    (re.compile(r"[.!?](?=\s|$)"), 12.0),
    (re.compile(r"[;:]"), 8.0),
    (re.compile(r",|[()—]|\bbut\b|\bwhile\b|\bwhereas\b|\balthough\b"), 3.0),
    (re.compile(r"\band\b|\bor\b"), 1.0),
)
"""Ends of sentences, clauses and phrases, and how many words each is as far as."""
_UN = re.compile(
    r"un(?!i|der|til|less|to\b|certain)(?=[a-z]{4})|non-?(?=[a-z]{4})"
    r"|in(?=dependen|significan|visib|complete|consisten|compatib|sufficien|accura|correct|activ)"
)
_LETTER = re.compile(r"(?<=[\s(])(?:(?<![\d.]\s)[dh]|[bcefg])(?=[\s,.;:)])|(?<=\d)[b-h]\b")
_PLANET_LETTER = re.compile(r"[b-h]\Z")
_COMPARISON_ENDS = re.compile(r"[,;:()]|[.!?](?=\s|$)")
_THAN = re.compile(r"[^.,;:]{0,40}?\bthan\b")
_MORE = re.compile(r"\b(?P<less>less|least)\s\Z|\b(?:more|most)\s\Z", re.IGNORECASE)
_RIGHT_BEHIND = re.compile(r"\s*(?:(?:much|so|as|very|any|even)\s+)?")
"""What may stand between a denial and the side of an axis that it turns round (not much brighter)."""
_PRONOUNS = frozenset(("one", "ones"))


class Wording:
    """What a text says. `taken`: the names in it; each is a word as names are compared, with its planet's letter."""

    def __init__(self, text: str, taken: Sequence[Designator]) -> None:
        known = meanings()
        self.text = text
        self._taken = taken
        self._starts, self._places = _places(text)
        self.denials = denials(text)
        self.quantities = self._items((known.quantities,))
        named = [(q.sense.member, q.place, q.start) for q in self.quantities]
        self.values = values(text, taken, named, self.place)
        found = [(m[0], m.start()) for m in _WORD.finditer(text) if not self._in_a_name(m.start())]
        counted = {v.start for v in self.values}
        said = [(raw, at) for raw, at in found if raw.lower() not in STOP_WORDS and at not in counted]
        of = {q.start: f"quantity {q.sense.member}" for q in self.quantities if q.sense.group == "words"}
        self.words = [self._word(raw, at) for raw, at in said if at not in of]
        self.words += [self._named(of[at], at) for at in of]
        self.words += [self._named(d.key, d.start) for d in taken]
        self.words += [self._named(f"planet {letter}", start) for letter, start in self._letters()]
        self.opposites = [
            item
            for item in _compared_by_less(self._items(known.opposites), text)
            if not bounds(text, item.start, self.values)
        ]
        self.exclusive = self._items(known.exclusive)
        self.required = self._items(known.required)
        self.capitals = frozenset(m[0] for m in _CAPITALS.finditer(text) if not self._in_a_name(m.start()))

    def has(self, name: str) -> bool:
        """Whether a name stands in the text, in capitals or not, perhaps as a part of another."""
        return name.lower().removesuffix("s") in self.text.lower()

    def ends(self, than: int) -> tuple[frozenset[str], frozenset[str]]:
        """All words but those of the second end of a comparison, which begins at `than`, and the words of that."""
        stop = _COMPARISON_ENDS.search(self.text, than)
        said = [w for w in self.words if w.term not in _PRONOUNS]
        last = [w for w in said if than <= w.start < (stop.start() if stop else len(self.text))]
        return frozenset(w.term for w in said if w not in last), frozenset(w.term for w in last)

    def place(self, at: int) -> float:
        """How many words into the text a character stands, ends of clauses counted."""
        row = bisect_right(self._starts, at)
        return self._places[row - 1] if row else 0.0

    def _in_a_name(self, at: int) -> bool:
        return any(d.start <= at < d.end for d in self._taken)

    def _letters(self) -> list[tuple[str, int]]:
        """Letters of planets, those in names and those that stand alone (planet c), with their places."""
        of_names = [(d.key[-1], d.start) for d in self._taken if d.key != d.host and _PLANET_LETTER.search(d.key)]
        alone = [(m[0], m.start()) for m in _LETTER.finditer(self.text) if not self._in_a_name(m.start())]
        return of_names + alone

    def _denied(self, at: int) -> bool:
        """Whether what stands there is denied, and not twice."""
        return sum(d.start <= at < d.end for d in self.denials) % 2 == 1

    def _turned(self, at: int) -> bool:
        """Whether it stands right behind what denies it."""
        return any(d.start <= at < d.end and _RIGHT_BEHIND.fullmatch(self.text, d.start, at) for d in self.denials)

    def _beside_denial(self, at: int) -> bool:
        return any(d.clause[0] <= at < d.clause[1] for d in self.denials)

    def _word(self, raw: str, start: int) -> Word:
        term, opposite = compared(raw)
        return Word(term, start, self.place(start), self._denied(start) != opposite, self._beside_denial(start))

    def _named(self, term: str, start: int) -> Word:
        return Word(term, start, self.place(start), self._denied(start), self._beside_denial(start))

    def _items(self, finders: Sequence[Finder]) -> list[Item]:
        found = [each for finder in finders for each in finder(self.text)]
        return [self._item(*each) for each in found if not self._in_a_name(each[0])]

    def _item(self, start: int, end: int, sense: Sense) -> Item:
        beside = self._beside_denial(start)
        denied = beside if sense.group == "only" else self._turned(start)
        than = _than(self.text, start, end, sense)
        return Item(sense, self.text[start:end].lower(), start, self.place(start), denied, beside, than)


def _than(text: str, start: int, end: int, sense: Sense) -> int | None:
    if sense.group == "time" and re.match(r"(?:after|before)\b", text[start:end], re.IGNORECASE):
        return end if re.match(r"\s*\w", text[end:]) else None
    compares = re.search(r"(?:er|more|less|fewer|worse)$", text[start:end].lower()) or _MORE.search(text, 0, start)
    than = _THAN.match(text, end) if compares else None
    return than.end() if than else None


def _compared_by_less(items: list[Item], text: str) -> list[Item]:
    """Less common is rare: `less` before another word of an axis turns it round, `more` says nothing of its own."""
    out, spent = list[Item](), set[int]()
    for item in items:
        before = _MORE.search(text, 0, item.start) if item.sense.group != "amount" else None
        if before:
            spent.add(before.start())
        out.append(replace(item, denied=item.denied != bool(before and before["less"])))
    return [i for i in out if not (i.start in spent and i.sense.group in ("amount", "share", "all"))]


@cache
def _stem() -> Any:
    return english_stemmer()


@cache
def compared(raw: str) -> tuple[str, bool]:
    """A word in the form in which it is compared, and whether it is the opposite of that (unknown: known)."""
    low = re.sub(r"['’]s$", "", raw.lower())
    same = meanings().same
    if low in same:
        return same[low], False
    bare = _UN.sub("", low, count=1) if _UN.match(low) else low
    return same.get(bare, str(_stem()([bare])[0])), bare != low


def _places(text: str) -> tuple[list[int], list[float]]:
    """Where words and ends of clauses begin, and how many words in."""
    steps = [(m.start(), 1.0) for m in re.finditer(r"\S+", text)]
    steps += [(m.start(), cost) for pattern, cost in _COSTS for m in pattern.finditer(text)]
    starts, places, so_far = list[int](), list[float](), 0.0
    for at, cost in sorted(steps):
        so_far += cost
        starts.append(at)
        places.append(so_far)
    return starts, places
