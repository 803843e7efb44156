"""Embedding many texts on Ray.

Belongs here: the device, batches to workers, progress, parts that are kept. Does not belong here: which texts need a
vector (`exo_assets/corpus/embeddings.py`), the model (`exo_assets/corpus/embedding.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl

from exo_assets.corpus.embedding import CPU, CUDA
from exo_assets.corpus.embedding_in_use import EmbeddingRef
from exo_assets.corpus.embedding_tasks import PackedModel, can_run, embed_batch
from exo_assets.corpus.embeddings import VECTOR_SCHEMA, batches, vector_rows
from exo_resources.embedding_models import EmbeddingModels
from exo_resources.ray_runtime import RayRuntime, WorkerLost
from exo_resources.vector_parts import VectorParts

CPU_BATCH, GPU_BATCH = (32, 50_000), (4096, 8_000_000)
"""Most texts and characters of a task: some seconds of work, well above what sending it costs."""
KEPT_EVERY_S = 30.0
TOLD_EVERY_S = 15.0

Tell = Callable[[str], object]


class EmbeddingLostError(RuntimeError):
    """A batch could not be embedded because its workers died again and again; what was finished before is kept."""


@dataclass(frozen=True)
class Embedded:
    """VECTOR_SCHEMA of the texts, the device that made them (onnxruntime's name), and how long it took."""

    vectors: pl.DataFrame
    device: str
    seconds: float


def embed_texts(
    missing: pl.DataFrame,
    ref: EmbeddingRef,
    *,
    ray_runtime: RayRuntime,
    models: EmbeddingModels,
    parts: VectorParts,
    tell: Tell,
) -> Embedded:
    """Vectors of `missing` (text_digest and text, the longest first). Finished batches are kept in `parts` meanwhile.

    Ray is not started when nothing is missing. EmbeddingLostError, EmbeddingModelError.
    """
    began = time.monotonic()
    if missing.is_empty():
        return Embedded(pl.DataFrame(schema=VECTOR_SCHEMA), "none", 0.0)
    packed = _on_device(ray_runtime, PackedModel.of(ref.model, ref.digest, models.files(ref)), tell)
    gpu = packed.provider != CPU
    todo = list(batches(missing, *(GPU_BATCH if gpu else CPU_BATCH)))
    tasks = ([str(text) for text in batch["text"]] for batch in todo)
    progress = _Progress(missing, tell)
    done, unkept = list[pl.DataFrame](), list[pl.DataFrame]()
    kept_at = time.monotonic()
    for batch, made in zip(todo, ray_runtime.stream(embed_batch, packed, tasks, gpus=1 if gpu else 0), strict=True):
        if isinstance(made, WorkerLost):
            raise EmbeddingLostError(f"a batch of {batch.height} texts was given up: {made.message}")
        unkept.append(vector_rows(batch["text_digest"].to_list(), made))
        progress.add(batch)
        if time.monotonic() - kept_at > KEPT_EVERY_S:
            parts.keep(pl.concat(unkept))
            done, unkept, kept_at = [*done, *unkept], [], time.monotonic()
    if unkept:
        parts.keep(pl.concat(unkept))
    return Embedded(pl.concat([*done, *unkept]), packed.provider, time.monotonic() - began)


def _on_device(ray_runtime: RayRuntime, packed: PackedModel, tell: Tell) -> PackedModel:
    """The model for a GPU when the cluster has one and the model runs there, else for CPUs."""
    if not ray_runtime.gpus():
        return packed
    on_gpu = replace(packed, provider=CUDA)
    (problem,) = ray_runtime.stream(can_run, on_gpu, [["A transit."]], gpus=1)
    if not problem:
        return on_gpu
    tell(f"the cluster has a GPU, but the embedding model does not run on it and is run on CPUs: {problem}")
    return packed


class _Progress:
    """How far an embedding is, told now and then; what remains is reckoned by characters."""

    def __init__(self, missing: pl.DataFrame, tell: Tell) -> None:
        self._tell, self._texts = tell, missing.height
        self._characters = _characters(missing)
        self._began = self._told = time.monotonic()
        self._done = self._through = 0

    def add(self, batch: pl.DataFrame) -> None:
        """Count a finished batch."""
        self._done += batch.height
        self._through += _characters(batch)
        now = time.monotonic()
        if now - self._told > TOLD_EVERY_S or self._done == self._texts:
            self._told = now
            seconds = max(now - self._began, 1e-9)
            remaining = seconds * (self._characters - self._through) / max(1, self._through)
            self._tell(
                f"{self._done:,} of {self._texts:,} texts embedded, {self._done / seconds:.1f} texts/s, "
                f"{remaining:.0f} s remaining"
            )


def _characters(texts: pl.DataFrame) -> int:
    return int(texts["text"].str.len_chars().sum())
