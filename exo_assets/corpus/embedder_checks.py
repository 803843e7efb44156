"""The gates of the embedding model as blocking asset checks, one property each.

Belongs here: reading the gates table and saying so in the UI. Does not belong here: judging (`evaluation/gates.py`).

No postponed annotations here: Dagster reads those of the check functions at definition time.
"""

from collections.abc import Iterator

import dagster as dg

from exo_assets.corpus.embedder_gates import EMBEDDER_GATES
from exo_assets.evaluation.checks import check_result, gate_result
from exo_assets.evaluation.gates import demand

TABLE = "ml_embedder_gates"


@dg.multi_asset_check(
    name="ml_embedder_gates_checks",
    specs=[
        dg.AssetCheckSpec(
            gate.name,
            asset=TABLE,
            blocking=True,
            description=f"{gate.property}: {demand(gate.lowest, gate.highest)}.",
        )
        for gate in EMBEDDER_GATES
    ],
    required_resource_keys={"lake"},
    can_subset=True,
)
def embedder_gate_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """One result per gate; without a candidate there is nothing to judge, and it says so."""
    table = context.resources.lake.read(TABLE)
    wanted = {key.name for key in context.selected_asset_check_keys}
    for gate in EMBEDDER_GATES:
        if gate.name not in wanted:
            continue
        if table.is_empty():
            yield gate_result(gate, True, "NOT APPLICABLE. There is no candidate", {}, TABLE)
        else:
            yield check_result(gate, table, TABLE)


CHECKS: list[dg.AssetChecksDefinition] = [embedder_gate_checks]
