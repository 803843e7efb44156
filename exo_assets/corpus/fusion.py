"""One ranking out of several.

Belongs here: joining the scores of the legs of a search (vectors, keywords), and one passage for each document. Does
not belong here: the legs.

All scores are arrays over the same passages; NaN means that a leg did not find the passage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

RECIPROCAL_K = 60


@dataclass(frozen=True)
class Fusion:
    """How legs are joined. With `weights` (leg to weight): the weighted sum of scores stretched to 0..1; without:
    reciprocal rank fusion. `depth` is how many of its best each leg brings in."""

    weights: Mapping[str, float] | None = None
    depth: int = 300

    def __post_init__(self) -> None:
        weights = self.weights
        if weights is not None and (any(not w >= 0 for w in weights.values()) or not sum(weights.values()) > 0):
            raise ValueError(f"weights must be 0 or more and not all 0: {dict(weights)}")
        if self.depth < 1:
            raise ValueError(f"depth must be at least 1, not {self.depth}")


EQUAL = Fusion({"dense": 0.5, "keyword": 0.5})
MOSTLY_DENSE = Fusion({"dense": 0.7, "keyword": 0.3})
RECIPROCAL = Fusion()
FUSIONS = {"0.5/0.5": EQUAL, "0.7/0.3": MOSTLY_DENSE, "rrf": RECIPROCAL}
"""By the names that settings and requests give them."""


def fuse(legs: Mapping[str, npt.ArrayLike], how: Fusion) -> Floats:
    """Joined score of each passage (passages,), NaN where no leg found it.

    ValueError when `how` weights other legs than those given, or legs differ in length.
    """
    if how.weights is not None and set(how.weights) != set(legs):
        raise ValueError(f"weights are for {sorted(how.weights)}, the legs are {sorted(legs)}")
    best = {name: deepest(np.asarray(scores, dtype=float), how.depth) for name, scores in legs.items()}
    if how.weights is None:
        parts = [reciprocal_ranks(scores) for scores in best.values()]
    else:
        parts = [how.weights[name] / sum(how.weights.values()) * stretched(scores) for name, scores in best.items()]
    stacked = np.stack(parts)
    return np.where(np.isnan(stacked).all(axis=0), np.nan, np.nansum(stacked, axis=0))


def deepest(scores: Floats, depth: int) -> Floats:
    """`scores` with NaN outside the best `depth`."""
    out = np.full(scores.shape, np.nan)
    rows = ranked(scores, depth)
    out[rows] = scores[rows]
    return out


def stretched(scores: Floats) -> Floats:
    """Scores over the highest of them: 1 for the best, 0 for one of a passage with nothing in common, or less.

    Min-max with the minimum that cosine and BM25 have by their nature in place of the lowest score that was found
    (Bruch, Gai and Ingber 2023, arXiv 2210.11934), so that a score means the same however deep a leg was searched.
    """
    found = ~np.isnan(scores)
    highest = float(scores[found].max()) if found.any() else 0.0
    return np.where(found, np.clip(scores / highest, 0.0, 1.0) if highest > 0 else 0.0, np.nan)


def reciprocal_ranks(scores: Floats, k: int = RECIPROCAL_K) -> Floats:
    """1 / (k + rank), the best having rank 1 (Cormack, Clarke and Büttcher 2009); NaN where a leg did not find it."""
    out = np.full(scores.shape, np.nan)
    rows = ranked(scores, scores.size)
    out[rows] = 1.0 / (k + 1 + np.arange(rows.size))
    return out


def ranked(scores: Floats, limit: int) -> Rows:
    """Rows of the best `limit` scores, best first, equal ones in their order; rows with NaN are left out."""
    found = np.flatnonzero(~np.isnan(scores))
    if limit < found.size:
        least = np.partition(scores[found], found.size - limit)[found.size - limit]
        found = found[scores[found] >= least]
    return found[np.argsort(-scores[found], kind="stable")][:limit]


def best_of_documents(scores: Floats, documents: npt.ArrayLike, limit: int) -> Rows:
    """Rows of the best passage of each document, best first, at most `limit`.

    `documents` (passages,) says which document each passage is of.
    """
    rows = ranked(scores, scores.size)
    _, first = np.unique(np.asarray(documents)[rows], return_index=True)
    return rows[np.sort(first)][:limit]
