"""Golden searches: what the endpoint's library must find.

Belongs here: the questions, the hits that an index gives to them without an endpoint, and the comparison. Does not
belong here: deploying, or asking the endpoint (library_rollout.py).

The answers are in the package's own documents, which every version of the index has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from exo_assets.corpus.fusion import FUSIONS
from exo_assets.corpus.library import Library, SearchRequest

GOLDEN_SEARCHES = (
    ("What does koi_score mean?", "archive:koi_score"),
    ("What does koi_fpflag_ss say?", "archive:koi_fpflag_ss"),
    ("koi_depth", "archive:koi_depth"),
    ("In which unit is koi_period?", "archive:koi_period"),
    ("Which columns does the table out_scores have?", "exo:table/out_scores"),
)
"""A question, and the document that must be among its first FIRST hits."""
FUSION = "0.5/0.5"
LIMIT, FIRST = 10, 3
TOLERANCE = 1e-4
"""Of scores: the same numbers, computed in another process."""

Hit = Mapping[str, Any]


def expected_hits(library: Library, question: str) -> list[dict[str, Any]]:
    """What `library` finds, asked here."""
    found = library.search(question, SearchRequest(limit=LIMIT, fusion=FUSIONS[FUSION]))
    return [asdict(hit) for hit in found]


def wrong_hits(question: str, document: str, wanted: Sequence[Hit], given: Sequence[Hit]) -> list[str]:
    """Every way in which `given` is not what is `wanted`, in words; an empty list when there is none."""
    if document not in [hit["document_id"] for hit in wanted[:FIRST]]:
        return [f"{question!r}: {document} is not among the first {FIRST} hits of the index itself"]
    if [hit["chunk_id"] for hit in wanted] != [hit["chunk_id"] for hit in given]:
        return [f"{question!r}: the endpoint finds {_shown(given)}, the index {_shown(wanted)}"]
    return [
        f"{question!r}: {hit['document_id']} has {name} {hit[name]}, not {other[name]}"
        for other, hit in zip(wanted, given, strict=True)
        for name in ("score", "dense", "keyword")
        if not _same(other[name], hit[name])
    ]


def _same(wanted: float | None, given: float | None) -> bool:
    if wanted is None or given is None:
        return wanted is given
    return abs(wanted - given) <= TOLERANCE * max(1.0, abs(wanted))


def _shown(hits: Sequence[Hit]) -> str:
    return ", ".join(str(hit["document_id"]) for hit in hits[:FIRST]) or "nothing"
