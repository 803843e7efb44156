"""The gates of an index as blocking asset checks, one property each.

Belongs here: reading the gates table and saying so in the UI. Does not belong here: judging (`evaluation_gates.py`).

They stop the release within the run; the release's asset reads the same table again, for runs without these checks.

No postponed annotations here: Dagster reads those of the check functions at definition time.
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from exo_assets.corpus.evaluation_gates import GATES, Gate, demand

TABLE = "corpus_gates"


@dg.multi_asset_check(
    name="corpus_gates_checks",
    specs=[
        dg.AssetCheckSpec(gate.name, asset=TABLE, blocking=True, description=f"{gate.property}: {demand(gate)}.")
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


def check_result(gate: Gate, table: pl.DataFrame) -> dg.AssetCheckResult:
    """The gate's row as a check result; a gate without a row fails. One that is not applicable says so in capitals."""
    rows = table.filter(gate=gate.name).to_dicts()
    if len(rows) != 1:
        return _result(gate, False, f"{len(rows)} rows for this gate in {TABLE}, not one; materialise it again", {})
    row = rows[0]
    text = f"NOT APPLICABLE. {row['explanation']}" if row["status"] == "not_applicable" else row["explanation"]
    facts = {name: row[name] for name in ("value", "low", "high", "status", "version", "reference_version")}
    return _result(gate, row["status"] != "failed", text, {k: v for k, v in facts.items() if v is not None})


def _result(gate: Gate, passed: bool, text: str, facts: dict[str, float | str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=TABLE,
        check_name=gate.name,
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=text,
        metadata={"wanted": demand(gate), **facts},
    )


CHECKS: list[dg.AssetChecksDefinition] = [gate_checks]
