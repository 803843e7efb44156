"""How well a search finds: nDCG@10, recall@100 and the mean reciprocal rank, with intervals.

Belongs here: the figures from ranked results and judgements. Does not belong here: searching, or the judgements.

Intervals draw queries (`evaluation/bootstrap.py`); a comparison of two searches draws the same ones for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exo_assets.evaluation.bootstrap import Interval, Metrics, bootstrap_by_star, paired_difference
from exo_assets.evaluation.metrics import Array

NDCG_DEPTH = 10
RECALL_DEPTH = 100
RETRIEVAL_METRICS = ("ndcg_at_10", "recall_at_100", "mrr")

PerQuery = dict[str, Array]
"""A figure's name to its value for each query."""


@dataclass(frozen=True)
class Gains:
    """Judged results. `found` (queries, depth): gain of each result in rank order, 0 where it is not relevant or there
    is none. `judged` (queries, most): gains of all that is relevant, falling, 0 behind."""

    found: Array
    judged: Array


def gains(results: Sequence[Sequence[str]], judgements: Sequence[Mapping[str, float]]) -> Gains:
    """Gains of ranked ids under judgements (id to gain), one of each for every query.

    ValueError when a query has no relevant id, a gain is negative, or a result names an id twice.
    """
    if len(results) != len(judgements):
        raise ValueError(f"{len(results)} rankings for {len(judgements)} judged queries")
    for query, (ids, judged) in enumerate(zip(results, judgements, strict=True)):
        if not any(g > 0 for g in judged.values()) or any(g < 0 for g in judged.values()):
            raise ValueError(f"query {query} has no relevant passage or a negative gain: {dict(judged)}")
        if len(set(ids)) != len(ids):
            raise ValueError(f"query {query}: a result is named twice")
    found = [[judged.get(i, 0.0) for i in ids] for ids, judged in zip(results, judgements, strict=True)]
    return Gains(_padded(found), _padded([sorted(j.values(), reverse=True) for j in judgements]))


def per_query(judged: Gains) -> PerQuery:
    """Every figure of RETRIEVAL_METRICS for each query.

    - `ndcg_at_10`: sum of gain / log2(1 + rank) over ten results, over that of the best order (Järvelin and Kekäläinen
      2002, with gains as they are).
    - `recall_at_100`: share of what is relevant that is among the first hundred.
    - `mrr`: 1 / rank of the first relevant result, 0 where there is none.
    """
    found, best = judged.found > 0, judged.judged > 0
    first = (
        np.where(found.any(axis=1), found.argmax(axis=1) + 1.0, np.inf)
        if found.shape[1]
        else np.full(len(found), np.inf)
    )
    return {
        "ndcg_at_10": _dcg(judged.found) / _dcg(judged.judged),
        "recall_at_100": found[:, :RECALL_DEPTH].sum(axis=1) / best.sum(axis=1),
        "mrr": 1.0 / first,
    }


def intervals(figures: PerQuery, *, seed: int, groups: npt.ArrayLike | None = None) -> dict[str, Interval]:
    """Mean of each figure with its 95 % interval over draws of queries, or of `groups` of queries (queries,)."""
    return bootstrap_by_star(_groups(figures, groups), _means(figures), seed=seed)


def differences(
    first: PerQuery, second: PerQuery, *, seed: int, groups: npt.ArrayLike | None = None
) -> dict[str, Interval]:
    """`first` minus `second` on the same queries, with the interval of the difference."""
    return paired_difference(_groups(first, groups), _means(first), _means(second), seed=seed)


def _means(figures: PerQuery) -> Metrics:
    def means(weights: Array) -> dict[str, Array]:
        return {name: weights @ values / weights.sum(axis=1) for name, values in figures.items()}

    return means


def _groups(figures: PerQuery, groups: npt.ArrayLike | None) -> npt.ArrayLike:
    return np.arange(len(next(iter(figures.values())))) if groups is None else groups


def _dcg(ranked_gains: Array) -> Array:
    top = ranked_gains[:, :NDCG_DEPTH]
    return top @ (1.0 / np.log2(np.arange(top.shape[1]) + 2.0))


def _padded(rows: Sequence[Sequence[float]]) -> Array:
    out = np.zeros((len(rows), max(map(len, rows), default=0)))
    for at, row in enumerate(rows):
        out[at, : len(row)] = row
    return out
