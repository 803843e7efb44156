"""Where passages are searched inside a process: Qdrant for vectors, bm25s for keywords.

Belongs here: the legs of a search without a server. Does not belong here: a Qdrant server (`passage_server.py`), how
legs are joined (`exo_assets/corpus/fusion.py`).

Qdrant's client searches in the process without a server, whole collections and exactly. Held in memory, the collection
is filled from the lake when an index is opened: on a disk it is for one process only, and slow to write. A search that
may return some passages only goes over their vectors directly: Qdrant's own filters look at every payload there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from exo_assets.corpus.embedding import Vectors
from exo_assets.corpus.fusion import Floats, deepest
from exo_assets.corpus.keyword_index import KeywordIndex
from exo_assets.corpus.library import Allowed

_COLLECTION = "passages"


class EmbeddedStore:
    """The legs over `vectors` (passages, dimensions; unit length, possibly mapped from a file) and their keywords."""

    def __init__(self, vectors: Vectors, keywords: KeywordIndex) -> None:
        self._vectors, self._keywords = vectors, keywords
        self._client = _collection(vectors)

    def dense(self, vector: npt.NDArray[np.float32], depth: int, allowed: Allowed | None) -> Floats:
        """Cosine of passages and a unit vector; NaN outside the best `depth` of those allowed."""
        out = np.full(len(self._vectors), np.nan)
        if allowed is not None:
            rows = np.flatnonzero(allowed.passages)
            out[rows] = deepest((self._vectors[rows] @ vector).astype(float), depth)
            return out
        found = self._client.query_points(_COLLECTION, query=vector, limit=depth, with_payload=False).points
        out[[point.id for point in found]] = [point.score for point in found]
        return out

    def status(self) -> dict[str, Any]:
        """As `PassageStore.status`."""
        return {"kind": "in process", "state": "ready", "problem": None}

    def keyword(self, query: str, also: Collection[str], depth: int, allowed: Allowed | None) -> Floats:
        """BM25 of passages that share a term with `query` or `also`; NaN outside the best `depth` of those allowed."""
        scores = self._keywords.found(query, also).astype(float)
        if allowed is not None:
            scores[~allowed.passages] = np.nan
        return deepest(scores, depth)


def _collection(vectors: Vectors) -> Any:
    """A client in memory with one collection; points are named by their rows."""
    from qdrant_client import QdrantClient, models

    client = QdrantClient(":memory:")
    # Unit vectors: the dot product is the cosine, and Qdrant's own cosine would normalise all of them at each search.
    params = models.VectorParams(size=vectors.shape[1], distance=models.Distance.DOT)
    client.create_collection(_COLLECTION, vectors_config=params)
    client.upload_collection(_COLLECTION, vectors=vectors, ids=range(len(vectors)))
    return client
