"""Finished batches of vectors, kept while a long embedding runs: a night that is killed goes on where it was.

Belongs here: parts by model, in the lake. Does not belong here: embedding, and the table that takes them in.
"""

from __future__ import annotations

import io

import polars as pl

from exo_assets.corpus.embeddings import VECTOR_SCHEMA
from exo_resources.lake import Lake

ROOT = "corpus/vector_parts"


class VectorParts:
    """Vectors of one model that are in no table yet."""

    def __init__(self, lake: Lake, model_digest: str) -> None:
        self.lake, self._folder = lake, f"{ROOT}/{model_digest[:16]}"

    def keep(self, vectors: pl.DataFrame) -> None:
        """Keep a part (VECTOR_SCHEMA, at least one row)."""
        out = io.BytesIO()
        vectors.select(VECTOR_SCHEMA.names()).write_parquet(out)
        self.lake.put(f"{self._folder}/{vectors['text_digest'][0]}.parquet", out.getvalue())

    def read(self) -> pl.DataFrame:
        """All parts: VECTOR_SCHEMA, each text once."""
        parts = [pl.read_parquet(io.BytesIO(self.lake.get(key))) for key in self.lake.keys(self._folder)]
        return pl.concat([pl.DataFrame(schema=VECTOR_SCHEMA), *parts]).unique("text_digest", maintain_order=True)

    def clear(self) -> None:
        """Forget all parts, of other models too: what they hold is in the table, or of no use."""
        for key in self.lake.keys(ROOT):
            self.lake.delete(key)
