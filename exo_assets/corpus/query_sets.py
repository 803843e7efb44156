"""What is searched for when an index is judged: sets of queries with what answers each.

Belongs here: the sets, which documents each is searched among, and names by which results are compared. Does not belong
here: searching and figures (`retrieval_evaluation.py`), the questions (`questions.py`), the titles (`known_item.py`).

| set | queries | searched among | gated |
| --- | --- | --- | --- |
| titles | at most TITLES titles of abstracts | the abstracts that are asked for, so that it stays as hard as it is while the corpus grows | yes |
| questions | the answerable questions, by passage | the documents that ship, which are the judged ones, without the glossary, as questions are answered | yes |
| titles_everywhere | at most TITLES_EVERYWHERE of the titles | the whole index | no |
| questions_everywhere | the same questions; a paper that answers counts as wrong, for nobody judged it | the whole index | no |
"""  # noqa: E501

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from exo_assets.corpus.contracts import SHIPPED
from exo_assets.corpus.known_item import known_items
from exo_assets.corpus.library import Filters, Library, SearchRequest
from exo_assets.corpus.questions import Question, judged_chunks

GATED_SETS = ("titles", "questions")
SETS = (*GATED_SETS, "titles_everywhere", "questions_everywhere")
TITLES, TITLES_EVERYWHERE = 1200, 300
DEPTH = 100
"""Results that are looked at."""

Judged = Mapping[str, tuple[str, int]]
"""Chunk id to the judged item that it is of (a name) and the item's grade."""


@dataclass(frozen=True)
class Query:
    """What is asked and what answers it. `query_id` changes with either, so equal ids may be compared across versions.
    `half` and `kind` are a question's."""

    query_id: str
    text: str
    judged: Judged
    half: str | None = None
    kind: str | None = None


@dataclass(frozen=True)
class QuerySet:
    """Queries that are searched alike; `request` is without a way of joining legs."""

    name: str
    queries: tuple[Query, ...]
    request: SearchRequest = field(default_factory=lambda: SearchRequest(limit=DEPTH))


def query_sets(library: Library, questions: Iterable[Question]) -> list[QuerySet]:
    """All sets that `library` has queries for, in the order of SETS, without questions that it cannot answer."""
    items = known_items(library.documents, library.chunks, TITLES)
    titles = tuple(_title_queries(library.chunks, [(item.title, item.document_id) for item in items]))
    asked = tuple(question_queries(library.chunks, questions))
    pool = Filters(documents=tuple(item.document_id for item in items))
    passages: dict[str, Any] = {"limit": DEPTH, "every_passage": True, "glossary": False}
    found = [
        QuerySet("titles", titles, SearchRequest(limit=DEPTH, filters=pool)),
        QuerySet("questions", asked, SearchRequest(filters=Filters(sources=SHIPPED), **passages)),
        QuerySet("titles_everywhere", titles[:TITLES_EVERYWHERE]),
        QuerySet("questions_everywhere", asked, SearchRequest(**passages)),
    ]
    return [s for s in found if s.queries]


def question_queries(chunks: pl.DataFrame, questions: Iterable[Question]) -> Iterator[Query]:
    """The answerable `questions` that passages of `chunks` answer."""
    for question in questions:
        if judged := judged_chunks(question, chunks):
            yield Query(question_id(question), question.text, judged, question.half, question.kind)


def question_id(question: Question) -> str:
    """16 hex digits of a question and what was judged to answer it."""
    return _digest(question.text, *sorted(f"{p.document_id} {p.grade} {p.quote}" for p in question.passages))


def _title_queries(chunks: pl.DataFrame, items: Iterable[tuple[str, str]]) -> Iterator[Query]:
    passages = dict(chunks.group_by("document_id").agg("chunk_id").iter_rows())
    for title, document in items:
        yield Query(_digest(title, document), title, dict.fromkeys(passages[document], (document, 1)))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
