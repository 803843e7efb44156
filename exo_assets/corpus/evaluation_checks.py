"""The gates of an index as blocking asset checks, one property each.

Belongs here: which table has them. Does not belong here: judging (`evaluation_gates.py`), how a table of gates is read
(`exo_assets/gate_checks.py`).
"""

from __future__ import annotations

import dagster as dg

from exo_assets.corpus.evaluation_gates import GATES, demand
from exo_assets.gate_checks import GateCheck, gate_checks

SHOWN_GATES = [GateCheck(gate.name, gate.property, demand(gate)) for gate in GATES]
CHECKS: list[dg.AssetChecksDefinition] = [
    gate_checks("corpus_gates", SHOWN_GATES, ("low", "high", "version", "reference_version"))
]
