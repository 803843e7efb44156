"""Passages of documents: sentences taken together up to a number of tokens, with their exact place.

Belongs here: cutting a text, ids, and rows of `corpus_chunks`. Does not belong here: where sentences and sections begin
(`sentences.py`, `sections.py`), the tokenizer (an argument), embeddings.

A chunk stays in one section and ends with a sentence; only a sentence that is longer than a chunk is cut. Chunks of a
section overlap by whole sentences. The same document and settings give the same chunks with the same ids.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from exo_assets.corpus.contracts import CORPUS_CHUNKS
from exo_assets.corpus.sections import sections
from exo_assets.corpus.sentences import sentences
from exo_assets.corpus.tokens import Offsets, token_bounds

CHARACTERS_A_TOKEN = 16
"""Characters that count as a token at least: an endless word, one token to some, does not make an endless chunk."""

LONGEST_SECTION = 300


@dataclass(frozen=True)
class ChunkSettings:
    """`tokens`: most tokens of a chunk, special ones aside; `overlap`: most that it shares with the one before."""

    tokens: int = 512
    overlap: int = 128

    def __post_init__(self) -> None:
        if self.tokens < 1 or not 0 <= self.overlap < self.tokens:
            raise ValueError(f"chunks of {self.tokens} tokens that overlap by {self.overlap} cannot be made")


@dataclass(frozen=True)
class Chunk:
    """A passage: `text[start:end]` of a document has `n_tokens` tokens and stands in `section` on `page`."""

    start: int
    end: int
    n_tokens: int
    section: str | None
    page: int | None


def chunk_text(
    text: str, media: str, page_starts: Sequence[int], offsets: Offsets, settings: ChunkSettings | None = None
) -> list[Chunk]:
    """The passages of one document in order. Everything in it that is not white space is in at least one of them.

    Two that follow each other share at most `settings.overlap` tokens. TokenizerError when `offsets` is none.
    """
    ruler = _Ruler(*token_bounds(text, offsets))
    settings = settings or ChunkSettings()
    out = list[Chunk]()
    for section in sections(text, media):
        heading = " > ".join(section.path)[:LONGEST_SECTION] or None
        spans = [(section.start + a, section.start + b) for a, b in sentences(text[section.start : section.end])]
        pieces = [piece for span in spans for piece in _pieces(span, ruler, settings)]
        for start, end in filter(None, (_trimmed(text, span) for span in _packed(pieces, ruler, settings))):
            page = bisect_right(page_starts, start) if page_starts else None
            out.append(Chunk(start, end, ruler.tokens(start, end), heading, page))
    return out


def chunk_table(documents: pl.DataFrame, offsets: Offsets, settings: ChunkSettings | None = None) -> pl.DataFrame:
    """`corpus_chunks` of rows of `corpus_documents`, in their order; checked."""
    rows = []
    columns = ("document_id", "media", "text", "page_starts", "digest")
    for name, media, text, page_starts, digest in documents.select(columns).iter_rows():
        for ordinal, c in enumerate(chunk_text(text, media, page_starts, offsets, settings)):
            passage = text[c.start : c.end]
            key = chunk_id(name, c.start, c.end, passage)
            rows.append((key, name, ordinal, c.section, c.page, c.start, c.end, c.n_tokens, passage, digest))
    return CORPUS_CHUNKS.check(pl.DataFrame(rows, schema=CORPUS_CHUNKS.schema, orient="row"))


def chunk_id(document_id: str, start: int, end: int, passage: str) -> str:
    """32 hex digits (a valid UUID, as vector stores want one) of what and where a passage is."""
    said = f"{document_id}\0{start}\0{end}\0{passage}".encode()
    return hashlib.sha256(said).hexdigest()[:32]


@dataclass(frozen=True)
class _Ruler:
    """Lengths of spans in tokens."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def tokens(self, start: int, end: int) -> int:
        """Tokens that are in `start` to `end`, those that are cut included."""
        return max(0, int(np.searchsorted(self.starts, end)) - int(np.searchsorted(self.ends, start, side="right")))

    def length(self, start: int, end: int) -> int:
        """Tokens, or characters over CHARACTERS_A_TOKEN where that is more."""
        return max(self.tokens(start, end), -(-(end - start) // CHARACTERS_A_TOKEN))

    def cut(self, start: int, end: int, most: int) -> int:
        """Where a piece of at most `most` that begins at `start` ends: before a token, or inside an endless one."""
        first = int(np.searchsorted(self.ends, start, side="right"))
        by_tokens = int(self.starts[first + most]) if first + most < self.starts.size else end
        at = min(by_tokens, start + most * CHARACTERS_A_TOKEN, end)
        before = int(np.searchsorted(self.starts, at, side="right")) - 1
        if at < end and before >= 0 and start < self.starts[before] < at < self.ends[before]:
            at = int(self.starts[before])
        if at <= start:  # more than `most` tokens begin at one character: they stay together
            after = int(np.searchsorted(self.starts, start, side="right"))
            at = min(end, int(self.starts[after]) if after < self.starts.size else end)
        return at


def _trimmed(text: str, span: tuple[int, int]) -> tuple[int, int] | None:
    """`span` without white space at its ends, which cut sentences may have; None when nothing is left."""
    passage = text[span[0] : span[1]]
    start = span[0] + len(passage) - len(passage.lstrip())
    return (start, span[0] + len(passage.rstrip())) if passage.strip() else None


def _pieces(span: tuple[int, int], ruler: _Ruler, settings: ChunkSettings) -> Iterator[tuple[int, int]]:
    """A sentence; in pieces that fit the overlap when it is longer than a chunk."""
    start, end = span
    if ruler.length(start, end) <= settings.tokens:
        yield span
        return
    most = settings.overlap or settings.tokens
    while start < end:
        at = ruler.cut(start, end, most)
        yield start, at
        start = at


def _packed(pieces: list[tuple[int, int]], ruler: _Ruler, settings: ChunkSettings) -> Iterator[tuple[int, int]]:
    """Spans of as many pieces as a chunk holds; each begins with as many of the last ones as the overlap holds."""
    first, last = 0, 0
    while last < len(pieces):
        begin = pieces[first][0]
        last += 1  # fits: `first` was chosen for it
        while last < len(pieces) and ruler.length(begin, pieces[last][1]) <= settings.tokens:
            last += 1
        yield begin, pieces[last - 1][1]
        end = pieces[last - 1][1]
        following = last
        while following - 1 > first and ruler.length(pieces[following - 1][0], end) <= settings.overlap:
            following -= 1
        # What follows must fit behind what is repeated.
        while following < last < len(pieces) and (
            ruler.length(pieces[following][0], pieces[last][1]) > settings.tokens
        ):
            following += 1
        first = following
