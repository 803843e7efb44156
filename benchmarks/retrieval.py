"""Searches side by side: vectors, BM25 and their fusions, on finding an abstract by its title.

    python -m benchmarks.retrieval --corpus FILE.jsonl [--tokens 256] [--depth 100] [--limit N]

Known-item search: every title is a query, the one relevant document is its abstract, from which the title is taken out
where it stands in it. The file has a JSON object a line with `title` and `abstract`. Figures are means over queries
with 95 % intervals by bootstrap over queries; differences are paired. Latency is of whole searches in an index as it is
served (built in a lake, opened, its own embedding of the query), one after the other on one thread; beyond the file's
size its abstracts are drawn again, which costs what other ones would.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from exo_assets.corpus.contracts import CORPUS_CHUNKS, CORPUS_DOCUMENTS
from exo_assets.corpus.embedding import MINILM, Embedder, EmbeddingModel, Vectors
from exo_assets.corpus.fusion import EQUAL, Fusion, best_of_documents, fuse
from exo_assets.corpus.identifiers import ALIAS_SCHEMA
from exo_assets.corpus.index_version import IndexContent
from exo_assets.corpus.keyword_index import KeywordIndex
from exo_assets.corpus.known_item import without_title
from exo_assets.corpus.library import Filters, Library, SearchRequest
from exo_assets.corpus.retrieval_evaluation import FUSIONS
from exo_assets.corpus.retrieval_metrics import RECALL_DEPTH, PerQuery, differences, gains, intervals, per_query
from exo_assets.evaluation.bootstrap import Interval
from exo_resources.lake import Lake
from exo_resources.library_store import LibraryStore
from exo_resources.settings import Settings

SEED = 0
SEARCHES = 200


def read(corpus: Path, limit: int | None) -> tuple[list[str], list[str]]:
    """Titles, and abstracts without them."""
    rows = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()][:limit]
    titles = [row["title"].strip() for row in rows]
    return titles, [without_title(title, row["abstract"]) for row, title in zip(rows, titles, strict=True)]


def rankings(
    titles: Sequence[str], vectors: Vectors, queries: Vectors, index: KeywordIndex, depth: int
) -> dict[str, list[list[str]]]:
    """The best hundred documents of each query, by search."""
    documents = np.arange(len(vectors))
    out: dict[str, list[list[str]]] = {name: [] for name in ("dense", "BM25", *FUSIONS)}
    for title, query in zip(titles, queries, strict=True):
        legs = {"dense": vectors @ query, "keyword": index.found(title)}
        scores = {"dense": legs["dense"].astype(float), "BM25": legs["keyword"].astype(float)}
        scores |= {name: fuse(legs, Fusion(how.weights, depth)) for name, how in FUSIONS.items()}
        for name, score in scores.items():
            out[name].append([str(row) for row in best_of_documents(score, documents, RECALL_DEPTH)])
    return out


YEARS = range(2015, 2025)
REQUESTS: Mapping[str, SearchRequest] = {
    "all": SearchRequest(),
    "half": SearchRequest(filters=Filters(year_from=YEARS[len(YEARS) // 2])),
    "one in ten": SearchRequest(filters=Filters(year_from=YEARS[-1])),
    "one in a hundred": SearchRequest(filters=Filters(missions=("kepler",))),
}
"""Which share of the passages a search may return."""


def opened(texts: Sequence[str], vectors: Vectors, passages: int, home: Path) -> tuple[Library, float, float]:
    """An index of `passages` passages, and the seconds that building and opening it took."""
    random = np.random.default_rng(SEED)
    drawn = np.arange(passages) if passages <= len(texts) else random.integers(0, len(texts), passages)
    numbers = np.arange(passages)
    names = [f"document {n}" for n in numbers]
    documents = pl.DataFrame(
        {
            "document_id": names,
            "title": names,
            "source": "arxiv",
            "year": [YEARS[n % len(YEARS)] for n in numbers],
            "mission": ["kepler" if n % 100 == 0 else None for n in numbers],
        }
    )
    chunks = pl.DataFrame(
        {"chunk_id": [f"{n:032x}" for n in numbers], "document_id": names, "text": [texts[row] for row in drawn]}
    )
    settings = Settings(home=home)
    store = LibraryStore(Lake(settings.lake), settings)
    content = IndexContent(
        CORPUS_CHUNKS.conform(chunks),
        CORPUS_DOCUMENTS.conform(documents),
        vectors[drawn],
        pl.DataFrame(schema=ALIAS_SCHEMA),
        store.models.in_use(),
    )
    began = time.perf_counter()
    version = store.build(content)["version"]
    built = time.perf_counter()
    return store.open(version), built - began, time.perf_counter() - built


def latency_ms(library: Library, titles: Sequence[str], request: SearchRequest) -> tuple[list[float], list[float]]:
    """Wall and CPU milliseconds of whole searches."""
    wall, used = list[float](), list[float]()
    for query in np.random.default_rng(SEED).choice(len(titles), SEARCHES + 10):
        start, cpu = time.perf_counter(), time.process_time()
        library.search(titles[query], request)
        wall.append(1000 * (time.perf_counter() - start))
        used.append(1000 * (time.process_time() - cpu))
    return wall[10:], used[10:]


def show(name: str, figures: Mapping[str, Interval]) -> None:
    """A row of figures."""
    print(
        f"{name:<22}" + "".join(f"{m}  {i.value:+.3f} [{i.low:+.3f}, {i.high:+.3f}]   " for m, i in figures.items()),
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, embed, search, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=MINILM.tokens)
    parser.add_argument("--depth", type=int, default=EQUAL.depth)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--passages", type=int, nargs="*", default=[1000, 10_000, 15_000, 20_000])
    asked = parser.parse_args(arguments)
    titles, texts = read(asked.corpus, asked.limit)
    embedder = Embedder(EmbeddingModel(MINILM.name, MINILM.dimensions, asked.tokens))
    start, began = time.process_time(), time.perf_counter()
    vectors = embedder.embed(texts)
    cpu = time.process_time() - start
    print(f"{len(texts)} abstracts embedded in {cpu:.0f} CPU-s ({time.perf_counter() - began:.0f} s), ", end="")
    print(f"{1000 * cpu / len(texts):.0f} CPU-ms each")
    start = time.process_time()
    index = KeywordIndex.build(texts)
    print(f"keyword index in {time.process_time() - start:.1f} CPU-s, {len(index.to_bytes()) / 1e6:.1f} MB")
    ranked = rankings(titles, vectors, embedder.embed(titles), index, asked.depth)
    judged = [{str(row): 1.0} for row in range(len(titles))]
    figures: dict[str, PerQuery] = {name: per_query(gains(results, judged)) for name, results in ranked.items()}
    print(f"\n{len(titles)} titles, {asked.tokens} tokens, depth {asked.depth}")
    for name, values in figures.items():
        show(name, intervals(values, seed=SEED))
    print("\nDifferences")
    for first, second in (
        *((f, o) for f in FUSIONS for o in ("dense", "BM25")),
        ("0.5/0.5", "0.7/0.3"),
        ("0.5/0.5", "rrf"),
    ):
        show(f"{first} - {second}", differences(figures[first], figures[second], seed=SEED))
    print("\nA search, query embedded, one thread: milliseconds, by the share of passages that it may return")
    for passages in asked.passages:
        with tempfile.TemporaryDirectory() as home:
            library, build_s, open_s = opened(texts, vectors, passages, Path(home))
            print(f"{passages:>7} passages: built in {build_s:.1f} s, opened in {open_s:.1f} s")
            for share, request in REQUESTS.items():
                wall, used = (np.percentile(t, [50, 99]) for t in latency_ms(library, titles, request))
                print(f"{share:>20}  p50 {wall[0]:.1f}  p99 {wall[1]:.1f}", end="")
                print(f"   CPU p50 {used[0]:.1f}  p99 {used[1]:.1f}", flush=True)


if __name__ == "__main__":
    main()
