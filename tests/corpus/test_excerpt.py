from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.corpus.excerpt import excerpt
from exo_assets.corpus.keyword_index import KeywordIndex

LONG = (
    "Stars are bright. " * 30
    + "The centroid of the light moves during an eclipse of a background binary. "
    + "Planets are small. " * 30
)
INDEX = KeywordIndex.build([LONG, "Stars are bright.", "Planets are small.", "Kepler-90 has eight planets."])


def test_the_sentence_that_a_question_is_about_is_shown() -> None:
    found = excerpt(LONG, INDEX.terms("Which way does the centroid move?"), INDEX, width=120)
    assert found.text.startswith("…The centroid of the light moves during an eclipse") and found.text.endswith("…")
    assert len(found.text) <= 121
    assert [found.text[a:b] for a, b in found.matches] == ["centroid", "moves"]


def test_a_short_passage_is_shown_whole() -> None:
    found = excerpt("Kepler-90 has\n eight planets.", INDEX.terms("kepler 90"), INDEX)
    assert found.text == "Kepler-90 has eight planets." and [found.text[a:b] for a, b in found.matches] == ["Kepler-90"]


def test_the_end_of_a_passage_fills_the_width() -> None:
    found = excerpt(LONG + "A quasar.", INDEX.terms("stars"), INDEX, width=100)
    assert found.text.startswith("Stars are bright.")
    assert excerpt(LONG + "The last eclipse.", frozenset(), INDEX, width=100).text.startswith("Stars")


@given(st.text(max_size=400), st.text(max_size=20), st.integers(20, 200))
@settings(max_examples=80, deadline=None)
def test_any_passage_has_an_excerpt_of_its_own_words(passage: str, question: str, width: int) -> None:
    found = excerpt(passage, INDEX.terms(question), INDEX, width)
    assert len(found.text) <= width + 1 and "\n" not in found.text
    said = found.text.removeprefix("…").removesuffix("…")
    assert said in " ".join(passage.split())
    assert all(0 <= a < b <= len(found.text) for a, b in found.matches)


@pytest.mark.parametrize("passage", ["x" * 900, "…" * 500, "word " * 3])
def test_odd_passages(passage: str) -> None:
    assert excerpt(passage, frozenset(), INDEX, width=60).text
