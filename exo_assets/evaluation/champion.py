"""Promotion and rollback of the champion.

Belongs here: the rules by which the registry's aliases move. Does not belong here: the registry, the lake, the gates.

A rollback is remembered in the lake, by the digest of the model that was withdrawn: the night that follows would
otherwise train the same model again and promote it again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import polars as pl

from exo_assets.contracts import TableContract
from exo_assets.evaluation import gates as gate_rules
from exo_assets.evaluation import promoted
from exo_assets.evaluation.contracts import ML_VETTER_CHAMPION, ML_VETTER_GATES
from exo_assets.evaluation.gates import Gate, GateRefused, only_quiet, refusals
from exo_assets.evaluation.promoted import Promoted
from exo_assets.training.model_ref import ModelRef


class Registry(Protocol):
    """What promotion needs of the model registry."""

    def champion(self) -> ModelRef | None:
        """The model under the alias `champion`."""

    def previous(self) -> ModelRef | None:
        """The model under the alias `previous`."""

    def promote(self, ref: ModelRef) -> None:
        """Move `champion` to `ref` and `previous` to the champion before it."""

    def rollback(self) -> ModelRef:
        """Put the previous champion back; returns it."""


class Blobs(promoted.Blobs, Protocol):
    """What the records of promoted and of withdrawn models need of the lake."""

    def has(self, key: str) -> bool:
        """Whether `key` exists."""


def withdrawn_key(digest: str) -> str:
    """Key of the record that the model with `digest` was rolled back."""
    return f"evaluation/withdrawn/{digest}.json"


def withdrawal(lake: Blobs, ref: ModelRef) -> str | None:
    """Why `ref` may not be promoted again, or None when it was never rolled back."""
    key = withdrawn_key(ref.digest)
    if not lake.has(key):
        return None
    record = json.loads(lake.get(key))
    return f"rolled back at {record['rolled_back_at']}; to allow it again, remove {key} from the lake"


def reference(registry: Registry, lake: Blobs, candidate: ModelRef) -> ModelRef | None:
    """The model that `candidate` is compared with: the champion, or the one before it when the candidate is champion.

    So the comparison of a model does not change by its own promotion. A withdrawn model is no yardstick.
    """
    champion = registry.champion()
    if champion is None or champion.digest != candidate.digest:
        return champion
    before = registry.previous()
    if before is None or before.digest == candidate.digest or withdrawal(lake, before):
        return None
    return before


def best_before(lake: Blobs, candidate: ModelRef, compared_with: ModelRef | None) -> ModelRef | None:
    """The best model that was ever promoted and not rolled back, when it is not `compared_with`; None: it is, or there
    is none."""
    found = promoted.best(lake, candidate, lambda ref: withdrawal(lake, ref) is not None)
    same = found is not None and compared_with is not None and found.ref.digest == compared_with.digest
    return None if found is None or same else found.ref


def crown(
    registry: Registry,
    lake: Blobs,
    candidate: ModelRef,
    gates: pl.DataFrame,
    *,
    figure: float | None,
    demands: Sequence[Gate] | None = None,
    table: str = ML_VETTER_GATES.name,
) -> tuple[ModelRef | None, str | None]:
    """Promote `candidate` if its gates say so; returns the champion and why the candidate is not it (None: it is).

    `figure`: its average precision on test stars, which is remembered with its promotion (promoted.py).

    Raises GateRefused, and moves nothing, when a gate that fails runs is not passed, is missing, or was judged for
    another model. A candidate that was rolled back before, or that only gates which fail no run refuse, is passed over:
    the champion in place stays, or there is none.
    """
    demands = gate_rules.GATES if demands is None else demands
    champion = registry.champion()
    withdrawn = withdrawal(lake, candidate)
    if withdrawn and champion is None:
        raise GateRefused(candidate, [withdrawn, "and no other model is champion"])
    if withdrawn and champion is not None and champion.digest != candidate.digest:
        return champion, withdrawn
    problems = refusals(candidate, reference(registry, lake, candidate), gates, demands=demands, table=table)
    if problems and only_quiet(gates, demands, problems):
        return champion, "; ".join(problems)
    if problems:
        raise GateRefused(candidate, problems)
    if champion is None or champion.digest != candidate.digest:
        registry.promote(candidate)
        champion = candidate
    if figure is not None:
        promoted.record(lake, Promoted(candidate, figure))
    return champion, None


def champion_table(
    champion: ModelRef | None,
    previous: ModelRef | None,
    candidate: ModelRef,
    refused: str | None,
    before: pl.DataFrame | None,
    *,
    contract: TableContract = ML_VETTER_CHAMPION,
) -> pl.DataFrame:
    """The one row of `contract`, the champion's table; no row without a champion. `before` is the stored table: a
    champion that stays keeps its date."""
    if champion is None:
        return contract.empty()
    promoted_at = datetime.now(UTC).isoformat(timespec="seconds")
    if before is not None and before.height:
        row = before.row(0, named=True)
        if (row["version"], row["digest"]) == (champion.version, champion.digest):
            promoted_at = row["promoted_at"]
    return contract.conform(
        pl.DataFrame(
            {
                **champion.as_row(),
                "promoted_at": promoted_at,
                "previous_version": previous.version if previous else None,
                "previous_digest": previous.digest if previous else None,
                "refused_version": candidate.version if refused else None,
                "refused_reason": refused,
            }
        )
    )


def moved(registry: Registry, stored: pl.DataFrame | None) -> str:
    """Empty while the champion's table `stored` tells what the registry says, or was never made; otherwise the
    registry's champion (after a rollback)."""
    if stored is None:
        return ""
    champion = registry.champion()
    told = [(row["version"], row["digest"]) for row in stored.iter_rows(named=True)]
    same = told == ([(champion.version, champion.digest)] if champion else [])
    return "" if same else f"the registry's champion is {champion}"


def rollback_target(registry: Registry, lake: Blobs) -> tuple[ModelRef, ModelRef]:
    """The champion and the one before it, to put back. LookupError when there is none, or it was withdrawn itself."""
    champion, before = registry.champion(), registry.previous()
    if champion is None:
        raise LookupError("there is no champion to roll back; run the nightly job first")
    if before is None or before.digest == champion.digest:
        raise LookupError(f"there is no champion before {champion} to put back")
    withdrawn = withdrawal(lake, before)
    if withdrawn:
        raise LookupError(f"the champion before {champion} is {before}, which was {withdrawn}")
    return champion, before


def roll_back(registry: Registry, lake: Blobs) -> ModelRef:
    """Put the previous champion back and remember that the present one was withdrawn; returns the new champion.

    LookupError, and nothing moves, where `rollback_target` finds none. The record is written first: killed in between,
    the champion still stands and the rollback can be repeated.
    """
    champion, _ = rollback_target(registry, lake)
    record = {**champion.as_row(), "rolled_back_at": datetime.now(UTC).isoformat(timespec="seconds")}
    lake.put(withdrawn_key(champion.digest), json.dumps(record, sort_keys=True).encode())
    return registry.rollback()
