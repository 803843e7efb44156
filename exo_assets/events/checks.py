"""The gates of the event vetter as blocking asset checks, one property each.

Belongs here: which table has them. Does not belong here: judging (`evaluation/gates.py`).
"""

from __future__ import annotations

import dagster as dg

from exo_assets.evaluation.checks import SHOWN, shown_gates
from exo_assets.events.gates import EVENT_GATES
from exo_assets.gate_checks import gate_checks

CHECKS: list[dg.AssetChecksDefinition] = [
    gate_checks("ml_event_gates", shown_gates(EVENT_GATES), SHOWN, when_empty="There is no candidate")
]
