"""The questions: every judged passage is where it is said to be, and judgements outlive the way documents are cut."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from exo_assets.corpus.chunks import ChunkSettings, chunk_table
from exo_assets.corpus.contracts import SHIPPED
from exo_assets.corpus.document import Document, documents_table
from exo_assets.corpus.own_documents import own_documents
from exo_assets.corpus.questions import (
    HALVES,
    KINDS,
    Question,
    QuestionsError,
    holds,
    judged_chunks,
    parse,
    questions,
)
from exo_assets.corpus.tokens import plain_tokens


@pytest.fixture(scope="module")
def documents() -> pl.DataFrame:
    return documents_table(own_documents())


def test_every_quote_stands_in_a_document_that_ships(documents: pl.DataFrame) -> None:
    text = dict(documents.select("document_id", "text").iter_rows())
    judged = [passage for question in questions() for passage in question.passages]
    wrong = [p for p in judged if not holds(text.get(p.document_id, ""), p.quote)]
    assert wrong == []
    assert set(documents["source"]) == set(SHIPPED)


def test_there_are_enough_of_each_kind_in_both_halves() -> None:
    answerable = [q for q in questions() if q.answerable]
    assert len(answerable) >= 100
    assert len(questions()) - len(answerable) >= 40
    for half in HALVES:
        assert {q.kind for q in answerable if q.half == half} == set(KINDS)
        assert sum(q.half == half for q in answerable) >= 45
        assert sum(q.half == half for q in questions() if not q.answerable) >= 15


@pytest.mark.parametrize("settings", [ChunkSettings(), ChunkSettings(64, 16)], ids=["default", "small"])
def test_judged_passages_are_found_however_documents_are_cut(documents: pl.DataFrame, settings: ChunkSettings) -> None:
    chunks = chunk_table(documents, plain_tokens, settings)
    for question in questions():
        judged = judged_chunks(question, chunks)
        assert bool(judged) is question.answerable
        assert not judged or max(grade for _, grade in judged.values()) == 2


def test_chunks_that_overlap_and_quotes_that_share_a_chunk_are_one_passage() -> None:
    text = "One is first. Two is second. Three is third."
    documents = documents_table([Document("a.md", "file", "markdown", "A", text)])
    judged = [
        {"document": "a.md", "quote": "Two\nis second", "grade": 1},
        {"document": "a.md", "quote": "Three", "grade": 2},
    ]
    (question,) = parse({"answerable": [{"ask": "Which?", "kind": "both", "passages": judged}], "unanswerable": []})
    whole = chunk_table(documents, plain_tokens)
    assert list(judged_chunks(question, whole).values()) == [(whole["chunk_id"][0], 2)]
    overlapping = chunk_table(documents, plain_tokens, ChunkSettings(8, 4))
    assert overlapping["text"].to_list() == ["One is first. Two is second.", "Two is second. Three is third."]
    assert {name for name, _ in judged_chunks(question, overlapping).values()} == {min(overlapping["chunk_id"])}
    assert judged_chunks(question, overlapping.head(1)) == {}  # it helps and does not answer


def test_half_of_a_question_is_its_own() -> None:
    assert Question("What does koi_score mean?", "column").half == Question("What does koi_score mean?", "code").half


GOOD: dict[str, Any] = {"document": "a", "quote": "b", "grade": 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"answerable": [{"ask": "a", "kind": "code"}], "unanswerable": []}, "'a': no passages"),
        ({"answerable": [{"ask": "a", "kind": "chat", "passages": [GOOD]}], "unanswerable": []}, "kind 'chat'"),
        ({"answerable": [], "unanswerable": [{"ask": "a", "kind": "code"}]}, "kind 'code'"),
        ({"answerable": [], "unanswerable": [{"ask": "a", "kind": "chat", "passages": [GOOD]}]}, "has no answer"),
        (
            {"answerable": [{"ask": "a", "kind": "code", "passages": [GOOD | {"grade": 1}]}], "unanswerable": []},
            "no passage answers it",
        ),
        (
            {"answerable": [{"ask": "a", "kind": "code", "passages": [GOOD, GOOD | {"grade": 3}]}], "unanswerable": []},
            "none of",
        ),
        ({"answerable": [], "unanswerable": [{"ask": "a", "kind": "chat"}] * 2}, "asked twice: 'a'"),
    ],
)
def test_a_file_that_breaks_the_rules_is_refused(content: dict[str, Any], message: str) -> None:
    with pytest.raises(QuestionsError, match=message):
        parse(content)
