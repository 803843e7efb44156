"""Whether a passage bears a sentence.

Belongs here: the test that a sentence of a language model must pass before it counts, and where in the passage its
evidence stands. Does not belong here: quoted sentences (`extractive.py`), reading a model's text (`generated.py`).

A sentence is borne by a passage when one or two neighbouring sentences of it say nearly the same (cosine and common
words), deny or affirm alike, and every number and name of the sentence stands in the passage, the numbers where nobody
else is spoken of. It never is when it holds an address, or when what says so gives orders to a language model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

import numpy as np

from exo_assets.corpus.designators import Designator
from exo_assets.corpus.embedding import Vectors
from exo_assets.corpus.extractive import Passage, Words
from exo_assets.corpus.names import Asked, Same, asked_for, names, on_topic, only_itself

ADDRESS = "it holds an address"
NOT_BORNE = "no passage says so"
NUMBER = "a number in it is in no passage that it cites"
NAME = "a name in it is in no passage that it cites"


@dataclass(frozen=True)
class SupportSettings:
    """A sentence and its evidence score cosine_weight * cosine + (1 - cosine_weight) * coverage, the share of the
    sentence's terms that the evidence has, weighted by how rare they are. `least`: from there on they say the same."""

    cosine_weight: float = 0.5
    least: float = 0.63


@dataclass(frozen=True)
class Place:
    """Evidence: characters [start, end) of the passage that [number] shows."""

    number: int
    start: int
    end: int


@dataclass(frozen=True)
class Support:
    """What bears a sentence. `score` is that of the best evidence; `places` is empty where nothing does, and `reason`
    says why not."""

    score: float
    places: tuple[Place, ...]
    reason: str | None = None


_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]{1,15}://|\bwww\.|\b(?:mailto|data|javascript|file):\S|!\[|\]\(|<\s*[a-z!/]|&#|\S@[\w-]+\.\w"
    r"|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,24}/\S",
    re.IGNORECASE,
)
_TAKES_OVER = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|prompts?|rules|previous|above|context)\b"
    r"|\b(?:system prompt|new instructions?|you are now|you are an? (?:ai|assistant|language model|chatbot)|"
    r"as an? (?:ai|assistant|language model))\b"
    r"|(?:^|\n)\W{0,6}(?:system|assistant|user|developer|instructions?)\s?[:\]>|]|<\|",
    re.IGNORECASE,
)
"""What a text says that wants to be a language model's master: nothing in its passage is evidence."""
_ORDERS = re.compile(
    r"\b(?:you (?:must|should|will|shall|have to|need to) (?:now|only|always|never|not|answer|reply|respond|say|cite|"
    r"write|act|pretend|obey)|(?:reply|respond|answer|say|state|write|print|output|cite|tell (?:the|them|him|her))"
    r"(?:\s?:| (?:that|with|only|exactly|the user|users?|to the user)\b))",
    re.IGNORECASE,
)
"""What an order begins with: neither its sentence nor the one behind it is evidence."""
_DENIES = re.compile(
    r"\b(?:not|no|never|none|neither|nor|without|cannot|unlikely|\w+n[’']t|fails? to|ruled? out|rules out)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.,])[-−]?(?:\d{1,3}(?:[,\u2009\u202f]\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+−]?\d+)?(?![\d])")
