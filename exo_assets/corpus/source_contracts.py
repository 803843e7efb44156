"""Contracts of the corpus's sources: arXiv's abstracts, files of the watched folder.

Belongs here: columns, units, ranges and keys. Does not belong here: how they are made.
"""

from __future__ import annotations

import polars as pl

from exo_assets.contracts import Column, TableContract
from exo_assets.corpus.contracts import MEDIA, REASONS

S, I, D = pl.String, pl.Int64, pl.Date  # noqa: E741

STATUS = ("kept", "quarantined")

_OUTCOME = (
    Column("status", S, "Whether it counts", nullable=False, allowed=STATUS),
    Column("reason", S, "Code of what is wrong (as in corpus_quarantine); null: nothing", allowed=REASONS),
    Column("message", S, "What is wrong and the remedy, in words"),
)

RAW_ARXIV__ABSTRACTS = TableContract(
    "raw_arxiv__abstracts",
    "arXiv's records of the wanted categories: what was listed of each last.",
    (
        Column(
            "document_id", S, "arXiv:2503.17117, or what the record is called where it has no such id", nullable=False
        ),
        *_OUTCOME,
        Column("title", S, "Title; formulas are LaTeX"),
        Column("abstract", S, "Abstract on one line; formulas are LaTeX"),
        Column("authors", pl.List(S), "Authors in the order of publication; empty where unknown", nullable=False),
        Column("categories", pl.List(S), "arXiv's categories, the primary one first", nullable=False),
        Column("published", D, "Day of the first version; null where the source does not say"),
        Column("updated", D, "Day of the version at hand; null where the source does not say"),
        Column("listed", D, "Day on which arXiv last changed its record; null: from a mirror"),
    ),
    key=("document_id",),
)

RAW_DOCUMENTS__FILES = TableContract(
    "raw_documents__files",
    "Files of the watched folder, and what was read from each.",
    (
        Column("path", S, "Path below the folder, with slashes", nullable=False),
        Column("document_id", S, "Name of the file, which is the document's id", nullable=False),
        Column("size_bytes", I, "Size", "B", nullable=False, low=0),
        Column(
            "fingerprint",
            S,
            "Size and time of the last change: a file that has the same is not read again",
            nullable=False,
        ),
        Column("sha256", S, "Of its bytes; null: they were not read"),
        *_OUTCOME,
        Column("reader", S, "Version of the code that read it", nullable=False),
        Column("recognition", S, "What recognised the text of its scanned pages; null: nothing was at hand"),
        Column("media", S, "What it was read from", allowed=MEDIA),
        Column("title", S, "Title; of a file without one its first line"),
        Column("text", S, "The whole text"),
        Column("authors", pl.List(S), "Authors as the file names them; empty where it does not", nullable=False),
        Column("page_starts", pl.List(I), "Offset in the text at which each page begins", nullable=False),
        Column("pages_without_text", I, "Pages that gave no text (figures, scans)", low=0),
    ),
    key=("path",),
)

CONTRACTS = (RAW_ARXIV__ABSTRACTS, RAW_DOCUMENTS__FILES)
