"""The corpus cut into passages, as the embedding model counts tokens.

Belongs here: which tokenizer counts, and what is kept of last time's passages. Does not belong here: cutting a text
(`chunks.py`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import polars as pl

from exo_assets.corpus.chunks import ChunkSettings, chunk_table
from exo_assets.corpus.contracts import CORPUS_CHUNKS
from exo_assets.corpus.embedding import ModelFiles, load_tokenizer, packaged_files
from exo_assets.corpus.tokens import Offsets


def tokenizer_files(folder: Path | None) -> ModelFiles:
    """The files of the model in `folder` (EXO_EMBEDDING_MODEL); None: of the one that ships, whose tokenizer those that
    learned from it keep."""
    return packaged_files() if folder is None else ModelFiles(folder / "model.onnx", folder / "tokenizer.json")


def chunking_digest(settings: ChunkSettings, files: ModelFiles) -> str:
    """What passages depend on besides the documents and the code."""
    tokenizer = hashlib.sha256(files.tokenizer.read_bytes()).hexdigest() if files.tokenizer.is_file() else "absent"
    return f"{settings.tokens} {settings.overlap} {tokenizer}"


def offsets_of(files: ModelFiles) -> Offsets:
    """The model's tokenizer as the chunker takes it; EmbeddingModelError when it cannot be loaded."""
    tokenizer: Any = load_tokenizer(files)

    def offsets(text: str) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = tokenizer.encode(text, add_special_tokens=False).offsets
        return found

    return offsets


def chunked(
    documents: pl.DataFrame, offsets: Offsets, settings: ChunkSettings, before: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, int]:
    """Rows of `corpus_chunks` in the order of documents, and of how many documents they were cut anew.

    `before`: passages of last time, cut in the same way; those of documents whose digest is the same are kept.
    """
    known = CORPUS_CHUNKS.empty() if before is None else before
    by_digest = {"document_id": "document_id", "digest": "document_digest"}
    same = documents.select(*(pl.col(old).alias(new) for old, new in by_digest.items()))
    kept = known.join(same, on=list(by_digest.values()), how="semi")
    new = documents.join(
        kept.select("document_id", digest="document_digest").unique(), on=["document_id", "digest"], how="anti"
    )
    found = pl.concat([kept, chunk_table(new, offsets, settings)]).sort("document_id", "ordinal")
    return CORPUS_CHUNKS.check(found), new.height
