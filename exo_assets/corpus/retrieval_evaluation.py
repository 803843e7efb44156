"""How well an index is searched: each way to search, each set of queries.

Belongs here: the searches side by side, figures by query, and their means with intervals. Does not belong here: the
sets (`query_sets.py`), the figures' definitions (`retrieval_metrics.py`), what is demanded (`evaluation_gates.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from exo_assets.corpus.evaluation_contracts import CORPUS_RETRIEVAL_FIGURES, CORPUS_RETRIEVAL_METRICS, POPULATIONS
from exo_assets.corpus.fusion import EQUAL, MOSTLY_DENSE, RECIPROCAL, Fusion
from exo_assets.corpus.library import Hit, Library
from exo_assets.corpus.query_sets import Query, QuerySet
from exo_assets.corpus.remembering import remembering
from exo_assets.corpus.retrieval_metrics import (
    RETRIEVAL_METRICS,
    PerQuery,
    differences,
    gains,
    intervals,
    per_query,
)

FUSIONS: Mapping[str, Fusion] = {"0.5/0.5": EQUAL, "0.7/0.3": MOSTLY_DENSE, "rrf": RECIPROCAL}
PARTS: Mapping[str, Fusion] = {
    "dense": Fusion({"dense": 1.0, "keyword": 0.0}),
    "keyword": Fusion({"dense": 0.0, "keyword": 1.0}),
}
RERANKED = "reranked"
SEED = 0


def retrieval_figures(
    library: Library, sets: Iterable[QuerySet], default: str, tell: Callable[[str], object] = lambda _: None
) -> pl.DataFrame:
    """`corpus_retrieval_figures`: every query of `sets` by every search; `default` (of FUSIONS) is what is re-ranked
    where the library has a cross-encoder. `tell` is given progress in words."""
    quick = remembering(library)
    parts = []
    for each in sets:
        tell(f"{each.name}: {len(each.queries):,} queries")
        searches = [*PARTS, *FUSIONS, *([RERANKED] if library.can_rerank else [])]
        found: dict[str, list[list[str]]] = {search: [] for search in searches}
        for query in each.queries:
            for search in searches:
                found[search].append(_named(query, _hits(quick, each, query, search, default)))
        judged = [{name: float(grade) for name, grade in q.judged.values()} for q in each.queries]
        parts += [_rows(library.version, each, s, per_query(gains(names, judged))) for s, names in found.items()]
    return CORPUS_RETRIEVAL_FIGURES.conform(pl.concat(parts))


def retrieval_metrics(figures: pl.DataFrame, default: str) -> pl.DataFrame:
    """`corpus_retrieval_metrics` of `corpus_retrieval_figures`; `default` is the search that people are served by."""
    rows = []
    for (version, name), part in figures.group_by("version", "set", maintain_order=True):
        for half in POPULATIONS:
            chosen = part if half == "all" else part.filter(half=half)
            if chosen.is_empty():
                continue
            by_search = {str(s): _values(p) for (s,), p in chosen.group_by("search", maintain_order=True)}
            size = chosen["query_id"].n_unique()
            for search, values in by_search.items():
                own = intervals(values, seed=SEED)
                less = {o: differences(values, by_search[o], seed=SEED) for o in PARTS if o != search}
                for metric in RETRIEVAL_METRICS:
                    head = {"version": version, "set": name, "half": half, "search": search, "metric": metric}
                    row = head | {"is_default": search == default, "queries": size} | vars(own[metric])
                    for other, difference in less.items():
                        d = difference[metric]
                        row |= {f"minus_{other}": d.value, f"minus_{other}_low": d.low, f"minus_{other}_high": d.high}
                    rows.append(row)
    return CORPUS_RETRIEVAL_METRICS.conform(pl.DataFrame(rows, schema=CORPUS_RETRIEVAL_METRICS.schema))


def _hits(library: Library, each: QuerySet, query: Query, search: str, default: str) -> list[Hit]:
    """Results of one search; of a single leg only what that leg found."""
    fusion = PARTS.get(search) or FUSIONS[default if search == RERANKED else search]
    hits = library.search(query.text, replace(each.request, fusion=fusion, rerank=search == RERANKED))
    if search in PARTS:
        return [hit for hit in hits if getattr(hit, search) is not None]
    return hits


def _named(query: Query, hits: Sequence[Hit]) -> list[str]:
    """Results by the judged item that each is of; what was seen of it before, and what is of none, counts as wrong."""
    out: dict[str, None] = {}
    for hit in hits:
        name = query.judged[hit.chunk_id][0] if hit.chunk_id in query.judged else None
        out[f"passage {hit.chunk_id}" if name is None or name in out else name] = None
    return list(out)


def _rows(version: str, each: QuerySet, search: str, figures: PerQuery) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "version": version,
            "set": each.name,
            "search": search,
            "query_id": [q.query_id for q in each.queries],
            "query": [q.text for q in each.queries],
            "kind": [q.kind for q in each.queries],
            "half": [q.half for q in each.queries],
            **{metric: np.minimum(values, 1.0) for metric, values in figures.items()},  # 1 to rounding
        },
        schema=CORPUS_RETRIEVAL_FIGURES.schema,
    )


def _values(rows: pl.DataFrame) -> PerQuery:
    ordered = rows.sort("query_id")
    return {metric: np.asarray(ordered[metric].to_numpy()) for metric in RETRIEVAL_METRICS}
