"""The gates of models as blocking asset checks, one property each.

Belongs here: which table has which gates. Does not belong here: judging (`gates.py`), how a table of gates is read
(`exo_assets/gate_checks.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from exo_assets.evaluation.gates import GATES, Gate, demand
from exo_assets.gate_checks import GateCheck, gate_checks

SHOWN = ("candidate_version", "candidate_digest")


def shown_gates(gates: Iterable[Gate]) -> list[GateCheck]:
    """Gates of a model, in words."""
    return [GateCheck(g.name, g.property, demand(g.lowest, g.highest), g.fail) for g in gates]


CHECKS: list[dg.AssetChecksDefinition] = [gate_checks("ml_vetter_gates", shown_gates(GATES), SHOWN)]
