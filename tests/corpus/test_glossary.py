"""The glossary ships, holds its rules, and its words are found under all their names."""

from __future__ import annotations

from typing import Any

import pytest

from exo_assets.corpus.contracts import GLOSSARY
from exo_assets.corpus.definitions import asked_words
from exo_assets.corpus.glossary import GlossaryError, Term, find, glossary_documents, parse, terms
from exo_assets.corpus.own_documents import own_documents
from exo_assets.corpus.questions import questions


def test_every_word_is_a_document_of_the_package_and_found_by_each_of_its_names() -> None:
    assert 80 <= len(terms()) <= 200
    text = {d.document_id: d for d in own_documents() if d.document_id.startswith(GLOSSARY)}
    assert len(text) == len(terms()) == len(glossary_documents())
    for term in terms():
        assert text[term.document_id].source == "package" and term.says in text[term.document_id].text
        assert all(name in text[term.document_id].text for name in (term.name, *term.also))
        assert all(find(name) is term for name in (term.name, *term.also, term.name.upper(), f"{term.name}s"))


def test_what_is_no_document_of_the_corpus() -> None:
    texts = {d.document_id: d.text for d in own_documents()}
    assert [name for name in texts if "TRIED" in name] == []
    assert "exo score my_candidates.csv" not in texts["exo:README.md"] and "```" not in texts["exo:README.md"]
    assert "```" in texts["exo:dbt_like_sql/README.md"]  # what a file holds is said by an example


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"term": "A b", "also": ["c"], "says": "A b is."}, {"term": "C", "says": "C is."}], "is of 'A b' and of 'C'"),
        ([{"term": "Depth", "says": "How deep it is. Depth counts."}], "'Depth' does not begin with it"),
    ],
)
def test_words_that_break_the_rules_are_named(content: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(GlossaryError, match=message):
        parse(content)


ASKED = (
    "What is {a}?", "what's {a}", "What are {n}s?", "What does {n} mean?", "what does {n} stand for", "define {n}",
    "Please explain {n}.", "meaning of {n}", "Can you tell me what {a} is?", "{n}", "What is meant by {n}?",
    "What is {a} in exoplanet science?", "What does the term {n} mean in TESS light curves?", "How is {n} defined?",
)  # fmt: skip


@pytest.mark.parametrize("asked", ASKED)
def test_a_question_for_a_word_is_recognised_whatever_the_word(asked: str) -> None:
    for term in terms():
        for name in (term.name, *term.also):
            said = asked.format(n=name, a=f"a {name}")
            found = asked_words(said)
            assert found is not None and found.terms == (term,), said


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("what's the difference between KOI and TCE", ("Kepler Object of Interest", "Threshold-crossing event")),
        ("How does a TOI differ from a KOI?", ("TESS Object of Interest", "Kepler Object of Interest")),
        ("Is SES the same as MES?", ("Single-event statistic", "Multiple-event statistic")),
        ("BLS vs TLS", ("Box least squares", "Transit least squares")),
        ("What are SES and MES?", ("Single-event statistic", "Multiple-event statistic")),
        ("difference between a quarter, a campaign and a sector?", ("Quarter", "Campaign", "Sector")),
        ("What is MES (multiple event statistic)?", ("Multiple-event statistic",)),
        ("what is BLS and how does it work?", ("Box least squares",)),
        ("and the SES?", ("Single-event statistic",)),
    ],
)
def test_words_that_are_compared_or_listed(question: str, names: tuple[str, ...]) -> None:
    found = asked_words(question)
    assert found is not None and tuple(t.name for t in found.terms) == names


@pytest.mark.parametrize(
    "question",
    [
        "What is the transit depth of Kepler-90 h?",
        "What does koi_score mean?",
        "SAP or PDCSAP?",
        "Why are systems with several candidates trusted more?",
        "How wide should the detrending window be?",
        "What is it?",
        "",
        "?!",
    ],
)
def test_what_is_no_question_for_a_word(question: str) -> None:
    assert asked_words(question) is None


def test_a_word_that_the_glossary_lacks_is_named() -> None:
    found = asked_words("What is a magnetar?")
    assert found is not None and (found.terms, found.unknown) == ((), "magnetar")


def test_the_judged_questions_are_not_taken_for_words() -> None:
    taken = [q.text for q in questions() if (found := asked_words(q.text)) and found.terms]
    assert taken == []


def test_the_title_has_the_abbreviation() -> None:
    assert Term("Threshold-crossing event", ("TCE", "x"), "").title == "Threshold-crossing event (TCE)"
    assert Term("Disposition", ("label",), "").title == "Disposition"
