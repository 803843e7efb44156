"""Promotion, refusal and rollback: which alias moves when, and what the table then says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from evaluation_fakes import MemoryRegistry, findings

from exo_assets.evaluation.champion import (
    best_before,
    champion_table,
    crown,
    reference,
    roll_back,
    withdrawal,
    withdrawn_key,
)
from exo_assets.evaluation.contracts import ML_VETTER_CHAMPION
from exo_assets.evaluation.gates import Finding, GateRefused, judge
from exo_assets.training.model_ref import ModelRef
from exo_resources.lake import Lake


def ref(n: int) -> ModelRef:
    return ModelRef("exo-vetter", str(n), f"run-{n}", f"{n:064d}")


def test_first_candidate_becomes_champion(lake: Lake) -> None:
    registry = MemoryRegistry()
    assert crown(registry, lake, ref(1), judge(ref(1), None, findings()), figure=0.9) == (ref(1), None)
    assert registry.champion() == ref(1) and registry.previous() is None


def test_better_candidate_moves_both_aliases(lake: Lake) -> None:
    registry = MemoryRegistry(ref(1))
    crown(registry, lake, ref(2), judge(ref(2), ref(1), findings()), figure=0.9)
    assert (registry.champion(), registry.previous()) == (ref(2), ref(1))


def test_the_same_again_moves_nothing(lake: Lake) -> None:
    registry = MemoryRegistry(ref(1))
    gates = judge(ref(2), ref(1), findings())
    crown(registry, lake, ref(2), gates, figure=0.9)
    # The comparison of a model is not changed by its own promotion, so the gates table need not be made again.
    assert reference(registry, lake, ref(2)) == ref(1)
    assert crown(registry, lake, ref(2), gates, figure=0.9) == (ref(2), None)
    assert registry.moves == ["promote 2"]


@pytest.mark.parametrize(
    "gates",
    [
        judge(ref(2), ref(1), findings()).clear(),
        judge(ref(2), ref(1), findings(calibration_ece=Finding(0.3, "bad"))),
        judge(ref(3), ref(1), findings()),
        judge(ref(2), None, findings()),
        judge(ref(2), ref(9), findings()),
        judge(ref(2), ref(1), findings()).head(3),
    ],
    ids=["absent", "failing", "other candidate", "against nothing", "against another champion", "incomplete"],
)
@pytest.mark.parametrize("champion", [ref(1), ref(2)], ids=["new candidate", "candidate is champion already"])
def test_refusals_move_nothing(lake: Lake, champion: ModelRef, gates: object) -> None:
    registry = MemoryRegistry(champion, ref(1) if champion == ref(2) else None)
    with pytest.raises(GateRefused, match=r"exo-vetter v2 .* is not promoted"):
        crown(registry, lake, ref(2), gates, figure=0.9)  # type: ignore[arg-type]
    assert registry.moves == [] and registry.champion() == champion


def test_rollback_puts_the_previous_back_and_remembers_why(lake: Lake) -> None:
    registry = MemoryRegistry(ref(2), ref(1))
    assert roll_back(registry, lake) == ref(1)
    assert registry.champion() == ref(1)
    assert "rolled back at" in (withdrawal(lake, ref(2)) or "")
    assert withdrawal(lake, ref(1)) is None


def test_a_withdrawn_model_is_passed_over_without_failing_the_night(lake: Lake) -> None:
    registry = MemoryRegistry(ref(2), ref(1))
    roll_back(registry, lake)
    gates = judge(ref(2), ref(1), findings())  # it would pass
    champion, refused = crown(registry, lake, ref(2), gates, figure=0.9)
    assert champion == ref(1) and refused is not None and "rolled back" in refused
    assert registry.champion() == ref(1)
    table = champion_table(champion, registry.previous(), ref(2), refused, None)
    ML_VETTER_CHAMPION.check(table)
    row = table.row(0, named=True)
    assert (row["version"], row["refused_version"]) == ("1", "2") and "rolled back" in row["refused_reason"]


def test_a_withdrawn_model_is_no_yardstick(lake: Lake) -> None:
    registry = MemoryRegistry(ref(2), ref(1))
    roll_back(registry, lake)
    assert registry.previous() == ref(2)
    assert reference(registry, lake, ref(1)) is None
    assert reference(registry, lake, ref(3)) == ref(1)


def test_the_next_candidate_after_a_rollback_is_judged_as_any(lake: Lake) -> None:
    registry = MemoryRegistry(ref(2), ref(1))
    roll_back(registry, lake)
    assert crown(registry, lake, ref(3), judge(ref(3), ref(1), findings()), figure=0.9) == (ref(3), None)
    assert (registry.champion(), registry.previous()) == (ref(3), ref(1))


def test_a_withdrawn_model_without_any_champion_is_an_error(lake: Lake) -> None:
    lake.put(withdrawn_key(ref(2).digest), b'{"rolled_back_at": "2026-01-01"}')
    with pytest.raises(GateRefused, match="no other model is champion"):
        crown(MemoryRegistry(), lake, ref(2), judge(ref(2), None, findings()), figure=0.9)


@pytest.mark.parametrize(
    ("champion", "previous", "message"),
    [
        (None, None, "no champion to roll back"),
        (ref(1), None, "no champion before"),
        (ref(1), ref(1), "no champion before"),
    ],
)
def test_rollback_without_a_way_back(
    lake: Lake, champion: ModelRef | None, previous: ModelRef | None, message: str
) -> None:
    registry = MemoryRegistry(champion, previous)
    with pytest.raises(LookupError, match=message):
        roll_back(registry, lake)
    assert registry.moves == [] and lake.keys("evaluation") == []


def test_rolling_back_twice_does_not_bring_the_withdrawn_model_back(lake: Lake) -> None:
    registry = MemoryRegistry(ref(2), ref(1))
    roll_back(registry, lake)
    with pytest.raises(LookupError, match=r"v2 .*rolled back at"):
        roll_back(registry, lake)
    assert registry.champion() == ref(1)


def test_killed_between_record_and_alias_the_rollback_can_be_repeated(lake: Lake) -> None:
    class Killed(MemoryRegistry):
        def rollback(self) -> ModelRef:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        roll_back(Killed(ref(2), ref(1)), lake)
    registry = MemoryRegistry(ref(2), ref(1))
    assert roll_back(registry, lake) == ref(1)


def test_date_of_a_champion_that_stays_is_kept() -> None:
    first = champion_table(ref(1), None, ref(1), None, None)
    dated = first.with_columns(promoted_at=first["promoted_at"].str.replace("^20..", "2001"))
    again = champion_table(ref(1), None, ref(1), None, dated)
    assert again.equals(dated)
    changed = champion_table(ref(2), ref(1), ref(2), None, dated)
    assert not changed["promoted_at"][0].startswith("2001") and changed["previous_version"][0] == "1"


def test_a_candidate_is_held_against_the_best_ever_and_not_only_the_last(lake: Lake) -> None:
    registry = MemoryRegistry()
    for number, figure in ((1, 0.95), (2, 0.97), (3, 0.96)):
        rival = reference(registry, lake, ref(number))
        crown(registry, lake, ref(number), judge(ref(number), rival, findings()), figure=figure)
    assert registry.champion() == ref(3)
    assert best_before(lake, ref(4), ref(3)) == ref(2)
    assert best_before(lake, ref(4), ref(2)) is None, "it is compared with as the model in place"
    assert best_before(lake, ref(2), ref(1)) == ref(3), "no model is held against itself"
    # What was rolled back is no yardstick; promoted again by hand, a figure is remembered once.
    lake.put(withdrawn_key(ref(2).digest), b'{"rolled_back_at": "2026-01-01"}')
    assert best_before(lake, ref(4), ref(1)) == ref(3)
    assert len(lake.keys("evaluation/promoted/exo-vetter/")) == 3
    assert best_before(lake, replace(ref(4), name="exo-event-vetter"), None) is None, "each vetter has its own"
