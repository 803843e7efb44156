"""Embedding models: which is in use, and its files on this machine.

Belongs here: the setting, the lake's copy, the champion's table, and loading. Does not belong here: the choice between
them (`exo_assets/corpus/embedding_in_use.py`), running one (`exo_assets/corpus/embedding.py`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from exo_assets.corpus.embedding import (
    MINILM,
    NETWORK,
    TOKENIZER,
    Embedder,
    EmbeddingModel,
    EmbeddingModelError,
    ModelFiles,
    model_digest,
    model_from_folder,
    packaged_files,
)
from exo_assets.corpus.embedding_in_use import EmbeddingRef, embedding_in_use
from exo_resources.lake import Lake
from exo_resources.settings import Settings

ROOT = "corpus/models"
CHAMPION = "ml_embedder_champion"


class EmbeddingModels:
    """The embedding models of an installation."""

    def __init__(self, lake: Lake, settings: Settings) -> None:
        self.lake = lake
        self._folder = settings.embedding_model
        self._cache = settings.home / "models"

    def in_use(self) -> EmbeddingRef:
        """The model that new vectors are made with; EmbeddingModelError when it cannot be had."""
        champion = self.lake.stored(CHAMPION) if self._folder is None else None
        return embedding_in_use(self.packaged, chosen=self._chosen, champion=champion)

    def keep(self, ref: EmbeddingRef) -> None:
        """Copy the model that the setting names into the lake, so that what is embedded with it stays searchable."""
        if ref != self._chosen or ref.key is None or self._folder is None:
            return
        _, files = model_from_folder(self._folder)
        for name, path in ((NETWORK, files.network), (TOKENIZER, files.tokenizer)):
            if not self.lake.has(f"{ref.key}/{name}"):
                self.lake.put(f"{ref.key}/{name}", path.read_bytes())

    def store(self, model: EmbeddingModel, files: Mapping[str, bytes]) -> EmbeddingRef:
        """Put a model that was made here into the lake; `files` by their names in a model's folder, others beside."""
        with tempfile.TemporaryDirectory() as folder:
            paths = ModelFiles(Path(folder) / NETWORK, Path(folder) / TOKENIZER)
            for path in (paths.network, paths.tokenizer):
                path.write_bytes(files[path.name])
            digest = model_digest(model, paths)
        ref = EmbeddingRef(model.name, model.dimensions, model.tokens, digest, f"{ROOT}/{digest[:16]}")
        for name, content in files.items():
            self.lake.put(f"{ref.key}/{name}", content)
        return ref

    def forget(self, ref: EmbeddingRef) -> None:
        """Delete the lake's copy of a model that nothing is embedded with."""
        for key in self.lake.keys(ref.key) if ref.key else []:
            self.lake.delete(key)

    def files(self, ref: EmbeddingRef) -> ModelFiles:
        """The files of a model on this machine; EmbeddingModelError when they are not there or not those of `ref`."""
        files = packaged_files() if ref.key is None else self._from_lake(ref.key)
        if (found := model_digest(ref.model, files)) != ref.digest:
            where = "the package that ships it" if ref.key is None else f"{ref.key} in the lake"
            raise EmbeddingModelError(
                f"the embedding model {ref.name} ({ref.digest[:12]}) is not what {where} has ({found[:12]}); "
                "`exo run --job corpus_refresh` embeds the corpus with the model at hand"
            )
        return files

    def embedder(self, ref: EmbeddingRef) -> Embedder:
        """The model, loaded on the CPU."""
        return Embedder(ref.model, self.files(ref))

    @cached_property
    def packaged(self) -> EmbeddingRef:
        """The model that ships."""
        return EmbeddingRef(MINILM.name, MINILM.dimensions, MINILM.tokens, model_digest(MINILM, packaged_files()))

    @cached_property
    def _chosen(self) -> EmbeddingRef | None:
        """The model of the setting, with the place that its copy has in the lake."""
        if self._folder is None:
            return None
        model, files = model_from_folder(self._folder)
        digest = model_digest(model, files)
        return EmbeddingRef(model.name, model.dimensions, model.tokens, digest, f"{ROOT}/{digest[:16]}")

    def _from_lake(self, key: str) -> ModelFiles:
        paths = []
        for name in (NETWORK, TOKENIZER):
            try:
                paths.append(self.lake.local_path(f"{key}/{name}") or self._fetched(f"{key}/{name}"))
            except FileNotFoundError:
                raise EmbeddingModelError(f"the embedding model {key} is not in the lake: {name} is missing") from None
        return ModelFiles(*paths)

    def _fetched(self, key: str) -> Path:
        """A copy of what a bucket has under `key`; keys hold digests, so a copy never goes stale."""
        target = self._cache / key
        if not target.exists():
            data = self.lake.get(key)
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as out:
                out.write(data)
            Path(out.name).replace(target)
        return target
