"""The set by which the checker is judged: what it must hold for its figures to mean something."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from small_library import embed

from exo_assets.corpus.altered_sentences import (
    ALTERED,
    HALVES,
    PARAPHRASE,
    WRITTEN,
    accepted,
    parse,
    shares,
    statements,
)
from exo_assets.corpus.keyword_index import KeywordIndex
from exo_assets.corpus.own_documents import own_documents
from exo_assets.corpus.sentences import sentences


def test_there_are_enough_of_each_kind_in_both_halves() -> None:
    counts = Counter((s.kind, s.half) for s in statements())
    assert sum(s.true for s in statements()) >= 300 and sum(not s.true for s in statements()) >= 300
    assert len({s.passage for s in statements()}) >= 100
    for half in HALVES:
        assert counts[PARAPHRASE, half] >= 140
        assert sum(counts[kind, half] for kind in ALTERED) >= 140
        assert min(counts[kind, half] for kind in ALTERED) >= 25


def test_a_statement_is_there_once_and_its_passage_in_one_half() -> None:
    assert len({s.id for s in statements()}) == len(statements())
    assert len({(s.passage, s.text) for s in statements()}) == len(statements())
    assert all(len({s.half for s in statements() if s.passage == p}) == 1 for p in {s.passage for s in statements()})


def test_no_sentence_is_its_passages() -> None:
    for each in statements():
        text = each.passage
        said = {_bare(text[start:end]) for start, end in sentences(text)}
        assert _bare(each.text) not in said, each.id
        assert each.text[0].isalnum() and each.text.endswith("."), each.id


def _bare(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def test_passages_stand_in_the_documents_that_they_are_from() -> None:
    documents = {d.document_id: " ".join(d.text.split()) for d in own_documents()}
    for each in statements():
        if each.source == WRITTEN:
            assert not any(" ".join(each.passage.split()) in text for text in documents.values()), each.id
        elif each.source != "exo:README.md":  # which is edited often: its passages are as they were
            assert " ".join(each.passage.split()) in documents[each.source], each.id


def test_a_kind_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="'p': no kind is called synonym"):
        parse([{"id": "p", "from": WRITTEN, "text": "A b.", "synonym": ["C d."]}])


def test_shares_count_by_kind() -> None:
    judged = parse(
        [{"id": "p", "from": WRITTEN, "text": "A.", PARAPHRASE: ["B."], **{k: ["C.", "D."] for k in ALTERED}}]
    )
    rows = {r.kind: r for r in shares(judged, {s.id: s.id in {"p/paraphrase/1", "p/unit/2"} for s in judged})}
    assert (rows["unit"].share, rows["altered"].of, rows["altered"].accepted) == (0.5, 12, 1)
    assert (rows[PARAPHRASE].share, rows["entity"].share) == (1.0, 0.0)
    assert 0.0 < rows["altered"].low < 1 / 12 < rows["altered"].high < 0.4


def test_the_checker_tells_altered_sentences_from_paraphrases() -> None:
    texts = [*dict.fromkeys(s.passage for s in statements()), *(d.text for d in own_documents())]
    judged = [s for s in statements() if s.half == HALVES[0]]
    verdicts = accepted(judged, embed=embed, words=KeywordIndex.build(texts))
    share = {row.kind: row.share for row in shares(judged, verdicts)}
    assert share["altered"] < 0.05
    assert share[PARAPHRASE] >= 0.9
    assert max(share[kind] for kind in ("number", "unit", "negation")) < 0.05
