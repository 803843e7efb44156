"""Which embedding model the corpus is embedded with.

Belongs here: the reference to a model that travels with vectors and indexes, and the choice between those at hand. Does
not belong here: running a model (`embedding.py`), fetching its files (`exo_resources/embedding_models.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import polars as pl

from exo_assets.corpus.embedding import EmbeddingModel


@dataclass(frozen=True)
class EmbeddingRef:
    """A model by its content: `digest` is `embedding.model_digest`; `key` is the folder of its files in the lake, None
    for the model that ships."""

    name: str
    dimensions: int
    tokens: int
    digest: str
    key: str | None = None

    @property
    def model(self) -> EmbeddingModel:
        """What an embedder must know of it."""
        return EmbeddingModel(self.name, self.dimensions, self.tokens)

    def as_row(self) -> dict[str, Any]:
        """Plain values, for a manifest."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """What `as_row` gave."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


def embedding_in_use(
    packaged: EmbeddingRef, *, chosen: EmbeddingRef | None, champion: pl.DataFrame | None
) -> EmbeddingRef:
    """The model that vectors are made with: `chosen` by a setting, else the one that learned the corpus and was
    promoted (the row of `ml_embedder_champion`), else the one that ships."""
    if chosen is not None:
        return chosen
    if champion is None or champion.is_empty():
        return packaged
    row = champion.row(0, named=True)
    return EmbeddingRef(row["name"], row["dimensions"], row["tokens"], row["digest"], row["folder_key"])
