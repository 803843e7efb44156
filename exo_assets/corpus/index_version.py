"""What one version of the index is made of, and its name.

Belongs here: the parts, that they fit together, and the digest that names them. Does not belong here: files and stores
(`exo_resources/library_store.py`), searching (`library.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from exo_assets.corpus.embedding import Vectors
from exo_assets.corpus.embedding_in_use import EmbeddingRef
from exo_assets.corpus.embeddings import as_matrix
from exo_assets.corpus.terms import TERMS_VERSION

INDEX_FORMAT = 2
"""Raised when the same parts are laid down otherwise."""

VERSION_DIGITS = 16


class IndexContentError(ValueError):
    """Parts that do not make one index."""


@dataclass(frozen=True)
class IndexContent:
    """Rows of corpus_chunks and corpus_documents, unit vectors (chunks, dimensions) in the chunks' order, names of
    stars and signals (`identifiers.aliases`), and the model that the vectors are of."""

    chunks: pl.DataFrame
    documents: pl.DataFrame
    vectors: Vectors
    aliases: pl.DataFrame
    model: EmbeddingRef

    def __post_init__(self) -> None:
        if self.chunks.is_empty():
            raise IndexContentError("there is no passage to index")
        if self.vectors.shape != (self.chunks.height, self.model.dimensions):
            raise IndexContentError(
                f"vectors of shape {self.vectors.shape} for {self.chunks.height} passages of {self.model.dimensions} "
                "dimensions each"
            )
        orphans = self.chunks.join(self.documents, on="document_id", how="anti")
        if orphans.height:
            raise IndexContentError(
                f"{orphans.height} passages are of no document, the first of {orphans['document_id'][0]!r}; "
                "materialise corpus_chunks again"
            )
        lengths = np.linalg.norm(self.vectors, axis=1)
        if not np.allclose(lengths, 1, atol=1e-3):
            raise IndexContentError(f"{int((abs(lengths - 1) > 1e-3).sum())} vectors are not of unit length")

    @classmethod
    def of(
        cls,
        chunks: pl.DataFrame,
        documents: pl.DataFrame,
        embeddings: pl.DataFrame,
        aliases: pl.DataFrame,
        model: EmbeddingRef,
    ) -> Self:
        """The content of the tables corpus_chunks, corpus_documents and corpus_embeddings. IndexContentError."""
        of_model = embeddings.filter(pl.col("model_digest") == model.digest).select("chunk_id", "vector")
        joined = chunks.select("chunk_id").join(of_model, on="chunk_id", how="left", maintain_order="left")
        if without := joined["vector"].null_count():
            raise IndexContentError(
                f"{without} of {chunks.height} passages have no vector by {model.name} ({model.digest[:12]}); "
                "materialise corpus_embeddings again"
            )
        try:
            vectors = as_matrix(joined["vector"], model.dimensions)
        except ValueError as wrong:
            raise IndexContentError(str(wrong)) from wrong
        return cls(chunks, documents, vectors, aliases, model)

    def version(self) -> str:
        """The name of the index: the same for the same passages, documents, names and model, in any order of rows."""
        whole = hashlib.sha256(f"exo index {INDEX_FORMAT}, terms {TERMS_VERSION}, {self.model.digest}\n".encode())
        for frame in (self.chunks, self.documents.drop("text", strict=False), self.aliases):
            whole.update(_digest(frame))
        return whole.hexdigest()[:VERSION_DIGITS]


def _digest(frame: pl.DataFrame) -> bytes:
    """SHA-256 of a table's rows, whatever their order; names of columns count."""
    rows = frame.select(sorted(frame.columns))
    lines = sorted(rows.write_ndjson().encode().splitlines())
    whole = hashlib.sha256(f"{rows.schema}\n".encode())
    for line in lines:
        whole.update(line + b"\n")
    return whole.digest()
