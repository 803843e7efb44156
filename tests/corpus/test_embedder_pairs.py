"""Pairs that the embedding model learns from: what they are, and that nothing held out is among them."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.corpus.docstrings import docstring_pairs
from exo_assets.corpus.pairs import Pair, is_held_out, pairs_of, training_pairs
from exo_assets.corpus.sentences import sentences

SAID = tuple(f"The number {n} is what this sentence of the abstract is all about." for n in range(12))
ABSTRACT = " ".join(SAID[:4])
DOCUMENTS = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(SAID), st.lists(st.sampled_from(SAID), min_size=1, max_size=5)),
    max_size=12,
    unique_by=lambda made: made[0],
)


def frame(rows: list[tuple[str, str, str, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["document_id", "media", "title", "text"], orient="row")


@given(DOCUMENTS)
def test_nothing_that_a_held_out_document_says_is_learned(made: list[tuple[int, str, list[str]]]) -> None:
    rows = [(f"arXiv:{number}", "abstract", title, " ".join(said)) for number, title, said in made]
    held = [row for row in rows if is_held_out(row[0])]
    unseen = {title for _, _, title, _ in held} | {text[a:b] for *_, text in held for a, b in sentences(text)}
    for pair in training_pairs(frame(rows), 1000):
        assert not is_held_out(pair.document_id)
        assert pair.query not in unseen
        assert not unseen & {pair.passage[a:b] for a, b in sentences(pair.passage)}


def test_a_fifth_is_held_out_whatever_else_there_is() -> None:
    names = [f"arXiv:{n}" for n in range(5000)]
    held = [name for name in names if is_held_out(name)]
    assert 900 < len(held) < 1100
    assert held[:4] == ["arXiv:6", "arXiv:9", "arXiv:10", "arXiv:19"], "frozen: a change would let models peek"


def test_pairs_are_the_same_in_any_order_and_their_number_is_bounded() -> None:
    rows = [
        (f"arXiv:{n}", "abstract", f"On the object of number {n}", ABSTRACT.replace("number", f"number {n} of"))
        for n in range(20)
    ]
    some = training_pairs(frame(rows), 10)
    assert some == training_pairs(frame(rows[::-1]), 10) and len(some) == 10
    assert some == training_pairs(frame(rows), 1000)[:10]


def test_an_abstract_answers_its_title_and_its_sentences_without_them() -> None:
    found = list(pairs_of("arXiv:1", "abstract", SAID[1], ABSTRACT))
    assert found[0].kind == "title" and found[0].query == SAID[1] and SAID[1] not in found[0].passage
    taken = found[1:]
    assert len(taken) == 3 and {pair.kind for pair in taken} == {"sentence"}
    for pair in taken:
        assert pair.query in ABSTRACT and pair.query not in pair.passage
        assert sum(said in pair.passage for said in SAID[:4]) == 3


def test_a_section_answers_its_heading_without_it() -> None:
    text = f"# The whole documentation\n\n## Where light curves come from\n\n{ABSTRACT}\n\n## Short\n\n{ABSTRACT}"
    (pair,) = pairs_of("exo:README.md", "markdown", "The whole documentation", text)
    assert pair == Pair("heading", "exo:README.md", "Where light curves come from", ABSTRACT)


def test_what_says_too_little_makes_no_pair() -> None:
    assert list(pairs_of("arXiv:1", "abstract", "Stars", "We say nothing.")) == []
    assert list(pairs_of("arXiv:1", "abstract", "", " ")) == []


def test_documentation_of_the_standard_library_is_another_field() -> None:
    found = docstring_pairs(40)
    assert found == docstring_pairs(60)[:40] and len(found) == 40
    assert len({pair.query for pair in found}) == len({pair.passage for pair in found}) == 40
    assert not any("exoplanet" in pair.passage.lower() for pair in found)
