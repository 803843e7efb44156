"""Embedding as a task for a worker on another machine.

Belongs here: a model as values that can be sent, and one batch of texts. Does not belong here: the model itself
(`embedding.py`), which texts (`embeddings.py`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exo_assets.corpus.embedding import (
    CPU,
    NETWORK,
    TOKENIZER,
    TOKENS_PER_BATCH,
    Embedder,
    EmbeddingModel,
    EmbeddingModelError,
    ModelFiles,
    Vectors,
)

GPU_TOKENS_PER_BATCH = 32_768
EMBEDDED_AT_ONCE = 64
"""Texts of a task of `embed_spread`: some seconds of work."""


@dataclass(frozen=True)
class PackedModel:
    """A model with the bytes of its files, and onnxruntime's name of the device that it runs on."""

    model: EmbeddingModel
    digest: str
    network: bytes
    tokenizer: bytes
    provider: str = CPU

    @classmethod
    def of(cls, model: EmbeddingModel, digest: str, files: ModelFiles, provider: str = CPU) -> PackedModel:
        """The model with what is in its files."""
        return cls(model, digest, files.network.read_bytes(), files.tokenizer.read_bytes(), provider)

    def load(self) -> Embedder:
        """The model, on its device; EmbeddingModelError when it cannot run there."""
        with tempfile.TemporaryDirectory() as folder:
            files = ModelFiles(Path(folder) / NETWORK, Path(folder) / TOKENIZER)
            files.network.write_bytes(self.network)
            files.tokenizer.write_bytes(self.tokenizer)
            tokens = TOKENS_PER_BATCH if self.provider == CPU else GPU_TOKENS_PER_BATCH
            return Embedder(self.model, files, provider=self.provider, tokens_per_batch=tokens)


_LOADED: dict[tuple[str, str], Embedder] = {}


def embed_batch(packed: PackedModel, texts: Sequence[str]) -> Vectors:
    """Unit vectors (texts, dimensions). The model stays loaded in this process for the next batch."""
    key = (packed.digest, packed.provider)
    if key not in _LOADED:
        _LOADED.clear()
        _LOADED[key] = packed.load()
    return _LOADED[key].embed(texts)


def embed_spread(packed: PackedModel, texts: Sequence[str], spread: Callable[..., list[Vectors]]) -> Vectors:
    """Unit vectors (texts, dimensions) in the order of `texts`, which `spread` (RayRuntime.map) hands to workers."""
    import numpy as np

    batches = [texts[begin : begin + EMBEDDED_AT_ONCE] for begin in range(0, len(texts), EMBEDDED_AT_ONCE)]
    return np.concatenate(spread(embed_batch, packed, batches))


def can_run(packed: PackedModel, texts: Sequence[str]) -> str:
    """Empty when the model embeds `texts` on its device here, otherwise why it does not."""
    try:
        embed_batch(packed, texts)
    except EmbeddingModelError as error:
        return str(error)
    return ""
