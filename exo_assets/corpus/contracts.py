"""Contracts of the corpus tables: documents, what could not be read, chunks.

Belongs here: columns, units, ranges and keys. Does not belong here: how they are made.
"""

from __future__ import annotations

import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.contracts import Column, TableContract

S, I, D = pl.String, pl.Int64, pl.Date  # noqa: E741

SOURCES = ("arxiv", "archive_columns", "package", "file")
"""Listings of arXiv, the archive's column definitions, this package's own documentation, files that users gave."""
SHIPPED = ("archive_columns", "package")
"""Sources of the documents that ship: what they say is there in every corpus."""
GLOSSARY = "exo:glossary/"
"""How the ids of the glossary's words begin."""

MEDIA = ("abstract", "markdown", "pdf", "text")
"""What a document was read from; it decides where sections begin."""

REASONS = (
    "bad_name",
    "unknown_format",
    "empty",
    "too_large",
    "too_many_pages",
    "too_long",
    "encrypted",
    "broken",
    "no_text",
    "binary",
    "encoding",
    "incomplete",
    "duplicate_name",
    "not_a_file",
    "leads_out",
    "unreadable",
    "timed_out",
    "crashed",
)
"""Why a document is quarantined: one code each.

`bad_name`: the name cannot be an id; `unknown_format`: not PDF, TXT or Markdown; `empty`: no content at all;
`too_large`, `too_many_pages`, `too_long`: beyond the limit of bytes, of pages, or of characters or passages; `encrypted`: needs a password;
`broken`: damaged or cut; `no_text`: pages without a text layer, or without a letter; `binary`: not text;
`encoding`: text that is neither UTF-8 nor UTF-16 with a byte-order mark; `incomplete`: a record of a listing that lacks
its id, title or abstract; `duplicate_name`: another file of the same name came first; `not_a_file`: a pipe, a
folder, a link to nothing, ... that is named like a document; `leads_out`: a link to a file outside of the folder;
`unreadable`: a file or folder that cannot be opened; `timed_out`, `crashed`: what became of the process that read it.
"""

_DIGEST = "SHA-256 of everything that is known of the document (text, title, pages, authors, dates, ...)"

CORPUS_DOCUMENTS = TableContract(
    "corpus_documents",
    "Documents that passages are taken from: abstracts, column definitions, own documentation, users' files.",
    (
        Column(
            "document_id", S, "arXiv:2503.17117, archive:koi_period, exo:README.md or the file's name", nullable=False
        ),
        Column("source", S, "Where it comes from", nullable=False, allowed=SOURCES),
        Column("media", S, "What it was read from", nullable=False, allowed=MEDIA),
        Column("title", S, "Title; of a file without one its first line", nullable=False),
        Column("text", S, "The whole text, as all offsets count it", nullable=False),
        Column("authors", pl.List(S), "Authors in the order of publication; empty where unknown", nullable=False),
        Column("year", I, "Year of the first version", "yr", low=1600, high=2200),
        Column("published", D, "Day of the first version"),
        Column("updated", D, "Day of the version at hand"),
        Column("url", S, "Where people read it"),
        Column("categories", pl.List(S), "arXiv's categories, the primary one first; else empty", nullable=False),
        Column("mission", S, "Mission that it is about; null: not one, or not known", allowed=MISSIONS),
        Column("targets", pl.List(S), "Stars and signals that it names; null: not looked for"),
        Column("pages", I, "Number of pages; null for what has none", low=1),
        Column("page_starts", pl.List(I), "Offset in the text at which each page begins", nullable=False),
        Column("pages_without_text", I, "Pages that gave no text (figures, scans)", low=0),
        Column("n_characters", I, "Length of the text", nullable=False, low=1),
        Column("digest", S, _DIGEST, nullable=False),
    ),
    key=("document_id",),
)

CORPUS_QUARANTINE = TableContract(
    "corpus_quarantine",
    "Documents that could not be read, with the reason and what to do about it.",
    (
        Column("document", S, "Name of the file, or id of the record", nullable=False),
        Column("source", S, "Where it comes from", nullable=False, allowed=SOURCES),
        Column("reason", S, "Code of what is wrong", nullable=False, allowed=REASONS),
        Column("message", S, "What is wrong and the remedy, in words", nullable=False),
    ),
    key=("source", "document"),
)

CORPUS_CHUNKS = TableContract(
    "corpus_chunks",
    "Passages of the documents, with their place in them.",
    (
        Column("chunk_id", S, "32 hex digits of a SHA-256 over document, offsets and text", nullable=False),
        Column("document_id", S, "Document (key of corpus_documents)", nullable=False),
        Column("ordinal", I, "Number of the chunk in its document, from 0", nullable=False, low=0),
        Column("section", S, "Heading that it stands under, with those above it; null: none"),
        Column("page", I, "Page on which it begins, from 1; null for what has no pages", low=1),
        Column("start", I, "Offset of its first character in the document's text", nullable=False, low=0),
        Column("end", I, "Offset behind its last character", nullable=False, low=1),
        Column("n_tokens", I, "Tokens in it, special ones aside", nullable=False, low=0),
        Column("text", S, "The passage: the document's text from `start` to `end`", nullable=False),
        Column("document_digest", S, "Digest of the document that it was cut from", nullable=False),
    ),
    key=("chunk_id",),
)

CONTRACTS = (CORPUS_DOCUMENTS, CORPUS_QUARANTINE, CORPUS_CHUNKS)
