"""Embedding on many workers: a part of the texts each.

Belongs here: what a worker is sent, and its part. Does not belong here: the model (`embedding.py`), or Ray.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exo_assets.corpus.embedding import Embedder, EmbeddingModel, ModelFiles, Vectors

PART = 64
"""Texts of a task: some seconds, well above what loading the model costs."""


@dataclass(frozen=True)
class SentModel:
    """A model whose files go with it: a worker on another machine has none."""

    model: EmbeddingModel
    network: bytes
    tokenizer: bytes

    @classmethod
    def of(cls, embedder: Embedder) -> SentModel:
        """The files of a loaded model."""
        return cls(embedder.model, embedder.files.network.read_bytes(), embedder.files.tokenizer.read_bytes())


def embed_part(sent: SentModel, texts: Sequence[str]) -> Vectors:
    """Unit vectors (texts, dimensions)."""
    with tempfile.TemporaryDirectory() as folder:
        files = ModelFiles(Path(folder) / "model.onnx", Path(folder) / "tokenizer.json")
        files.network.write_bytes(sent.network)
        files.tokenizer.write_bytes(sent.tokenizer)
        return Embedder(sent.model, files).embed(texts)


def embed_in_parts(
    embedder: Embedder, texts: Sequence[str], map_: Callable[[Any, Any, Sequence[Any]], list[Any]]
) -> Vectors:
    """Unit vectors (texts, dimensions); `map_` is `RayRuntime.map`."""
    parts = [list(texts[begin : begin + PART]) for begin in range(0, len(texts), PART)]
    if not parts:
        return np.empty((0, embedder.model.dimensions), dtype=np.float32)
    return np.concatenate(map_(embed_part, SentModel.of(embedder), parts))
