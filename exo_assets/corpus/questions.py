"""The questions by which search and answers are judged, and what answers them.

Belongs here: reading `questions.yaml`, its two halves, and which passages of an index hold what was judged. Does not
belong here: searching, figures.

A judgement names a document and a few words of it, so it holds whatever way the document is cut. Only documents that
ship are judged: searches are restricted to them (SHIPPED) where an unjudged paper that answers would count as wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import yaml

FILE = Path(__file__).with_name("questions.yaml")
KINDS = ("column", "code", "vetting", "feature", "table", "object", "both")
UNANSWERABLE_KINDS = ("unknown_object", "other_subject", "wrong_column", "false_premise", "chat")
GRADES = (1, 2)
"""Helps, answers."""
HALVES = ("tuning", "held_out")
"""Thresholds and ways of indexing are chosen on the former and reported on both."""


class QuestionsError(ValueError):
    """The file of questions breaks its rules; the message lists how."""


@dataclass(frozen=True)
class Judged:
    """A passage that answers (2) or helps (1): where words of a document stand."""

    document_id: str
    quote: str
    grade: int


@dataclass(frozen=True)
class Question:
    """What is asked. An unanswerable question has no `passages`."""

    text: str
    kind: str
    passages: tuple[Judged, ...] = ()

    @property
    def half(self) -> str:
        """One of HALVES, by a hash of the text."""
        return HALVES[hashlib.sha256(self.text.encode()).digest()[0] % 2]

    @property
    def answerable(self) -> bool:
        """Whether the documents that ship answer it."""
        return bool(self.passages)


@cache
def questions() -> tuple[Question, ...]:
    """All questions in the file's order, the answerable first. QuestionsError."""
    return parse(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def questions_digest() -> str:
    """SHA-256 of the file of questions."""
    return hashlib.sha256(FILE.read_bytes()).hexdigest()


def parse(content: Mapping[str, list[Mapping[str, Any]]]) -> tuple[Question, ...]:
    """Questions of the file's `content`; QuestionsError with everything that is wrong."""
    found = [_question(entry) for name in ("answerable", "unanswerable") for entry in content[name]]
    wrong = [f"asked twice: {q.text!r}" for q in set(found) if sum(o.text == q.text for o in found) > 1]
    for question, answerable in zip(found, [True] * len(content["answerable"]) + [False] * len(found), strict=False):
        kinds = KINDS if answerable else UNANSWERABLE_KINDS
        if question.kind not in kinds:
            wrong.append(f"{question.text!r}: the kind {question.kind!r} is none of {', '.join(kinds)}")
        if answerable is not question.answerable:
            wrong.append(f"{question.text!r}: {'no passages' if answerable else 'passages of what has no answer'}")
        if answerable and max((p.grade for p in question.passages), default=0) < max(GRADES):
            wrong.append(f"{question.text!r}: no passage answers it")
        if any(p.grade not in GRADES for p in question.passages):
            wrong.append(f"{question.text!r}: a grade is none of {GRADES}")
    if wrong:
        raise QuestionsError("; ".join(wrong))
    return tuple(found)


def _question(entry: Mapping[str, Any]) -> Question:
    passages = tuple(Judged(p["document"], p["quote"], p["grade"]) for p in entry.get("passages", ()))
    return Question(entry["ask"].strip(), entry["kind"], passages)


def holds(text: str, quote: str) -> bool:
    """Whether `quote` stands in `text`, white space aside."""
    return " ".join(quote.split()) in " ".join(text.split())


def judged_chunks(question: Question, chunks: pl.DataFrame) -> dict[str, tuple[str, int]]:
    """Chunk id to the judged passage that it holds (a name) and its grade, for rows of corpus_chunks.

    Chunks that overlap hold the same passage under one name, and two quotes that fall into one chunk are one passage of
    the higher grade. Empty when no chunk answers the question: an installation may lack a document.
    """
    passages: list[tuple[set[str], int]] = []
    for judged in question.passages:
        rows = chunks.filter(document_id=judged.document_id).select("chunk_id", "text").iter_rows()
        holding, grade = {chunk for chunk, text in rows if holds(text, judged.quote)}, judged.grade
        for other in [p for p in passages if p[0] & holding]:
            passages.remove(other)
            holding, grade = holding | other[0], max(grade, other[1])
        if holding:
            passages.append((holding, grade))
    answers = any(grade == max(GRADES) for _, grade in passages)
    return {chunk: (min(holding), grade) for holding, grade in passages for chunk in holding} if answers else {}
