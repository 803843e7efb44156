"""A taught embedding model as files and figures: what the candidate's asset keeps.

Belongs here: the files of a model's folder, how far they are from what was taught, and whether to teach anew at all.
Does not belong here: where the training runs, or the lake.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from exo_assets.corpus.embedder_learning import EmbedderFit, EmbedderSettings
from exo_assets.corpus.embedder_tasks import TITLES, Task
from exo_assets.corpus.embedding import (
    DESCRIPTION,
    MINILM,
    NETWORK,
    TOKENIZER,
    Embedder,
    ModelFiles,
    load_tokenizer,
)
from exo_assets.corpus.pairs import Pair

PAIRS, TASKS = "pairs.parquet", "tasks.json"
"""Beside the model's files: what it learned from, and what it is judged by."""
COMPARED = 100
"""Held-out texts on which vectors as served and as taught are compared."""
GREW = 1.5
"""A corpus that has grown so much since a model was taught is learned again without being asked to."""


@dataclass(frozen=True)
class Closeness:
    """Least and mean cosine of vectors as served and as taught."""

    least: float
    mean: float


def model_name(way: str) -> str:
    """Name of the model that was taught so."""
    return f"{MINILM.name}-{way}"


def model_files(network: bytes, tokenizer: bytes, name: str, facts: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a model's folder; `facts` go into its description."""
    said = {**facts, "name": name, "dimensions": MINILM.dimensions, "tokens": MINILM.tokens}
    return {NETWORK: network, TOKENIZER: tokenizer, DESCRIPTION: json.dumps(said, indent=1, sort_keys=True).encode()}


def closeness(fit: EmbedderFit, served: Path, tokenizer: Path, tasks: Sequence[Task]) -> Closeness:
    """How near the vectors of the file `served` are to those of the weights, on held-out texts."""
    from exo_assets.corpus.embedder_torch import bert, embed_texts

    texts = [text for task in tasks if task.name == TITLES for text in task.passages[: len(task.queries)]][:COMPARED]
    texts = texts or [text for task in tasks for text in task.queries][:COMPARED]
    files = ModelFiles(served, tokenizer)
    cut = load_tokenizer(files)
    cut.enable_truncation(MINILM.tokens)
    taught = embed_texts(bert(fit.weights), [e.ids for e in cut.encode_batch(texts)])
    cosines = (Embedder(MINILM, files).embed(texts) * taught).sum(axis=1)
    return Closeness(float(cosines.min()), float(cosines.mean()))


def recipe_digest(settings: EmbedderSettings, seed: int, code: str, base: str) -> str:
    """What a taught model depends on beside the corpus."""
    said = json.dumps([asdict(settings), seed, code, base], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def pairs_frame(pairs: Sequence[Pair]) -> pl.DataFrame:
    """[kind, document_id, query, passage]."""
    columns = ("kind", "document_id", "query", "passage")
    return pl.DataFrame([[getattr(p, c) for p in pairs] for c in columns], schema=dict.fromkeys(columns, pl.String))


def stays(before: pl.DataFrame, recipe: str, n_documents: int) -> bool:
    """Whether the candidate in place is still what would be taught, but for some documents more."""
    if before.is_empty():
        return False
    row = before.row(0, named=True)
    return bool(row["recipe"] == recipe and n_documents <= GREW * row["n_documents"])
