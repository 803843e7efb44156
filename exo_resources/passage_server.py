"""Passages on a Qdrant server: one collection for each version of the index, with vectors and keywords.

Belongs here: filling, swapping and forgetting collections, and the legs of a search there. Does not belong here: search
inside a process (`passage_store.py`), the connection (`qdrant_connection.py`), how legs are joined
(`exo_assets/corpus/fusion.py`).

A collection holds all that is needed to use it without Exo: passages with their text and place, `dense` vectors and
sparse `keyword` vectors whose inner product is BM25. The alias (`EXO_QDRANT_ALIAS`) is the released version.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.corpus.fusion import Floats
from exo_assets.corpus.index_version import IndexContent
from exo_assets.corpus.library import Allowed, Filters
from exo_assets.corpus.sparse_terms import Sparse, mean_length, of_passage, of_query
from exo_assets.corpus.terms import english_stemmer, terms
from exo_resources.qdrant_connection import QdrantConnection, QdrantServerError

DENSE, KEYWORD = "dense", "keyword"
BATCH = 256
TOLD_EVERY_S = 15.0
TIMEOUT_S, FILL_TIMEOUT_S, STATUS_TIMEOUT_S = 10, 60, 3
_REMOVE = "remove it and run `exo run --job corpus_refresh` again"
SEARCHED_WIDTH = 1024
"""Candidates that the server's graph of vectors follows: measured in exo_assets/corpus/TRIED.md."""

FILTERED = {
    "document_id": "keyword",
    "source": "keyword",
    "mission": "keyword",
    "targets": "keyword",
    "year": "integer",
}
"""Fields of a passage's payload that searches filter by, with Qdrant's type of their index."""


class QdrantServer:
    """The collections of one home on a server: they begin with `alias`, which by itself is the released one."""

    def __init__(self, url: str, alias: str, api_key: str | None = None, *, timeout_s: int = TIMEOUT_S) -> None:
        self.alias = alias
        self.link = QdrantConnection(url, api_key, timeout_s)
        self._patient = QdrantConnection(url, api_key, max(timeout_s, FILL_TIMEOUT_S))
        self._hasty = QdrantConnection(url, api_key, min(timeout_s, STATUS_TIMEOUT_S))
        self.url = self.link.url

    def collection(self, version: str) -> str:
        """Name of a version's collection."""
        return f"{self.alias}_{version}"

    def status(self, version: str, passages: int) -> dict[str, Any]:
        """Whether the version can be searched there now, as JSON values; a server that hangs is soon given up."""
        try:
            there = self._has(self._hasty, version, passages)
            problem = None if there else "it does not have the collection, or not all of it"
        except QdrantServerError as error:
            problem = str(error)
        return {
            "kind": "server",
            "url": self.url,
            "collection": self.collection(version),
            "state": "failed" if problem else "ready",
            "problem": problem,
        }

    # -- collections -----------------------------------------------------------------------------------------------

    def has(self, version: str, passages: int) -> bool:
        """Whether the collection of `version` is there, with so many passages. QdrantServerError."""
        return self._has(self.link, version, passages)

    def _has(self, link: QdrantConnection, version: str, passages: int) -> bool:
        name = self.collection(version)
        with link.answering():
            return bool(link.client.collection_exists(name)) and link.client.count(name, exact=True).count == passages

    def fill(self, version: str, content: IndexContent, tell: Callable[[str], object]) -> None:
        """Make the collection of `version`, or complete one that a killed run left behind. QdrantServerError."""
        name, total, link = self.collection(version), content.chunks.height, self._patient
        self._create(name, content.model.dimensions)
        done, began = 0, time.monotonic()
        told = began
        for points in _points(content):
            with link.answering():
                link.client.upsert(name, points, wait=True)
            done += len(points)
            if time.monotonic() - told > TOLD_EVERY_S or done == total:
                told = time.monotonic()
                rate = done / max(told - began, 1e-9)
                tell(f"{done:,} of {total:,} passages on the Qdrant server, {rate:.0f}/s")
        if not self.has(version, total):
            raise QdrantServerError(
                f"the collection {name} on the Qdrant server at {self.url} does not have the {total:,} passages that "
                f"were sent; {_REMOVE}"
            )

    def _create(self, name: str, dimensions: int) -> None:
        """The collection and the indexes of its payload, as far as they are not there."""
        from qdrant_client import models

        with self._patient.answering():
            client = self._patient.client
            if not client.collection_exists(name):
                client.create_collection(
                    name,
                    # Unit vectors: the dot product is the cosine.
                    vectors_config={DENSE: models.VectorParams(size=dimensions, distance=models.Distance.DOT)},
                    sparse_vectors_config={KEYWORD: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                )
            for field, kind in FILTERED.items():
                client.create_payload_index(name, field, models.PayloadSchemaType(kind))

    def swap(self, version: str) -> None:
        """Let the alias mean the collection of `version`, from one moment to the next. QdrantServerError."""
        from qdrant_client import models

        name, alias = self.collection(version), self.alias
        with self._patient.answering():
            client = self._patient.client
            present = {a.alias_name: a.collection_name for a in client.get_aliases().aliases}
            if present.get(alias) == name:
                return
            old = [models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))]
            new = models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=name, alias_name=alias))
            client.update_collection_aliases([*(old if alias in present else []), new])

    def forget(self, version: str) -> None:
        """Delete the collection of `version`, if it is there. QdrantServerError."""
        name = self.collection(version)
        with self._patient.answering():
            client = self._patient.client
            if client.collection_exists(name):
                client.delete_collection(name)


