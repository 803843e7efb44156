"""What a search costs, by the number of passages.

Belongs here: drawing passages beyond the corpus's own, and the time of whole searches. Does not belong here: how well
they find, any demand: figures of a busy machine are recorded and judge nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from exo_assets.corpus.embedding import Vectors
from exo_assets.corpus.evaluation_contracts import CORPUS_LATENCY
from exo_assets.corpus.keyword_index import KeywordIndex
from exo_assets.corpus.library import Library, PassageStore, SearchRequest

SIZES = (1_000, 10_000, 20_000)
SEARCHES, WARM_UP = 100, 10
SEED = 0

MakeStore = Callable[[Vectors, KeywordIndex], PassageStore]


def search_latency(
    library: Library,
    vectors: Vectors,
    queries: Sequence[str],
    make_store: MakeStore,
    request: SearchRequest,
    *,
    sizes: Sequence[int],
    searches: int = SEARCHES,
) -> pl.DataFrame:
    """`corpus_latency`: `searches` of `queries`, one after the other, over as many passages of `library` as each of
    `sizes` says, drawn again beyond their number, which costs what other ones would.

    `vectors` (passages, dimensions) are those of `library.chunks`; `make_store` makes the legs that are timed.
    """
    rows = []
    for size in sizes:
        drawn = _drawn(library, vectors, size, make_store)
        wall, used = _times(drawn, queries, request, searches)
        rows.append(
            {
                "version": library.version,
                "passages": size,
                "searches": searches,
                "p50_ms": np.percentile(wall, 50),
                "p99_ms": np.percentile(wall, 99),
                "cpu_p50_ms": np.percentile(used, 50),
                "cpu_p99_ms": np.percentile(used, 99),
                "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
                "cores": os.cpu_count() or 1,
            }
        )
    return CORPUS_LATENCY.conform(pl.DataFrame(rows, schema=CORPUS_LATENCY.schema))


def _drawn(library: Library, vectors: Vectors, size: int, make_store: MakeStore) -> Library:
    """A library of `size` passages."""
    random = np.random.default_rng(SEED)
    have = library.chunks.height
    rows = np.arange(size) if size <= have else np.concatenate([np.arange(have), random.integers(0, have, size - have)])
    chunks = library.chunks[rows]
    keywords = KeywordIndex.build(chunks["text"].to_list())
    return Library(
        library.manifest,
        chunks=chunks.with_columns(chunk_id=pl.format("{}", pl.int_range(size))),
        documents=library.documents,
        aliases=library.aliases,
        store=make_store(np.ascontiguousarray(vectors[rows]), keywords),
        words=keywords,
        embed=library.embed,
    )


def _times(
    library: Library, queries: Sequence[str], request: SearchRequest, searches: int
) -> tuple[list[float], list[float]]:
    """Milliseconds on the clock and of processor, of each search after a few to warm up."""
    random = np.random.default_rng(SEED)
    wall, used = list[float](), list[float]()
    for query in random.choice(len(queries), searches + WARM_UP):
        start, cpu = time.perf_counter(), time.process_time()
        library.search(queries[query], request)
        wall.append(1000 * (time.perf_counter() - start))
        used.append(1000 * (time.process_time() - cpu))
    return wall[WARM_UP:], used[WARM_UP:]
