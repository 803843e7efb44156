"""Each gate fails when it should, and a gates table is believed only for its model, complete and consistent."""

from __future__ import annotations

import polars as pl
import pytest
from evaluation_fakes import findings

from exo_assets.evaluation.contracts import ML_VETTER_GATES
from exo_assets.evaluation.gates import GATE_NAMES, GATES, Finding, Gate, GateRefused, judge, refusals
from exo_assets.training.model_ref import ModelRef

CANDIDATE = ModelRef("exo-vetter", "7", "run-7", "d" * 64)
CHAMPION = ModelRef("exo-vetter", "6", "run-6", "c" * 64)


def test_names_are_unique_and_every_gate_demands_something() -> None:
    assert len(set(GATE_NAMES)) == len(GATES)
    assert all(gate.lowest is not None or gate.highest is not None for gate in GATES)


def test_bounds_are_inclusive_and_all_pass() -> None:
    table = judge(CANDIDATE, CHAMPION, findings())
    ML_VETTER_GATES.check(table)
    assert table["passed"].all() and set(table["status"]) == {"passed"}
    assert refusals(CANDIDATE, CHAMPION, table) == []


@pytest.mark.parametrize("gate", GATES, ids=lambda g: g.name)
def test_each_gate_fails_alone_beyond_its_bound(gate: Gate) -> None:
    beyond = gate.lowest - 1e-3 if gate.lowest is not None else (gate.highest or 0) + 1e-3
    table = judge(CANDIDATE, CHAMPION, findings(**{gate.name: Finding(beyond, "beyond")}))
    assert table.filter(~pl.col("passed"))["gate"].to_list() == [gate.name]
    (problem,) = refusals(CANDIDATE, CHAMPION, table)
    assert gate.name in problem and "failed" in problem


@pytest.mark.parametrize("gate", GATES, ids=lambda g: g.name)
def test_an_undefined_figure_never_passes(gate: Gate) -> None:
    table = judge(CANDIDATE, None, findings(**{gate.name: Finding(float("nan"), "undefined")}))
    row = table.row(by_predicate=pl.col("gate") == gate.name, named=True)
    assert row["status"] == "failed" and row["value"] is None


@pytest.mark.parametrize("gate", GATES, ids=lambda g: g.name)
def test_only_optional_gates_may_be_not_applicable(gate: Gate) -> None:
    table = judge(CANDIDATE, None, findings(**{gate.name: Finding(None, "no such mission in the data")}))
    row = table.row(by_predicate=pl.col("gate") == gate.name, named=True)
    assert row["status"] == ("not_applicable" if gate.optional else "failed")
    assert row["passed"] is (None if gate.optional else False)
    assert "no such mission" in row["explanation"]
    assert bool(refusals(CANDIDATE, None, table)) is not gate.optional


def test_upper_bound_of_a_two_sided_gate() -> None:
    table = judge(CANDIDATE, None, findings(permuted_labels_near_half=Finding(0.551, "leak")))
    assert refusals(CANDIDATE, None, table)


def test_findings_must_be_complete() -> None:
    found = findings()
    del found["digest_matches"]
    with pytest.raises(KeyError, match="digest_matches"):
        judge(CANDIDATE, None, found)
    with pytest.raises(KeyError, match="invented"):
        judge(CANDIDATE, None, findings(invented=Finding(1, "")))


@pytest.mark.parametrize("column", ["name", "version", "run_id", "digest"])
def test_gates_of_another_candidate_are_refused(column: str) -> None:
    other = ModelRef(**{**CANDIDATE.as_row(), column: "another"})
    (problem,) = refusals(other, CHAMPION, judge(CANDIDATE, CHAMPION, findings()))
    assert "another candidate" in problem and column in problem


def test_gates_against_another_champion_are_refused() -> None:
    table = judge(CANDIDATE, None, findings())
    (problem,) = refusals(CANDIDATE, CHAMPION, table)
    assert "another model" in problem
    assert refusals(CANDIDATE, None, table) == []


def test_absent_missing_and_unknown_gates_are_refused() -> None:
    table = judge(CANDIDATE, None, findings())
    assert refusals(CANDIDATE, None, table.clear()) == ["no gate was judged; materialise ml_vetter_gates"]
    short = table.filter(pl.col("gate") != "no_banned_feature")
    assert refusals(CANDIDATE, None, short) == ["gate no_banned_feature is missing"]
    renamed = table.with_columns(pl.col("gate").replace("no_banned_feature", "no_feature"))
    assert refusals(CANDIDATE, None, renamed) == ["gate no_banned_feature is missing", "gate no_feature is unknown"]


def test_a_table_that_contradicts_itself_is_refused() -> None:
    table = judge(CANDIDATE, None, findings(calibration_ece=Finding(0.5, "far off")))
    forged = table.with_columns(status=pl.lit("passed"), passed=pl.lit(True))
    (problem,) = refusals(CANDIDATE, None, forged)
    assert "calibration_ece failed: found 0.5, wanted at most 0.04" in problem
    skipped = table.with_columns(
        status=pl.when(gate="floor_auc_kepler").then(pl.lit("not_applicable")).otherwise("status"),
        value=pl.when(gate="calibration_ece").then(0.01).otherwise("value"),
    ).with_columns(status=pl.when(gate="calibration_ece").then(pl.lit("passed")).otherwise("status"))
    (problem,) = refusals(CANDIDATE, None, skipped)
    assert "floor_auc_kepler says not_applicable but its value says otherwise" in problem


def test_thresholds_of_other_code_are_refused() -> None:
    table = judge(CANDIDATE, None, findings()).with_columns(
        lowest=pl.when(gate="floor_auc_kepler").then(0.1).otherwise("lowest")
    )
    (problem,) = refusals(CANDIDATE, None, table)
    assert "floor_auc_kepler was judged by other thresholds" in problem


def test_refusal_names_candidate_and_every_gate() -> None:
    error = GateRefused(CANDIDATE, ["gate a failed", "gate b failed"])
    assert "exo-vetter v7" in str(error) and "gate a failed; gate b failed" in str(error)