class ServerStore:
    """The legs over the collection of one version. `chunk_ids`: the passages in the order in which scores are given."""

    def __init__(self, server: QdrantServer, version: str, chunk_ids: Sequence[str]) -> None:
        self._server, self._version, self._collection = server, version, server.collection(version)
        self._row = {chunk: row for row, chunk in enumerate(chunk_ids)}
        self._stem = english_stemmer()

    def dense(self, vector: npt.NDArray[np.float32], depth: int, allowed: Allowed | None) -> Floats:
        """Cosine of passages and a unit vector; NaN outside the best `depth` of those allowed. QdrantServerError."""
        from qdrant_client import models

        wide = models.SearchParams(hnsw_ef=SEARCHED_WIDTH)
        return self._found(vector.tolist(), DENSE, depth, allowed, search_params=wide)

    def keyword(self, query: str, also: Collection[str], depth: int, allowed: Allowed | None) -> Floats:
        """BM25 of passages that share a term with `query` or `also`; as `dense`."""
        from qdrant_client import models

        asked = of_query(terms(query, self._stem), also)
        if not asked.indices:
            return np.full(len(self._row), np.nan)
        return self._found(models.SparseVector(**_lists(asked)), KEYWORD, depth, allowed)

    def status(self) -> dict[str, Any]:
        """As `PassageStore.status`."""
        return self._server.status(self._version, len(self._row))

    def _found(self, query: Any, using: str, depth: int, allowed: Allowed | None, **how: Any) -> Floats:
        out = np.full(len(self._row), np.nan)
        if allowed is not None and not allowed.passages.any():
            return out
        link = self._server.link
        with link.answering():
            points = link.client.query_points(
                self._collection,
                query=query,
                using=using,
                limit=depth,
                query_filter=_filter(allowed) if allowed else None,
                with_payload=False,
                **how,
            ).points
        rows = np.array([self._row.get(str(point.id).replace("-", ""), -1) for point in points], dtype=np.intp)
        scores = np.array([point.score for point in points])
        if (rows < 0).any() or not np.isfinite(scores).all():
            raise QdrantServerError(
                f"the collection {self._collection} on the Qdrant server at {self._server.url} has points or scores "
                f"that are not the index's; {_REMOVE}"
            )
        out[rows] = scores
        return out


def _filter(allowed: Allowed) -> Any:
    """What the server must check; it passes what `allowed.passages` has."""
    from qdrant_client import models

    filters: Filters = allowed.filters
    wanted: list[tuple[str, Collection[str]]] = [
        ("mission", filters.missions),
        ("source", filters.sources),
        ("document_id", filters.documents),
        *(("targets", stars) for stars in allowed.stars),
    ]
    must: list[Any] = [
        models.FieldCondition(key=field, match=models.MatchAny(any=sorted(values)))
        for field, values in wanted
        if values
    ]
    if filters.year_from is not None or filters.year_to is not None:
        must.append(models.FieldCondition(key="year", range=models.Range(gte=filters.year_from, lte=filters.year_to)))
    return models.Filter(must=must)


def _points(content: IndexContent) -> Iterator[list[Any]]:
    """Batches of points, named by their passages."""
    from qdrant_client import models

    about = ("document_id", "source", "mission", "year", "targets", "title", "url")
    documents = content.documents.select(about)
    rows = content.chunks.join(documents, on="document_id", how="left", maintain_order="left")
    stem = english_stemmer()
    # A term is kept once, however many passages have it.
    listed = [[sys.intern(term) for term in terms(text, stem)] for text in rows["text"]]
    mean = mean_length(listed)
    shown = [name for name in rows.columns if name in ("section", "page", "start", "end", "text", *about)]
    for start in range(0, rows.height, BATCH):
        batch: pl.DataFrame = rows[start : start + BATCH]
        parts = zip(
            batch.iter_rows(named=True),
            content.vectors[start : start + BATCH],
            listed[start : start + BATCH],
            strict=True,
        )
        yield [
            models.PointStruct(
                id=row["chunk_id"],
                vector={
                    DENSE: vector.tolist(),
                    KEYWORD: models.SparseVector(**_lists(of_passage(has, mean))),
                },
                payload={name: row[name] for name in shown},
            )
            for row, vector, has in parts
        ]


def _lists(sparse: Sparse) -> dict[str, list[Any]]:
    return {"indices": list(sparse.indices), "values": list(sparse.values)}
