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
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from exo_assets.corpus.agreement import NAME, disagreement, spoken_of
from exo_assets.corpus.designators import Designator
from exo_assets.corpus.embedding import Vectors
from exo_assets.corpus.extractive import Passage, Words
from exo_assets.corpus.fitting import equal
from exo_assets.corpus.names import Asked, Same, asked_for, names, on_topic, only_itself
from exo_assets.corpus.not_evidence import is_reference, is_reference_heading
from exo_assets.corpus.wording import Wording

ADDRESS = "it holds an address"
NOT_BORNE = "no passage says so"


@dataclass(frozen=True)
class SupportSettings:
    """A sentence and its evidence score cosine_weight * cosine + (1 - cosine_weight) * coverage, the share of the
    sentence's terms that the evidence has, weighted by how rare they are. `least`: from there on they say the same."""

    cosine_weight: float = 0.5
    least: float = 0.53


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
    r"write|act|pretend|obey)|(?<!the )(?<!an )(?:reply|respond|answer|say|state|write|print|output|cite|"
    r"tell (?:the|them|him|her))"
    r"(?:\s?:| (?:that|with|only|exactly|the user|users?|to the user)\b))",
    re.IGNORECASE,
)
"""What an order begins with: neither its sentence nor the one behind it is evidence."""
_ANYONE = "this object"
_QUANTITY_WEIGHT, _VALUE_WEIGHT = 2.0, 8.0
_MORE_TOGETHER = 0.02
"""Of a quantity among the words of a sentence, which weigh as much as they are rare."""


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
        self._passages = {number: _Read(passage) for number, passage in passages}

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
        said = Wording(sentence, own)
        vector = self._embed([_nameless(sentence, own)])[0]
        found = {n: self._best(said, vector, self._passages[n], asked) for n in numbers}
        best = max(f.score for f in found.values())
        bearing = [n for n in numbers if found[n].against is None]
        if bearing:
            return Support(best, tuple(Place(n, *found[n].place) for n in bearing))
        return Support(best, (), found[max(numbers, key=lambda n: found[n].score)].against)

    def _best(self, said: Wording, vector: Vectors, read: _Read, asked: Sequence[Asked]) -> _Found:
        """Score and place of what says nearly the same in a passage, and what speaks against it; (0, its start) where
        nothing can.

        Two sentences are evidence together where they say more of it than each alone.
        """
        found = _Found(0.0, read.spans[0] if read.spans else (0, 0), NOT_BORNE)
        rows = [row for row in range(len(read.spans)) if read.usable(row, asked)]
        terms, worth = self._terms(said)
        weights = dict(zip(terms, worth.tolist(), strict=True))
        named = all(a.is_in(read.names) or read.has_letter(a) for a in asked)
        cosine = np.clip(self._embed(read.texts) @ vector, 0.0, 1.0) if rows else np.zeros(0)

        def score(first: int, last: int) -> float:
            near = float(max(cosine[first], cosine[last]))
            has = np.array([t in read.terms[first] or t in read.terms[last] for t in terms], dtype=float)
            held = _VALUE_WEIGHT * read.holds(said, first, last)
            coverage = float((has @ worth + held) / (worth.sum() + held)) if terms else near
            return self._settings.cosine_weight * near + (1 - self._settings.cosine_weight) * coverage

        alone = {row: score(row, row) for row in rows}
        together = {(r, r + 1): score(r, r + 1) for r in rows if r + 1 in alone}
        together = {(a, b): s for (a, b), s in together.items() if s >= max(alone[a], alone[b]) + _MORE_TOGETHER}
        for (first, last), reached in ({(row, row): s for row, s in alone.items()} | together).items():
            place = read.spans[first][0], read.spans[last][1]
            against: str | None = NOT_BORNE
            if reached >= self._settings.least:
                against = disagreement(said, read.between(first, last), read.said, weights) if named else NAME
            if (against is None, reached) > (found.against is None, found.score):
                found = _Found(reached, place, against)
        return found

    def _terms(self, said: Wording) -> tuple[list[str], npt.NDArray[np.float64]]:
        """The words of a sentence that are no names, and its quantities, each once, and what each is worth."""
        terms = list(dict.fromkeys(w.term for w in said.words if not re.search(r"[\d ]", w.term)))
        idf = self._words.idf(terms) if terms else np.zeros(0)
        spoken = [f"quantity {q}" for q in sorted(spoken_of(said)) if q]
        return terms + spoken, np.append(idf, np.full(len(spoken), _QUANTITY_WEIGHT))


class _Found(NamedTuple):
    """How near a passage comes to a sentence, where, and what speaks against it."""

    score: float
    place: tuple[int, int]
    against: str | None


class _Read:
    """A passage with what its sentences hold."""

    def __init__(self, passage: Passage) -> None:
        text = passage.text
        self.text = text
        self.spans = [(start, end) for start, end in passage.sentences if text[start:end].strip()]
        texts = [text[start:end] for start, end in self.spans]
        self.texts = [_nameless(t, names(t)) for t in texts]
        orders = [bool(_TAKES_OVER.search(text) or _ORDERS.search(t)) for t in texts]
        self.refers = [is_reference_heading(passage.heading) or is_reference(t) for t in texts]
        self.instructs = [order or before for order, before in zip(orders, [False, *orders], strict=False)]
        self.names = names(text)
        self.said = Wording(text, self.names)
        self.terms = [
            {w.term for w in self.said.words if a <= w.start < b}
            | {f"quantity {v.quantity}" for v in self.said.values if a <= v.start < b}
            | {f"quantity {q.sense.member}" for q in self.said.quantities if a <= q.start < b}
            for a, b in self.spans
        ]
        self._between: dict[tuple[int, int], Wording] = {}

    def usable(self, row: int, asked: Sequence[Asked]) -> bool:
        """Whether a sentence can be evidence on what is `asked` for: no instruction, no reference, nor of others alone.

        One without a name speaks of those that were named last.
        """
        named = [[d for d in self.names if start <= d.start < end] for start, end in self.spans[: row + 1]]
        sound = not (self.instructs[row] or self.refers[row])
        return sound and on_topic(next((n for n in reversed(named) if n), []), asked)

    def holds(self, said: Wording, first: int, last: int) -> int:
        """How many values of a sentence that have a unit stand in sentences of the passage."""
        found = self.between(first, last).values
        return sum(bool(v.unit) and any(equal(v, f) for f in found) for v in said.values)

    def has_letter(self, asked: Asked) -> bool:
        """Whether the passage names the star of a planet and, apart from it, the planet's letter."""
        letter = f"planet {asked.name.key[-1]}"
        star = any(d.key in asked.hosts for d in self.names)
        return asked.name.key != asked.name.host and star and any(w.term == letter for w in self.said.words)

    def between(self, first: int, last: int) -> Wording:
        """What sentences say."""
        if (first, last) not in self._between:
            start, end = self.spans[first][0], self.spans[last][1]
            text = self.text[start:end]
            self._between[first, last] = Wording(text, names(text))
        return self._between[first, last]


def _nameless(text: str, found: Sequence[Designator]) -> str:
    """`text` with one word for every name: which name it is, is looked at apart, and aliases look nothing alike."""
    out, at = "", 0
    for d in found:
        if d.start >= at:
            out, at = f"{out}{text[at : d.start]}{_ANYONE}", d.end
    return out + text[at:]
