"""The gates as blocking asset checks, one property each.

Belongs here: reading the gates table and saying so in the UI. Does not belong here: judging (`gates.py`).

They stop the champion within the run; the champion's asset reads the same table again, for runs without these checks.

No postponed annotations here: Dagster reads those of the check functions at definition time.
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from exo_assets.evaluation.gates import GATES, Gate, demand

TABLE = "ml_vetter_gates"


@dg.multi_asset_check(
    name="ml_vetter_gates_checks",
    specs=[
        dg.AssetCheckSpec(
            gate.name,
            asset=TABLE,
            blocking=True,
            description=f"{gate.property}: {demand(gate.lowest, gate.highest)}.",
        )
        for gate in GATES
    ],
    required_resource_keys={"lake"},
    can_subset=True,
)
def gate_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """One result per gate."""
    table = context.resources.lake.read(TABLE)
    wanted = {key.name for key in context.selected_asset_check_keys}
    for gate in GATES:
        if gate.name in wanted:
            yield check_result(gate, table)


def check_result(gate: Gate, table: pl.DataFrame, name: str = TABLE) -> dg.AssetCheckResult:
    """The gate's row in the table `name` as a check result; a gate without a row fails.

    One that is not applicable says so in capitals.
    """
    rows = table.filter(gate=gate.name).to_dicts()
    if len(rows) != 1:
        text = f"{len(rows)} rows for this gate in {name}, not one; materialise it again"
        return gate_result(gate, False, text, {}, name)
    row = rows[0]
    text = f"NOT APPLICABLE. {row['explanation']}" if row["status"] == "not_applicable" else row["explanation"]
    facts = {name: row[name] for name in ("value", "status", "candidate_version", "candidate_digest")}
    return gate_result(gate, row["status"] != "failed", text, {k: v for k, v in facts.items() if v is not None}, name)


def gate_result(gate: Gate, passed: bool, text: str, facts: dict[str, float | str], name: str) -> dg.AssetCheckResult:
    """A check result on the table `name`; a gate that fails no run warns."""
    return dg.AssetCheckResult(
        asset_key=name,
        check_name=gate.name,
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if gate.fail else dg.AssetCheckSeverity.WARN,
        description=text,
        metadata={"wanted": demand(gate.lowest, gate.highest), **facts},
    )


CHECKS: list[dg.AssetChecksDefinition] = [gate_checks]
