"""Chunks: exact places, bounded size and overlap, whole sentences, ids that come back."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.corpus.chunks import CHARACTERS_A_TOKEN, Chunk, ChunkSettings, chunk_table, chunk_text
from exo_assets.corpus.contracts import MEDIA
from exo_assets.corpus.document import Document, documents_table
from exo_assets.corpus.sentences import sentences
from exo_assets.corpus.tokens import TokenizerError, plain_tokens, token_bounds
from tests.small_library import offsets

WORDS = st.sampled_from(
    [
        "Kepler-90",
        "h",
        "has",
        "transits.",
        "We",
        "et al.",
        "find",
        "0.5",
        "# Data",
        "\n",
        "\n\n",
        "x" * 70,
        "惑星。",
        "- a",
    ]
)
TEXTS = st.lists(WORDS, max_size=80).map(" ".join)
SETTINGS = st.tuples(st.integers(1, 40), st.integers(0, 39)).filter(lambda s: s[1] < s[0])


def _tokens(passage: str) -> int:
    return len(plain_tokens(passage))


@settings(max_examples=200)
@given(TEXTS, SETTINGS, st.sampled_from(MEDIA))
def test_chunks_cover_the_text_and_keep_their_bounds(text: str, sizes: tuple[int, int], media: str) -> None:
    size, overlap = sizes
    chunks = chunk_text(text, media, (), plain_tokens, ChunkSettings(size, overlap))
    covered = set(itertools.chain.from_iterable(range(c.start, c.end) for c in chunks))
    assert all(i in covered for i, c in enumerate(text) if not c.isspace())
    for c in chunks:
        assert c.n_tokens <= size
        assert c.end - c.start <= size * CHARACTERS_A_TOKEN
        assert text[c.start : c.end] == text[c.start : c.end].strip() != ""
    for before, after in itertools.pairwise(chunks):
        assert before.start < after.start
        assert before.end < after.end
        if after.start < before.end:
            assert _tokens(text[after.start : before.end]) <= overlap
            assert before.section == after.section


@settings(max_examples=100)
@given(TEXTS, st.sampled_from(MEDIA))
def test_sentences_that_fit_are_never_cut(text: str, media: str) -> None:
    chunks = chunk_text(text, media, (), plain_tokens, ChunkSettings(30, 10))
    fits = [s for s in sentences(text) if _tokens(text[slice(*s)]) <= 30 and s[1] - s[0] <= 30 * CHARACTERS_A_TOKEN]
    if media == "abstract":  # in one section, so that sentences are those of the whole text
        assert all(any(c.start <= a and b <= c.end for c in chunks) for a, b in fits)


def test_sizes_and_overlap_are_used() -> None:
    text = " ".join(f"The depth of star {i} is 0.{i} percent." for i in range(400))
    chunks = chunk_text(text, "abstract", (), plain_tokens)
    assert all(480 < c.n_tokens <= 512 for c in chunks[:-1])
    shared = [_tokens(text[b.start : a.end]) for a, b in itertools.pairwise(chunks)]
    assert all(100 < n <= 128 for n in shared)
    assert all(text[c.start : c.end].startswith("The") and text[c.end - 1] == "." for c in chunks)


def test_a_sentence_longer_than_a_chunk_is_cut_between_tokens() -> None:
    text = "Short one. " + "word " * 100 + "end. Short two."
    chunks = chunk_text(text, "abstract", (), plain_tokens, ChunkSettings(20, 5))
    assert len(chunks) > 5
    assert all(c.start == 0 or text[c.start - 1] == " " for c in chunks)
    assert text[chunks[-1].start : chunks[-1].end].endswith("Short two.")


def test_an_endless_word_is_cut_by_its_length() -> None:
    text = "A " + "x" * 100_000 + " b."
    chunks = chunk_text(text, "abstract", (), lambda t: [(0, 1), (2, 100_002), (100_003, 100_004)])
    assert max(c.end - c.start for c in chunks) <= 512 * CHARACTERS_A_TOKEN
    assert (chunks[0].start, chunks[-1].end) == (0, len(text))


def test_several_tokens_of_one_letter() -> None:
    text = "惑" * 10
    pairs = [(i, i + 1) for i in range(10) for _ in range(3)]
    chunks = chunk_text(text, "abstract", (), lambda t: pairs, ChunkSettings(4, 2))
    assert {i for c in chunks for i in range(c.start, c.end)} == set(range(10))
    assert all(c.n_tokens == 3 for c in chunks)


def test_special_tokens_do_not_count_and_disorder_is_an_error() -> None:
    assert chunk_text("a b", "text", (), lambda t: [(0, 0), (0, 1), (2, 3), (0, 0)]) == [Chunk(0, 3, 2, None, None)]
    for wrong in ([(2, 3), (0, 1)], [(0, 9)], [(-1, 2)]):
        with pytest.raises(TokenizerError):
            chunk_text("a b", "text", (), lambda t, wrong=wrong: wrong)


BLOCK_TEXTS = [
    "The depth of Kepler-90 h, à la Shallue, is 0.5 %.\n\n惑星。 A naïve re-fit e\u0301tait unbelievably good." * 30,
    ".!?" * 3_000,
]


@pytest.mark.parametrize("text", BLOCK_TEXTS)
def test_a_text_is_tokenised_in_blocks_as_it_is_in_one(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted, given = offsets(), list[int]()
    whole = token_bounds(text, counted)

    def watched(block: str) -> Sequence[tuple[int, int]]:
        given.append(len(block))
        return counted(block)

    monkeypatch.setattr("exo_assets.corpus.tokens.BLOCK_CHARACTERS", 700)
    parts = token_bounds(text, watched)
    assert len(given) > 3 and max(given) <= 700 and sum(given) == len(text)
    for one, other in zip(whole, parts, strict=True):
        assert one.tolist() == other.tolist()


def test_settings_that_cannot_be() -> None:
    for tokens, overlap in ((0, 0), (10, 10), (10, -1)):
        with pytest.raises(ValueError, match="cannot be made"):
            ChunkSettings(tokens, overlap)


def _documents() -> pl.DataFrame:
    text = "1. Introduction\n" + "The star is quiet. " * 30 + "\n2. Data\n" + "We used K2. " * 20
    pages = (0, 200, 200, text.index("2. Data"))
    paper = Document("paper.pdf", "file", "pdf", "Quiet", text, page_starts=pages)
    return documents_table([paper, Document("b.txt", "file", "text", "Other", "One passage.")])


def test_the_table_has_pages_sections_and_exact_text() -> None:
    documents = _documents()
    chunks = chunk_table(documents, plain_tokens, ChunkSettings(40, 10))
    texts = dict(documents.select("document_id", "text").iter_rows())
    for row in chunks.iter_rows(named=True):
        assert texts[row["document_id"]][row["start"] : row["end"]] == row["text"]
    paper = chunks.filter(document_id="paper.pdf")
    assert paper["ordinal"].to_list() == list(range(paper.height))
    assert paper["section"].unique(maintain_order=True).to_list() == ["Introduction", "Data"]
    assert set(paper["page"]) == {1, 3, 4}  # page 2 is empty
    assert paper["page"].is_sorted()
    assert chunks.filter(document_id="b.txt").select("page", "section").row(0) == (None, None)


def test_the_same_document_gives_the_same_ids_and_another_name_others() -> None:
    documents = _documents()
    once, again = chunk_table(documents, plain_tokens), chunk_table(documents, plain_tokens)
    assert once.equals(again)
    renamed = documents.with_columns(document_id=pl.col("document_id") + "x")
    assert not set(chunk_table(renamed, plain_tokens)["chunk_id"]) & set(once["chunk_id"])
    assert once["chunk_id"].str.contains("^[0-9a-f]{32}$").all()


def test_no_documents_no_chunks() -> None:
    assert chunk_table(documents_table([]), plain_tokens).height == 0
