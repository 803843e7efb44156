"""A table of gates as blocking asset checks, one property each.

Belongs here: reading such a table and saying in the UI what it says. Does not belong here: judging
(`evaluation/gates.py`, `corpus/evaluation_gates.py`).

Checks stop a run; what is released or promoted reads the same table again, for runs without these checks.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
import polars as pl


@dataclass(frozen=True)
class GateCheck:
    """What is shown of a gate: its name in the table, the property, what it wants in words, and whether it fails a run
    or only warns."""

    name: str
    property: str
    wanted: str
    fail: bool = True


def gate_checks(
    table: str, gates: Iterable[GateCheck], shown: Sequence[str], *, when_empty: str | None = None
) -> dg.AssetChecksDefinition:
    """Checks on the asset `table`, whose rows have `gate`, `status`, `explanation` and the columns `shown`.

    A gate without a row fails, but where the whole table is empty and `when_empty` says why.
    """
    by_name = {gate.name: gate for gate in gates}

    @dg.multi_asset_check(
        name=f"{table}_checks",
        specs=[
            dg.AssetCheckSpec(name, asset=table, blocking=True, description=f"{gate.property}: {gate.wanted}.")
            for name, gate in by_name.items()
        ],
        required_resource_keys={"lake"},
        can_subset=True,
    )
    def checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        rows = context.resources.lake.read(table)
        wanted = {key.name for key in context.selected_asset_check_keys}
        for name, gate in by_name.items():
            if name in wanted:
                yield check_result(gate, rows, table, shown, when_empty=when_empty)

    return checks


def check_result(
    gate: GateCheck, rows: pl.DataFrame, table: str, shown: Sequence[str] = (), *, when_empty: str | None = None
) -> dg.AssetCheckResult:
    """What the gates table `rows` says of one gate. One that is not applicable says so in capitals."""
    facts: dict[str, float | str] = {}
    own = rows.filter(gate=gate.name).to_dicts()
    if rows.is_empty() and when_empty is not None:
        passed, text = True, _not_applicable(when_empty)
    elif len(own) != 1:
        passed, text = False, f"{len(own)} rows for this gate in {table}, not one; materialise it again"
    else:
        [row] = own
        passed = row["status"] != "failed"
        text = _not_applicable(row["explanation"]) if row["status"] == "not_applicable" else row["explanation"]
        facts = {name: row[name] for name in ("value", "status", *shown) if row[name] is not None}
    return dg.AssetCheckResult(
        asset_key=table,
        check_name=gate.name,
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if gate.fail else dg.AssetCheckSeverity.WARN,
        description=text,
        metadata={"wanted": gate.wanted, **facts},
    )


@contextmanager
def refusal_fails_run() -> Iterator[None]:
    """A GateRefused in the block fails the step with its problems in the metadata; no retry would change it."""
    from exo_assets.evaluation.gates import GateRefused

    try:
        yield
    except GateRefused as refusal:
        raise dg.Failure(
            f"GateRefused: {refusal}", metadata={"problems": refusal.problems}, allow_retries=False
        ) from refusal


def _not_applicable(why: str) -> str:
    return f"NOT APPLICABLE. {why}"
