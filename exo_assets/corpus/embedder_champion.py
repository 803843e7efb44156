"""Which embedding model a candidate is compared with, and when it takes its place.

Belongs here: the rules. Does not belong here: the gates, files, or embedding the corpus anew (that
follows by itself: the vectors' table is made with the champion).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import polars as pl

from exo_assets.corpus.embedder_contracts import ML_EMBEDDER_CHAMPION, ML_EMBEDDER_GATES
from exo_assets.corpus.embedder_gates import EMBEDDER_GATES
from exo_assets.corpus.embedding_in_use import EmbeddingRef
from exo_assets.evaluation.gates import GateRefused, only_quiet, refusals
from exo_assets.training.model_ref import ModelRef


def embedding_ref(row: dict[str, object]) -> EmbeddingRef:
    """The model in a row of the candidate's or the champion's table."""
    return EmbeddingRef.from_row({**row, "key": row["folder_key"]})


def as_model(ref: EmbeddingRef) -> ModelRef:
    """A model as gates name it; it has no run of ours."""
    return ModelRef(ref.name, ref.digest[:12], "", ref.digest)


def rival(candidate: str, champion: pl.DataFrame, packaged: EmbeddingRef) -> EmbeddingRef:
    """The model that the candidate with this digest is compared with: the champion, or the one that ships.

    For the champion itself it is the one that it took the place of: a comparison does not change by its own promotion.
    """
    if champion.is_empty():
        return packaged
    row = champion.row(0, named=True)
    return EmbeddingRef.from_row(json.loads(row["compared_with"])) if row["digest"] == candidate else embedding_ref(row)


def crown(
    candidate: pl.DataFrame, gates: pl.DataFrame, metrics: pl.DataFrame, champion: pl.DataFrame, packaged: EmbeddingRef
) -> tuple[pl.DataFrame, list[str]]:
    """The champion's table after `candidate` (one row) stood at its gates, and why it is not the
    champion (nothing: it is).

    GateRefused when a gate that fails runs is not passed, or the gates are not those of this candidate. The champion in
    place stays unless every gate is passed.
    """
    row = candidate.row(0, named=True)
    if not champion.is_empty() and champion["digest"][0] == row["digest"]:
        return champion, []
    ref, before = ModelRef.from_row(row), rival(row["digest"], champion, packaged)
    asked = {"compared_with": as_model(before), "gates": gates, "table": ML_EMBEDDER_GATES.name}
    problems = refusals(ref, demands=EMBEDDER_GATES, **asked)  # type: ignore[arg-type]
    if not problems:
        figures = metrics.filter(metric="ndcg_at_10").select("task", "before", "after").rows_by_key("task", unique=True)
        made = {
            **row,
            "promoted_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "compared_with": json.dumps(before.as_row(), sort_keys=True),
            "metrics": json.dumps(figures, sort_keys=True),
        }
        return ML_EMBEDDER_CHAMPION.conform(pl.DataFrame([made])), []
    if not only_quiet(gates, EMBEDDER_GATES, problems):
        raise GateRefused(ref, problems)
    return champion, problems
