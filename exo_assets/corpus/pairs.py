"""What the embedding model learns from: questions and the passages that answer them, taken from the corpus itself.

Belongs here: pairs, and which documents are held out. Does not belong here: training (`embedder_torch.py`), or how well
a model finds what was held out (`embedder_tasks.py`).

An abstract answers its title and each of its sentences, taken out of it; a section of any other document answers its
heading. A fifth of the documents, chosen by a hash of their id, is never learned from: not one sentence of them, even
where another document has it too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from exo_assets.corpus.sections import sections
from exo_assets.corpus.sentences import sentences

HELD_OUT = 5
"""One document in so many is held out."""
SENTENCES = 3
"""Sentences of an abstract that become questions."""
SHORTEST_QUESTION, SHORTEST_PASSAGE = 20, 80
"""Characters: less says too little to find, or to be found."""
LONGEST_PASSAGE = 4_000
"""Characters of a passage: several times what the model reads of it."""
KINDS = ("title", "sentence", "heading")


@dataclass(frozen=True)
class Pair:
    """A question and the passage of `document_id` that answers it; `kind` (one of KINDS) says what the question is."""

    kind: str
    document_id: str
    query: str
    passage: str


def is_held_out(document_id: str) -> bool:
    """Whether a document is never learned from: frozen, whatever else is in the corpus."""
    return _number(f"held out\0{document_id}") % HELD_OUT == 0


def training_pairs(documents: pl.DataFrame, most: int) -> list[Pair]:
    """At most `most` pairs of documents that are not held out, chosen and ordered by hash.

    `documents` are rows of `corpus_documents`, of which document_id, media, title and text are looked at.
    """
    rows = list(documents.select("document_id", "media", "title", "text").iter_rows())
    unseen = {said for name, _, title, text in rows if is_held_out(name) for said in (_said(title) | _said(text))}
    found = {
        _number(f"{pair.kind}\0{pair.document_id}\0{pair.query}\0{pair.passage}"): pair
        for name, media, title, text in rows
        if not is_held_out(name)
        for pair in pairs_of(name, media, title, text)
        if not unseen & (_said(pair.query) | _said(pair.passage))
    }
    return [found[key] for key in sorted(found)[:most]]


def pairs_of(document_id: str, media: str, title: str, text: str) -> Iterator[Pair]:
    """Every pair of one document."""
    if media == "abstract":
        yield from title_pair(document_id, title, text)
        yield from sentence_pairs(document_id, text, SENTENCES)
    else:
        yield from _heading_pairs(document_id, media, text)


def title_pair(document_id: str, title: str, text: str) -> Iterator[Pair]:
    """The title of an abstract and the abstract without it; nothing when one of them says too little."""
    return _worth("title", document_id, title, text.replace(title, " ") if title.strip() else text)


def sentence_pairs(document_id: str, text: str, most: int) -> Iterator[Pair]:
    """At most `most` sentences of an abstract, chosen by hash, each with the abstract without it."""
    spans = sentences(text)
    for start, end in sorted(spans, key=lambda span: _number(f"{document_id}\0{text[slice(*span)]}\0{span[0]}"))[:most]:
        yield from _worth("sentence", document_id, text[start:end], f"{text[:start].rstrip()} {text[end:].lstrip()}")


def _heading_pairs(document_id: str, media: str, text: str) -> Iterator[Pair]:
    """The headings of a document, each with what stands under it."""
    for section in sections(text, media):
        if section.path:
            heading, body = section.path[-1], text[section.start : section.end]
            # What comes up to the heading are its marks, or headings above it that have nothing else under them.
            before, found, after = body.partition(heading)
            yield from _worth("heading", document_id, heading, after.lstrip("=- \n") if found else before)


def _worth(kind: str, document_id: str, query: str, passage: str) -> Iterator[Pair]:
    query, passage = " ".join(query.split()), passage.strip()[:LONGEST_PASSAGE]
    if len(query) >= SHORTEST_QUESTION and len(passage) >= SHORTEST_PASSAGE:
        yield Pair(kind, document_id, query, passage)


def _said(text: str) -> set[str]:
    """The sentences of a text, however they are spaced, and the whole of it."""
    parts = [text, *(text[start:end] for start, end in sentences(text))]
    return {" ".join(part.casefold().split()) for part in parts} - {""}


def _number(said: str) -> int:
    return int.from_bytes(hashlib.sha256(said.encode()).digest()[:8], "big")
