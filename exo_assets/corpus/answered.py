"""An answer as it is given: sentences, the sources that bear them, and why there is none.

Belongs here: the values, and how they are shown and sent. Does not belong here: how an answer is found
(`answering.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

EXTRACTIVE, CATALOGUE = "extractive", "catalogue"
"""Who worded an answer where no language model did: sentences quoted from passages, rows of the release."""


@dataclass(frozen=True)
class Source:
    """A passage that was retrieved, or a row of the release; [number] shows it. `text` is characters [start, end) of
    the document's text; of a row, what it says in words. `table`, `row` (its key) and `as_of` (the day of its data) are
    a row's, which has no `source` of the corpus but CATALOGUE."""

    number: int
    chunk_id: str
    document_id: str
    source: str
    title: str
    section: str | None
    page: int | None
    start: int
    end: int
    year: int | None
    url: str | None
    text: str
    score: float
    table: str | None = None
    row: str | None = None
    as_of: str | None = None


@dataclass(frozen=True)
class Quote:
    """What a citation rests on: characters [start, end) of the document's text of source [number]."""

    number: int
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class AnswerSentence:
    """A sentence, the numbers of the sources that bear it and where. `support`: 0 to 1, of quoted sentences the score
    of how well they answer; `status` is supported or unsupported, then without citations."""

    text: str
    citations: tuple[int, ...]
    support: float
    status: str
    quotes: tuple[Quote, ...] = ()


@dataclass(frozen=True)
class AnswerError:
    """Why a language model's answer is missing or incomplete; `reason` is one of generated.REASONS."""

    reason: str
    message: str


@dataclass(frozen=True)
class CitedAnswer:
    """An answer, or why there is none: `declined` where the corpus does not answer, `error` where a model failed (what
    was verified before stays).

    Where several things are asked for and one of them is in no table, there are both sentences and `declined`.
    `searched_for` is the question with the names that it took over from the conversation. `sources` are all passages
    that were retrieved, the best first. `dropped`: how many sentences of the model were left out, by reason.
    """

    question: str
    searched_for: str
    sentences: tuple[AnswerSentence, ...]
    sources: tuple[Source, ...]
    declined: str | None
    error: AnswerError | None
    generator: str
    corpus_version: str
    dropped: tuple[tuple[str, int], ...] = ()

    @property
    def text(self) -> str:
        """The sentences, each with its [n]; quoted ones in quotation marks. Empty when there are none."""
        return " ".join(sentence_text(s, self.generator) for s in self.sentences)

    @property
    def cited(self) -> tuple[Source, ...]:
        """The sources that are cited."""
        numbers = {n for s in self.sentences for n in s.citations}
        return tuple(s for s in self.sources if s.number in numbers)

    def as_json(self) -> dict[str, Any]:
        """The answer as JSON values."""
        cited = {s.number for s in self.cited}
        return {
            "question": self.question,
            "searched_for": self.searched_for,
            "text": self.text,
            "sentences": [sentence_json(s) for s in self.sentences],
            "sources": [source_json(s) | {"cited": s.number in cited} for s in self.sources],
            "declined": self.declined,
            "error": None if self.error is None else vars(self.error).copy(),
            "generator": self.generator,
            "corpus_version": self.corpus_version,
            "dropped": dict(self.dropped),
        }


def sentence_text(sentence: AnswerSentence, generator: str) -> str:
    """A sentence as people read it, with its [n]."""
    shown = f"“{sentence.text}”" if generator == EXTRACTIVE else sentence.text
    marks = "".join(f"[{n}]" for n in sentence.citations) or "[unsupported]"
    return f"{shown} {marks}"


def sentence_json(sentence: AnswerSentence) -> dict[str, Any]:
    """A sentence as JSON values."""
    return vars(sentence) | {
        "citations": list(sentence.citations),
        "support": round(sentence.support, 4),
        "quotes": [vars(q).copy() for q in sentence.quotes],
    }


def source_json(source: Source) -> dict[str, Any]:
    """A source as JSON values."""
    return vars(source) | {"score": round(source.score, 4)}
