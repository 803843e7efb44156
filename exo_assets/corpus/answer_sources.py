"""What there is to answer a question from: passages, the definitions of words among them, or rows of the release.

Belongs here: the search for an answer, and sources made of what it finds. Does not belong here: which sentences of them
answer (`answering.py`), searching (`library.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from exo_assets.corpus.answered import CATALOGUE, EXTRACTIVE, Quote, Source
from exo_assets.corpus.contracts import GLOSSARY
from exo_assets.corpus.definitions import Defined
from exo_assets.corpus.extractive import Passage
from exo_assets.corpus.library import Hit, Library, SearchRequest
from exo_assets.corpus.objects.told import Row, Told
from exo_assets.corpus.sentences import sentences
from exo_assets.corpus.support import Place


@dataclass(frozen=True)
class Found:
    """Sources, and those that are passages with their sentences; the first `definitions` of them say what the words
    mean that are asked for. `generator` words the answer."""

    searched_for: str
    sources: tuple[Source, ...]
    passages: tuple[Passage, ...] = ()
    definitions: int = 0
    generator: str = EXTRACTIVE


def search(
    searched_for: str, library: Library, request: SearchRequest, defined: Defined | None, generator: str
) -> Found:
    """The passages for a question, those first that define all the words whose meaning it asks for.

    QueryError for a question that cannot be searched for.
    """
    of_glossary = any(name.startswith(GLOSSARY) for name in request.filters.documents)
    request = replace(request, every_passage=True, glossary=request.glossary or of_glossary)
    hits = library.search(searched_for, request)
    terms = defined.terms if defined is not None else ()
    words = [hit for term in terms for hit in _definition(searched_for, library, request, term.document_id)]
    words = words if len(words) == len(terms) else []
    known = {hit.chunk_id for hit in words}
    hits = [*words, *(hit for hit in hits if hit.chunk_id not in known)][: max(request.limit, len(words))]
    return Found(
        searched_for,
        tuple(_passage_source(number, hit) for number, hit in enumerate(hits, start=1)),
        tuple(
            Passage(hit.chunk_id, hit.text, tuple(sentences(hit.text)), hit.title, _last_heading(hit)) for hit in hits
        ),
        len(words),
        generator,
    )


def _definition(searched_for: str, library: Library, request: SearchRequest, document: str) -> list[Hit]:
    """The passage of a word of the glossary; none where the index has no such word, or a filter is against it."""
    only = request.filters.documents
    if not library.has_document(document) or (only and document not in only):
        return []
    filters = replace(request.filters, documents=(document,))
    return library.search(searched_for, replace(request, limit=1, filters=filters, glossary=True, rerank=False))


def rows_of(told: Told, searched_for: str) -> tuple[Found, Mapping[Row, Source]]:
    """The rows that `told` rests on, each a source."""
    rows = dict.fromkeys(row for said in told.sentences for row, _ in said.rests_on)
    sources = {row: row_source(number, row) for number, row in enumerate(rows, start=1)}
    return Found(searched_for, tuple(sources.values()), generator=CATALOGUE), sources


def row_source(number: int, row: Row) -> Source:
    """A row as a source: its text is what it says in words."""
    document = f"release:{row.release}/{row.table}"
    chunk = hashlib.sha256(f"{document}\0{row.key}\0{row.text}".encode()).hexdigest()[:32]
    year = int(row.as_of[:4]) if row.as_of else None
    return Source(
        number, chunk, document, CATALOGUE, row.title, None, None, 0, len(row.text), year, None, row.text, 1.0,
        row.table, row.key, row.as_of or None,
    )  # fmt: skip


def quote(source: Source, place: Place) -> Quote:
    """Characters of a source's text, by their place in its document."""
    return Quote(
        source.number, source.start + place.start, source.start + place.end, source.text[place.start : place.end]
    )


def _passage_source(number: int, hit: Hit) -> Source:
    shared = ("chunk_id", "document_id", "source", "title", "section", "page", "start", "end", "year", "url", "text")
    return Source(number=number, score=hit.score, **{name: getattr(hit, name) for name in shared})


def _last_heading(hit: Hit) -> str:
    """The heading that a passage stands right under; of documents without any the title."""
    return (hit.section or hit.title).split(" > ")[-1]
