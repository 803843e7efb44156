"""Versions of the corpus's index in the lake, and the one that is released.

Belongs here: laying a version down, opening one as a `Library`, moving the pointer, forgetting old ones. Does not
belong here: searching (`exo_assets/corpus/library.py`), whether a version may be released (the assets).

A version is a folder `corpus/index/<version>/` that never changes: the manifest is written last, and a folder without
one is no version. The pointer `corpus/current.json` is one small file that is replaced: a reader sees the version
before or the version after, each whole.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
import polars as pl

from exo_assets.corpus.embedding import Vectors
from exo_assets.corpus.embedding_in_use import EmbeddingRef
from exo_assets.corpus.index_version import INDEX_FORMAT, IndexContent
from exo_assets.corpus.keyword_index import KeywordIndex, KeywordIndexError
from exo_assets.corpus.library import Embed, Library, PassageStore
from exo_assets.corpus.rerank import CrossEncoder
from exo_resources.embedding_models import EmbeddingModels
from exo_resources.lake import Lake
from exo_resources.passage_server import QdrantServer, ServerStore
from exo_resources.passage_store import EmbeddedStore
from exo_resources.qdrant_connection import QdrantServerError
from exo_resources.settings import Settings

log = logging.getLogger("exo.library")
ROOT, CURRENT = "corpus/index", "corpus/current.json"
MANIFEST, VECTORS, KEYWORDS = "manifest.json", "vectors.npy", "keywords.zip"
TABLES = ("chunks", "documents", "aliases")
REMEDY = "`exo run --job corpus_refresh` builds, judges and releases one (`exo run` in a home without a first night)"
KEPT, OPEN_AT_ONCE = 3, 2


class LibraryMissingError(LookupError):
    """There is no index to search, or not the version that was asked for."""


class DamagedIndexError(ValueError):
    """A version of the index, or the pointer to the released one, is there and cannot be read as it was written."""

    @classmethod
    def of_version(cls, version: str, why: object) -> Self:
        """The files of a version."""
        return cls(
            f"the index {version} is damaged ({why}); remove {ROOT}/{version} from the lake and run "
            "`exo run --job corpus_refresh`, which builds it again"
        )

    @classmethod
    def of_pointer(cls, why: object) -> Self:
        """The pointer."""
        return cls(
            f"{CURRENT} in the lake, which names the released index, is damaged ({why}); "
            "`exo run --job corpus_refresh` writes it again"
        )


class LibraryStore:
    """The index's versions of one lake, and their collections where the settings name a Qdrant server."""

    def __init__(self, lake: Lake, settings: Settings) -> None:
        self.lake, self.settings = lake, settings
        self.models = EmbeddingModels(lake, settings)
        self._server = qdrant_server(settings)

    # -- building --------------------------------------------------------------------------------------------------

    def build(self, content: IndexContent, tell: Callable[[str], object] = lambda _: None) -> dict[str, Any]:
        """Lay `content` down as a version of its own, unless it is there whole; returns its manifest. Releases nothing.

        `tell` is given progress in words. QdrantServerError.
        """
        version = content.version()
        manifest = self._whole_manifest(version)
        if manifest is None or self._lost(manifest):
            manifest = self._lay_down(version, content, tell)
        if self._server and not self._server.has(version, content.chunks.height):
            self._server.fill(version, content, tell)
        return manifest

    def _lay_down(self, version: str, content: IndexContent, tell: Callable[[str], object]) -> dict[str, Any]:
        tell(f"index {version}: {content.chunks.height:,} passages of {content.documents.height:,} documents")
        files = {f"{name}.parquet": _parquet(getattr(content, name)) for name in TABLES}
        files[KEYWORDS] = KeywordIndex.build(content.chunks["text"].to_list()).to_bytes()
        for name, data in files.items():
            self.lake.put(self._key(version, name), data)
        vectors = np.ascontiguousarray(content.vectors, dtype=np.float32)
        with self.lake.replacing(self._key(version, VECTORS)) as out:
            np.lib.format.write_array(out, vectors, allow_pickle=False)
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        manifest = {
            "format": INDEX_FORMAT,
            "version": version,
            "documents": content.documents.height,
            "chunks": content.chunks.height,
            "names": content.aliases.height,
            "model": content.model.as_row(),
            "built_at": _now(),
            "bytes": sum(self._sizes(version).values()),
            "files": digests | {VECTORS: _digest(vectors)},
            "sizes": self._sizes(version),
        }
        self.lake.put(self._key(version, MANIFEST), json.dumps(manifest, indent=1, sort_keys=True).encode())
        return manifest

    def manifest(self, version: str) -> dict[str, Any] | None:
        """What is known of a version; None when there is none of that name. DamagedIndexError."""
        try:
            return self._json(self._key(version, MANIFEST), _MANIFEST)
        except ValueError as error:
            raise DamagedIndexError.of_version(version, f"{MANIFEST}: {error}") from error

    def _whole_manifest(self, version: str) -> dict[str, Any] | None:
        """As `manifest`; None too where it cannot be read."""
        try:
            return self.manifest(version)
        except DamagedIndexError:
            return None

    def versions(self) -> list[dict[str, Any]]:
        """Manifests of all versions that have one that can be read, oldest first."""
        ends = f"/{MANIFEST}"
        names = [key.removeprefix(f"{ROOT}/").removesuffix(ends) for key in self.lake.keys(ROOT) if key.endswith(ends)]
        found = [m for m in map(self._whole_manifest, names) if m is not None]
        return sorted(found, key=lambda m: (m["built_at"], m["version"]))

    def missing(self, version: str) -> str:
        """Empty when `version` is whole, in the lake and on the server; otherwise what is not there."""
        manifest = self._whole_manifest(version)
        if manifest is None:
            return f"there is no index {version}"
        if lost := self._lost(manifest):
            return f"the index {version} lacks {', '.join(lost)}"
        if self._server and not self._server.has(version, manifest["chunks"]):
            return f"the Qdrant server lacks {self._server.collection(version)}"
        return ""

    def _lost(self, manifest: Mapping[str, Any]) -> list[str]:
        """Files of a version that are not there, or of another size."""
        sizes = self._sizes(manifest["version"])
        return [name for name, size in manifest["sizes"].items() if sizes.get(name) != size]

    def collection(self, version: str) -> str | None:
        """Name of a version's collection on the server; None without a server."""
        return self._server.collection(version) if self._server else None

    # -- opening ---------------------------------------------------------------------------------------------------

    def open(self, version: str | None = None) -> Library:
        """The index of that name, or the released one. A process keeps the last few that it opened.

        LibraryMissingError when there is none, DamagedIndexError when it cannot be read, EmbeddingModelError when its
        model is not at hand, RerankerError for a cross-encoder that is none, QdrantServerError.
        """
        if version is None:
            pointer = self._pointer()
            if pointer is None:
                raise LibraryMissingError(f"no index of the corpus has been released in {self.lake.root}; {REMEDY}")
            version = str(pointer["version"])
        server = self._server and (self._server.url, self._server.alias)
        key = (self.lake.root, server, self.settings.reranker, version)
        with _OPENING:
            if key not in _OPEN:
                _OPEN[key] = self._open(version)
                while len(_OPEN) > OPEN_AT_ONCE:
                    _OPEN.popitem(last=False)
            _OPEN.move_to_end(key)
            return _OPEN[key]

    def _open(self, version: str) -> Library:
        manifest = self.manifest(version)
        if manifest is None:
            raise LibraryMissingError(f"there is no index {version} in {self.lake.root}; {REMEDY}")
        if manifest.get("format") != INDEX_FORMAT:
            raise LibraryMissingError(f"the index {version} is of another version of Exo; {REMEDY}")
        try:
            chunks, documents, aliases = (
                pl.read_parquet(io.BytesIO(self._file(manifest, f"{name}.parquet"))) for name in TABLES
            )
            keywords = KeywordIndex.from_bytes(self._file(manifest, KEYWORDS))
            embed = self._embed(manifest)
            vectors = None if self._server else self._vectors(manifest)
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError, KeywordIndexError) as error:
            raise DamagedIndexError.of_version(version, error) from error
        return Library(
            manifest,
            chunks=chunks,
            documents=documents,
            aliases=aliases,
            store=EmbeddedStore(vectors, keywords) if vectors is not None else self._on_server(manifest, chunks),
            words=keywords,
            embed=embed,
            rerank=CrossEncoder(self.settings.reranker).scores if self.settings.reranker else None,
        )

    def _on_server(self, manifest: Mapping[str, Any], chunks: pl.DataFrame) -> PassageStore:
        server, version = self._server, manifest["version"]
        if server is None or not server.has(version, manifest["chunks"]):
            raise LibraryMissingError(
                f"the Qdrant server at {self.settings.qdrant_url} does not have the index {version}; "
                "`exo run --job corpus_refresh` puts it there, and without EXO_QDRANT_URL each process searches itself"
            )
        return ServerStore(server, version, chunks["chunk_id"].to_list())

    def _embed(self, manifest: Mapping[str, Any]) -> Embed:
        """The version's own model."""
        return self.models.embedder(EmbeddingRef.from_row(manifest["model"])).embed

    def _file(self, manifest: Mapping[str, Any], name: str) -> bytes:
        data = self.lake.get(self._key(manifest["version"], name))
        if hashlib.sha256(data).hexdigest() != manifest["files"][name]:
            raise ValueError(f"{name} is not what was written")
        return data

    def _vectors(self, manifest: Mapping[str, Any]) -> Vectors:
        """The vectors; mapped, not read, where the lake is on a disk."""
        key = self._key(manifest["version"], VECTORS)
        path = self.lake.local_path(key)
        if path is None:
            vectors = np.load(io.BytesIO(self.lake.get(key)), allow_pickle=False)
        else:
            vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        wanted = (manifest["chunks"], manifest["model"]["dimensions"])
        if vectors.shape != wanted or vectors.dtype != np.float32:
            raise ValueError(f"{VECTORS} holds {vectors.dtype} {vectors.shape}, not float32 {wanted}")
        if _digest(vectors) != manifest["files"][VECTORS]:
            raise ValueError(f"{VECTORS} is not what was written")
        return vectors

    # -- releasing -------------------------------------------------------------------------------------------------

    def released(self) -> dict[str, Any] | None:
        """The manifest of the released version with `released_at` and `previous`; None before the first release.

        DamagedIndexError.
        """
        pointer = self._pointer()
        manifest = self.manifest(str(pointer["version"])) if pointer else None
        return {**manifest, **pointer} if manifest and pointer else None

    def release(self, version: str) -> dict[str, Any]:
        """Let readers open `version` from now on, and forget old versions (or try, at the next release, what a Qdrant
        server does not let go of); returns as `released`.

        Idempotent; a pointer that cannot be read is replaced. LibraryMissingError when there is no such version.
        """
        if self.manifest(version) is None:
            raise LibraryMissingError(f"there is no index {version} in {self.lake.root} to release; {REMEDY}")
        if self._server:
            self._server.swap(version)
        try:
            before = self._pointer()
        except DamagedIndexError:
            before = None
        if before is None or before["version"] != version:
            pointer = {"version": version, "released_at": _now(), "previous": before["version"] if before else None}
            self.lake.put(CURRENT, json.dumps(pointer, sort_keys=True).encode())
        self._prune()
        released = self.released()
        if released is None:
            raise LibraryMissingError(f"the index {version} was removed while it was released; {REMEDY}")
        return released

    def _prune(self) -> None:
        """Delete all but the newest versions, the released one and the one before it."""
        pointer = self._pointer() or {}
        manifests = self.versions()
        kept = {m["version"] for m in manifests[-KEPT:]} | {pointer.get("version"), pointer.get("previous")}
        for version in (m["version"] for m in manifests if m["version"] not in kept):
            try:
                self._forget(version)
            except QdrantServerError as error:
                log.warning("the index %s stays until the next release: %s", version, error)

    def _forget(self, version: str) -> None:
        # The collection goes first: without a manifest nobody would know that it was this lake's. Then the manifest:
        # what is left of a killed deletion is no version.
        if self._server:
            self._server.forget(version)
        self.lake.delete(self._key(version, MANIFEST))
        for key in self.lake.keys(f"{ROOT}/{version}"):
            self.lake.delete(key)

    # -- looking ---------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """What is released and what waits, as plain values; nulls before the first release. `problem`: what is
        damaged."""
        problem = None
        try:
            released = self.released()
        except DamagedIndexError as error:
            released, problem = None, str(error)
        versions = self.versions()
        shown = ("version", "documents", "chunks", "bytes", "built_at", "released_at", "previous")
        newest = versions[-1] if versions else None
        return {
            **{name: released.get(name) if released else None for name in shown},
            "model": released["model"]["name"] if released else None,
            "model_digest": released["model"]["digest"] if released else None,
            "waiting": newest["version"] if newest and newest["version"] != (released or {}).get("version") else None,
            "problem": problem,
            "store": f"on {self.settings.qdrant_url}" if self.settings.qdrant_url else "in each process",
        }

    def _sizes(self, version: str) -> dict[str, int]:
        folder = f"{ROOT}/{version}/"
        sizes = self.lake.sizes(folder.rstrip("/"))
        return {key.removeprefix(folder): size for key, size in sizes.items() if not key.endswith(MANIFEST)}

    def _key(self, version: str, name: str) -> str:
        return f"{ROOT}/{version}/{name}"

    def _pointer(self) -> dict[str, Any] | None:
        """What the pointer says; None before the first release."""
        try:
            return self._json(CURRENT, _POINTER)
        except ValueError as error:
            raise DamagedIndexError.of_pointer(error) from error

    def _json(self, key: str, needed: Mapping[str, tuple[type, ...]]) -> dict[str, Any] | None:
        """The object in a file; None where there is none. ValueError when it lacks what is `needed` of its type."""
        try:
            found = json.loads(self.lake.get(key))
        except FileNotFoundError:
            return None
        except (IsADirectoryError, RecursionError) as error:
            raise ValueError(str(error)) from error
        if not isinstance(found, dict):
            raise ValueError("it holds no object")
        if wrong := [name for name, kinds in needed.items() if not isinstance(found.get(name), kinds)]:
            raise ValueError(f"{', '.join(wrong)} missing in it, or of another kind")
        return found


_POINTER = {"version": (str,), "released_at": (str,), "previous": (str, type(None))}
_MANIFEST = {
    **dict.fromkeys(("format", "documents", "chunks", "names", "bytes"), (int,)),
    **dict.fromkeys(("version", "built_at"), (str,)),
    **dict.fromkeys(("model", "files", "sizes"), (dict,)),
}
_OPEN: OrderedDict[Any, Library] = OrderedDict()
_OPENING = threading.Lock()


def qdrant_server(settings: Settings) -> QdrantServer | None:
    """The server that the settings name; None without one."""
    if settings.qdrant_url is None:
        return None
    key = settings.qdrant_api_key
    return QdrantServer(settings.qdrant_url, settings.qdrant_alias, key.get_secret_value() if key else None)


def _parquet(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.drop("text", strict=False).write_parquet(out) if "chunk_id" not in frame.columns else frame.write_parquet(out)
    return out.getvalue()


def _digest(vectors: Vectors) -> str:
    return hashlib.sha256(np.ascontiguousarray(vectors).view(np.uint8).data).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