_UNIT = re.compile(
    r"\s?[-‐]?\s?(%|(?:percent|ppm|days?|d|hours?|hr?|minutes?|min|years?|yr|au|km|K|pc)\b)", re.IGNORECASE
)
_ANYONE = "this object"
_UNITS = {
    **{"percent": "%", "day": "d", "days": "d", "hour": "h", "hours": "h", "hr": "h", "minute": "min"},
    **{"minutes": "min", "year": "yr", "years": "yr"},
}
_WORDS = {
    **{"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10},
    **{"eleven": 11, "twelve": 12},
}
_WORD_NUMBER = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Number:
    """A number in a text: its value, how many decimals it is written with, its unit where one follows, and place."""

    value: Decimal
    decimals: int
    unit: str
    at: int


class Evidence:
    """Passages by the number that [n] shows, ready to be compared with sentences."""

    def __init__(
        self,
        passages: Sequence[tuple[int, Passage]],
        *,
        embed: Callable[[Sequence[str]], Vectors],
        words: Words,
        same: Same = only_itself,
        settings: SupportSettings = SupportSettings(),
    ) -> None:
        """`embed` gives unit vectors; sentences of passages are embedded once."""
        self._embed, self._words, self._same, self._settings = embed, words, same, settings
        self._passages = {number: _Read(passage, words) for number, passage in passages}

    def support(self, sentence: str, cited: Sequence[int]) -> Support:
        """What bears `sentence` of the passages `cited`, or, where they do not, of all others.

        A number that is no passage's counts for nothing.
        """
        if _ADDRESS.search(sentence):
            return Support(0.0, (), ADDRESS)
        named = [n for n in dict.fromkeys(cited) if n in self._passages]
        found = self._borne(sentence, named)
        if found.places:
            return found
        rest = [n for n in self._passages if n not in named]
        other = self._borne(sentence, rest)
        return other if other.places or not named else found

    def _borne(self, sentence: str, numbers: Sequence[int]) -> Support:
        if not numbers:
            return Support(0.0, (), NOT_BORNE)
        asked, own = asked_for(sentence, self._same), names(sentence)
        wanted = _numbers(sentence, own)
        vector = self._embed([_nameless(sentence, own)])[0]
        found = {n: self._best(sentence, vector, self._passages[n], asked) for n in numbers}
        best = max(score for score, _ in found.values())
        bearing = [n for n in numbers if found[n][0] >= self._settings.least]
        if not bearing:
            return Support(best, (), NOT_BORNE)
        read = [self._passages[n] for n in bearing]
        if not all(any(a.is_in(r.names) for r in read) for a in asked):
            return Support(best, (), NAME)
        if not all(any(r.holds(number, asked) for r in read) for number in wanted):
            return Support(best, (), NUMBER)
        return Support(best, tuple(Place(n, *found[n][1]) for n in bearing))

    def _best(
        self, sentence: str, vector: Vectors, read: _Read, asked: Sequence[Asked]
    ) -> tuple[float, tuple[int, int]]:
        """Score and place of what says nearly the same in a passage; (0, its start) where nothing can."""
        if not read.spans:
            return 0.0, (0, 0)
        cosine = np.clip(self._embed(read.texts) @ vector, 0.0, 1.0)
        # Numbers and names are looked for one by one.
        terms = sorted(t for t in self._words.terms(sentence) if not re.search(r"[\d_]", t))
        weight = self._words.idf(terms) if terms else np.zeros(0)
        denies = bool(_DENIES.search(sentence))
        usable = [read.usable(row, asked) for row in range(len(read.spans))]
        best, place = 0.0, read.spans[0]
        for first in range(len(read.spans)):
            for last in (first, first + 1):
                if last >= len(read.spans) or not (usable[first] and usable[last]):
                    continue
                if read.denies[first if cosine[first] >= cosine[last] else last] != denies:
                    continue
                has = np.array([t in read.terms[first] or t in read.terms[last] for t in terms], dtype=float)
                near = float(max(cosine[first], cosine[last]))
                coverage = float(has @ weight / weight.sum()) if terms else near
                score = self._settings.cosine_weight * near + (1 - self._settings.cosine_weight) * coverage
                if score > best + 1e-9:
                    best, place = score, (read.spans[first][0], read.spans[last][1])
        return best, place


class _Read:
    """A passage with what its sentences hold."""

    def __init__(self, passage: Passage, words: Words) -> None:
        text = passage.text
        self.spans = [(start, end) for start, end in passage.sentences if text[start:end].strip()]
        texts = [text[start:end] for start, end in self.spans]
        self.texts = [_nameless(t, names(t)) for t in texts]
        self.terms = [words.terms(t) for t in texts]
        self.denies = [bool(_DENIES.search(t)) for t in texts]
        orders = [bool(_TAKES_OVER.search(text) or _ORDERS.search(t)) for t in texts]
        self.instructs = [order or before for order, before in zip(orders, [False, *orders], strict=False)]
        self.names = names(text)
        self._numbers = _numbers(text, self.names)

    def usable(self, row: int, asked: Sequence[Asked]) -> bool:
        """Whether a sentence can be evidence on what is `asked` for: no instruction, nor of others alone."""
        start, end = self.spans[row]
        return not self.instructs[row] and on_topic([d for d in self.names if start <= d.start < end], asked)

    def holds(self, wanted: _Number, asked: Sequence[Asked]) -> bool:
        """Whether the number stands in a sentence that can be evidence on what is `asked` for."""
        return any(
            _equal(wanted, found) and self.usable(row, asked)
            for found in self._numbers
            for row, (start, end) in enumerate(self.spans)
            if start <= found.at < end
        )


def _nameless(text: str, found: Sequence[Designator]) -> str:
    """`text` with one word for every name: which name it is, is looked at apart, and aliases look nothing alike."""
    out, at = "", 0
    for d in found:
        if d.start >= at:
            out, at = f"{out}{text[at : d.start]}{_ANYONE}", d.end
    return out + text[at:]


def _numbers(text: str, taken: Sequence[Designator]) -> list[_Number]:
    """Numbers in `text` that are no part of a name, in figures or in words from two to twelve."""
    out = []
    for match in _NUMBER.finditer(text):
        if any(d.start <= match.start() < d.end for d in taken):
            continue
        plain = re.sub(r"[,\u2009\u202f]", "", match[0]).replace("−", "-")
        try:
            value = Decimal(plain)
        except InvalidOperation:
            continue
        decimals = max(0, -int(value.as_tuple().exponent))
        unit = _UNIT.match(text, match.end())
        name = unit[1].lower() if unit else ""
        out.append(_Number(value, decimals, _UNITS.get(name, name), match.start()))
    for match in _WORD_NUMBER.finditer(text):
        unit = _UNIT.match(text, match.end())
        name = unit[1].lower() if unit else ""
        out.append(_Number(Decimal(_WORDS[match[0].lower()]), 0, _UNITS.get(name, name), match.start()))
    return out


def _equal(wanted: _Number, found: _Number) -> bool:
    """Whether a number that was found is the one that is wanted, or is rounded to it, in the same unit."""
    if wanted.unit and found.unit and wanted.unit != found.unit:
        return False
    if wanted.value == found.value:
        return True
    if found.decimals <= wanted.decimals or len(wanted.value.as_tuple().digits) < 2:
        return False
    try:
        return found.value.quantize(Decimal(1).scaleb(-wanted.decimals), ROUND_HALF_UP) == wanted.value
    except InvalidOperation:
        return False
