"""Which passages need a vector, and the table of all vectors.

Belongs here: reuse of vectors by text and model, the order in which texts are embedded, rows of `corpus_embeddings`.
Does not belong here: the model (`embedding.py`), where it runs (`exo_resources/embedding_run.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from exo_assets.corpus.embedding import Vectors
from exo_assets.corpus.index_contracts import CORPUS_EMBEDDINGS

VECTOR_SCHEMA = pl.Schema([("text_digest", pl.String()), ("vector", pl.List(pl.Float32))])
"""Vectors of one model, by text."""


def digests(texts: pl.Series) -> pl.Series:
    """SHA-256 of each text."""
    found = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    return pl.Series("text_digest", found, dtype=pl.String)


def vector_rows(text_digests: Sequence[str], vectors: Vectors) -> pl.DataFrame:
    """VECTOR_SCHEMA of vectors (texts, dimensions)."""
    arrays = pl.Series("vector", np.asarray(vectors, dtype=np.float32))
    return pl.DataFrame({"text_digest": text_digests, "vector": arrays}).cast(VECTOR_SCHEMA)


def as_matrix(vectors: pl.Series, dimensions: int) -> Vectors:
    """A column of vectors as (rows, dimensions); ValueError when one has another length."""
    if vectors.is_empty():
        return np.empty((0, dimensions), dtype=np.float32)
    if not (vectors.list.len() == dimensions).all():
        raise ValueError(f"there are vectors that do not have {dimensions} dimensions")
    return vectors.explode().to_numpy().astype(np.float32).reshape(vectors.len(), dimensions)


def vectors_of(model_digest: str, tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """VECTOR_SCHEMA: each text once, of what earlier tables of `corpus_embeddings` have by this model."""
    rows = [t.filter(pl.col("model_digest") == model_digest).select(VECTOR_SCHEMA.names()) for t in tables]
    return pl.concat([pl.DataFrame(schema=VECTOR_SCHEMA), *rows]).unique("text_digest", maintain_order=True)


def without_vector(chunks: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """text_digest and text of each text of `chunks` that `known` (VECTOR_SCHEMA) lacks, once, the longest first.

    The longest first: batches of like lengths are padded least, and what remains is never more than it looks.
    """
    texts = chunks.select("text", text_digest=digests(chunks["text"])).unique("text_digest", maintain_order=True)
    missing = texts.join(known, on="text_digest", how="anti", maintain_order="left")
    return missing.sort(pl.col("text").str.len_chars(), descending=True, maintain_order=True)


def batches(missing: pl.DataFrame, most: int, characters: int) -> Iterator[pl.DataFrame]:
    """`missing` in pieces of at most `most` texts and, but for a single text, `characters` characters."""
    start, held = 0, 0
    for row, length in enumerate(missing["text"].str.len_chars()):
        if row > start and (row - start == most or held + length > characters):
            yield missing[start:row]
            start, held = row, 0
        held += length
    if start < missing.height:
        yield missing[start:]


def embeddings_table(chunks: pl.DataFrame, known: pl.DataFrame, model_digest: str) -> pl.DataFrame:
    """`corpus_embeddings` of `chunks`, in their order; ValueError when `known` lacks the vector of one."""
    rows = chunks.select("chunk_id", text_digest=digests(chunks["text"]), model_digest=pl.lit(model_digest))
    table = rows.join(known, on="text_digest", how="left", maintain_order="left")
    if table["vector"].null_count():
        raise ValueError(f"{table['vector'].null_count()} of {table.height} passages have no vector")
    return CORPUS_EMBEDDINGS.conform(table)
