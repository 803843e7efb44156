"""Known-item search: which titles are asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exo_assets.corpus.chunks import ChunkSettings, chunk_table
from exo_assets.corpus.document import Document, documents_table
from exo_assets.corpus.known_item import KnownItem, known_items, stands_in, without_title
from exo_assets.corpus.tokens import plain_tokens


def _abstract(name: str, title: str, text: str, source: str = "arxiv") -> Document:
    return Document(name, source, "abstract", title, text)


def _items(documents: list[Document], most: int = 100, settings: ChunkSettings | None = None) -> list[KnownItem]:
    table = documents_table(documents)
    return known_items(table.drop("text"), chunk_table(table, plain_tokens, settings), most)


def test_titles_that_name_one_abstract_are_asked_for() -> None:
    documents = [
        _abstract("arXiv:1", "A warm Neptune", "It orbits a K dwarf."),
        _abstract("arXiv:2", "A cold  Neptune", "We call it a COLD\nNeptune for its distance."),
        _abstract("arXiv:3", "Erratum", "A table is put right."),
        _abstract("arXiv:4", "erratum", "Another one is."),
        _abstract("arXiv:5", "—", "A title without a word."),
        _abstract("notes.md", "Notes", "Of a user.", source="file"),
    ]
    assert _items(documents) == [KnownItem("A warm Neptune", "arXiv:1")]


def test_a_title_is_looked_for_in_all_passages_of_its_abstract() -> None:
    text = "One sentence stands here. Another follows it. The late planet is in the last."
    documents = [_abstract("arXiv:1", "The late planet", text)]
    assert _items(documents, settings=ChunkSettings(6, 0)) == []


@given(st.integers(1, 30), st.integers(0, 30))
def test_the_sample_stays_as_it_is_while_others_come_in(count: int, most: int) -> None:
    documents = [_abstract(f"arXiv:{n}", f"Planet number {n}", "It transits.") for n in range(30)]
    before, after = _items(documents[:count], most), _items(documents, most)
    assert len(before) == min(count, most)
    assert [i for i in after if i in before] == [i for i in before if i in after], "in the same order"
    old = {d.document_id for d in documents[:count]}
    assert {i.document_id for i in after} & old <= {i.document_id for i in before}


def test_a_title_is_taken_out_wherever_it_stands() -> None:
    assert without_title("Hot Jupiter", "Hot Jupiter: a Hot Jupiter is hot.") == ": a   is hot."
    assert stands_in("Hot  Jupiter", "a hot\njupiter") and not stands_in("Hot Jupiters", "a hot jupiter")
