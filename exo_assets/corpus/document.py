"""A document of the corpus, one that was refused, and the tables that they make.

Belongs here: what is known of a document, its digest, and rows of `corpus_documents` and `corpus_quarantine`.
Does not belong here: reading bytes (`read_document.py`, `arxiv.py`), or cutting passages (`chunks.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date

import polars as pl

from exo_assets.corpus.contracts import CORPUS_DOCUMENTS, CORPUS_QUARANTINE, REASONS


@dataclass(frozen=True)
class Document:
    """One document with its whole text.

    `source` is one of SOURCES, `media` one of MEDIA. `page_starts` has the offset in `text` of each page's first
    character, rising from 0 (pages without text share theirs with the next); empty for what has no pages.
    """

    document_id: str
    source: str
    media: str
    title: str
    text: str
    page_starts: tuple[int, ...] = ()
    pages_without_text: int = 0
    authors: tuple[str, ...] = ()
    published: date | None = None
    updated: date | None = None
    url: str | None = None
    categories: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of all fields: it changes whenever anything that is known of the document does."""
        return hashlib.sha256(json.dumps(asdict(self), default=str).encode()).hexdigest()


@dataclass(frozen=True)
class Rejected:
    """A document that does not count. `reason` is one of REASONS; `message` names it and says what to do."""

    name: str
    source: str
    reason: str
    message: str

    def __post_init__(self) -> None:
        if self.reason not in REASONS:
            raise ValueError(f"{self.reason!r} is none of the reasons for quarantine: {', '.join(REASONS)}")


def documents_table(documents: Iterable[Document]) -> pl.DataFrame:
    """Rows of `corpus_documents`, checked; ContractError when an id occurs twice. Mission and targets stay null."""
    rows = [
        {
            **{k: v for k, v in vars(d).items() if k not in ("authors", "categories", "page_starts")},
            "authors": list(d.authors),
            "categories": list(d.categories),
            "page_starts": list(d.page_starts),
            "pages": len(d.page_starts) or None,
            "pages_without_text": d.pages_without_text if d.page_starts else None,
            "year": d.published.year if d.published else None,
            "n_characters": len(d.text),
            "digest": d.digest,
        }
        for d in documents
    ]
    return CORPUS_DOCUMENTS.check(pl.DataFrame(rows, schema=CORPUS_DOCUMENTS.schema, orient="row"))


def quarantine_table(rejected: Iterable[Rejected]) -> pl.DataFrame:
    """Rows of `corpus_quarantine`, checked; of a document that was refused twice the last row counts."""
    last = {(r.source, r.name): r for r in rejected}
    rows = [(r.name, r.source, r.reason, r.message) for r in last.values()]
    return CORPUS_QUARANTINE.check(pl.DataFrame(rows, schema=CORPUS_QUARANTINE.schema, orient="row"))
