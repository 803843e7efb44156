"""Contracts of the index's tables: vectors, the version that was built, the version that was released.

Belongs here: columns, units, ranges and keys. Does not belong here: how they are made.
"""

from __future__ import annotations

import polars as pl

from exo_assets.contracts import Column, TableContract

S, I = pl.String, pl.Int64  # noqa: E741

CORPUS_EMBEDDINGS = TableContract(
    "corpus_embeddings",
    "A unit vector of every passage.",
    (
        Column("chunk_id", S, "Passage (key of corpus_chunks)", nullable=False),
        Column("text_digest", S, "SHA-256 of the passage's text: equal texts have one vector", nullable=False),
        Column("model_digest", S, "SHA-256 of the embedding model", nullable=False),
        Column("vector", pl.List(pl.Float32), "Unit vector", nullable=False),
    ),
    key=("chunk_id",),
)

CORPUS_INDEX = TableContract(
    "corpus_index",
    "The version of the index that was built last; one row. Readers see it once corpus_release has released it.",
    (
        Column("version", S, "Name of the version: a digest of its content", nullable=False),
        Column("documents", I, "Documents in it", nullable=False, low=1),
        Column("chunks", I, "Passages in it", nullable=False, low=1),
        Column("names", I, "Names of stars and signals that it knows", nullable=False, low=0),
        Column("model_name", S, "Embedding model", nullable=False),
        Column("model_digest", S, "SHA-256 of the embedding model", nullable=False),
        Column("dimensions", I, "Dimensions of a vector", nullable=False, low=1),
        Column("bytes", I, "Size of the version in the lake", "B", nullable=False, low=1),
        Column("built_at", S, "When it was built (UTC)", nullable=False),
        Column("collection", S, "Its collection on the Qdrant server; null without a server"),
    ),
    key=("version",),
)

CORPUS_RELEASE = TableContract(
    "corpus_release",
    "The version of the index that every reader opens; one row.",
    (
        Column("version", S, "Name of the version", nullable=False),
        Column("released_at", S, "When it was released (UTC)", nullable=False),
        Column("previous_version", S, "The version that was released before it; null: none"),
        Column("documents", I, "Documents in it", nullable=False, low=1),
        Column("chunks", I, "Passages in it", nullable=False, low=1),
        Column("model_name", S, "Embedding model", nullable=False),
        Column("model_digest", S, "SHA-256 of the embedding model", nullable=False),
    ),
    key=("version",),
)

CONTRACTS = (CORPUS_EMBEDDINGS, CORPUS_INDEX, CORPUS_RELEASE)
