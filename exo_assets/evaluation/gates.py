"""The gates between a candidate and the champion: one property each, one table of thresholds.

Belongs here: what is demanded, and the judgement of what was found. Does not belong here: finding it (`evidence.py`)
or acting on it (`champion.py`, `checks.py`).

| gate | demand | why this threshold |
| --- | --- | --- |
| enough_test_signals | >= 100 resolved test signals | fewer judge nothing; everything else could be not applicable |
| floor_auc_kepler | ROC AUC >= 0.975 | 13 bare catalogue columns reach 0.978 (baseline 0.987), less test noise |
| floor_auc_tess | ROC AUC >= 0.88 | training on Kepler alone reaches 0.825 (baseline 0.929) |
| floor_auc_k2 | ROC AUC >= 0.75 | the test stars hold few false positives: interval half-width near 0.1 |
| calibration_ece | ECE <= 0.04 | baseline 0.019 to 0.028 over folds; a test set of a fifth adds noise |
| not_worse_than_champion | AP difference, lower end of its interval >= -0.01 | a loss above one point is implausible |
| not_worse_than_best | the same, with the best model ever promoted | many losses of a point add up |
| permuted_labels_near_half | 0.45 <= ROC AUC <= 0.55 | shuffled labels carry nothing, unless stars cross folds |
| missingness_alone_<mission> | ROC AUC <= 0.75 | what is filled is paperwork, 0.55 to 0.69 measured; 1 is the label |
| feature_alone_<mission> | ROC AUC <= 0.9 | the best single feature ranks 0.82, 0.78 and 0.73; 1 is the label |
| drop_group | ROC AUC lost <= 0.03 | the pipeline's diagnostics are worth 0.011; a group worth more is looked at |
| no_banned_feature | 0 features | leaks are banned by name |
| labels_change_nothing | 0 | scrambled labels, identity, dates and positions must not move a probability |
| test_stars_disjoint | 0 stars | nothing on a test star may be learned from |
| explanations_add_up | difference <= 1e-6 log-odds | reasons that do not sum to the score explain nothing |
| network_as_trained | difference <= 0.0001 | a graph that does not say what was trained is another model |
| probabilities_sound | 0 signals | in [0, 1], dispositions sum to one |
| digest_matches | 1 | the artefact that was judged is the one in the registry |
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.contracts import TableContract
from exo_assets.evaluation.contracts import ML_VETTER_GATES
from exo_assets.training.model_ref import ModelRef
from exo_assets.training.quantize import FLOAT32_TOLERANCE

LEAST_PER_CLASS = 15
"""Resolved test signals of each class below which a mission's ranking is not judged (its gate is not applicable)."""
FLOOR_AUC = {"kepler": 0.975, "k2": 0.75, "tess": 0.88}
MISSINGNESS_AUC = 0.75
FEATURE_ALONE_AUC = 0.9
GROUP_LOSS = 0.03


@dataclass(frozen=True)
class Gate:
    """One demand: `lowest <= value <= highest`. Only an `optional` gate may be not applicable.

    A gate that does not `fail` the run only keeps its candidate from being promoted.
    """

    name: str
    property: str
    lowest: float | None = None
    highest: float | None = None
    optional: bool = False
    fail: bool = True


@dataclass(frozen=True)
class Finding:
    """What was found for a gate; `value` None means not applicable, and `note` says why."""

    value: float | None
    note: str


GATES: tuple[Gate, ...] = (
    Gate("enough_test_signals", "The test stars hold enough resolved signals to judge anything", lowest=100),
    *(
        Gate(f"floor_auc_{m}", f"Ranks planets of {m} above false positives on test stars", FLOOR_AUC[m], optional=True)
        for m in MISSIONS
    ),
    Gate("calibration_ece", "Probabilities mean what they say on test stars", highest=0.04),
    Gate("not_worse_than_champion", "Average precision is not below that of the model in place", -0.01, optional=True),
    Gate("not_worse_than_best", "Average precision is not below that of the best model before", -0.01, optional=True),
    Gate("permuted_labels_near_half", "Learns nothing from shuffled labels", lowest=0.45, highest=0.55),
    *(
        Gate(f"missingness_alone_{m}", f"Filled columns do not tell planets of {m}", None, MISSINGNESS_AUC, True)
        for m in MISSIONS
    ),
    *(
        Gate(f"feature_alone_{m}", f"No feature alone tells planets of {m}", None, FEATURE_ALONE_AUC, True)
        for m in MISSIONS
    ),
    Gate("drop_group", "No group of features carries the ranking alone", highest=GROUP_LOSS, optional=True),
    Gate("no_banned_feature", "No feature is computed from a leaking column", highest=0),
    Gate("labels_change_nothing", "Labels, identity, dates and positions do not move a probability", highest=0),
    Gate("test_stars_disjoint", "No test star was learned from", highest=0),
    Gate("explanations_add_up", "Contributions sum to the score", highest=1e-6),
    Gate("network_as_trained", "Served network files answer as trained weights", None, FLOAT32_TOLERANCE, True),
    Gate("probabilities_sound", "Probabilities lie in [0, 1] and dispositions sum to one", highest=0),
    Gate("digest_matches", "The model that was judged is the one in the registry", lowest=1),
)  # fmt: skip

GATE_NAMES = tuple(g.name for g in GATES)


class GateRefused(ValueError):
    """A candidate may not become the champion; `problems` lists every reason."""

    def __init__(self, candidate: ModelRef, problems: list[str]) -> None:
        super().__init__(f"{candidate} is not promoted: " + "; ".join(problems))
        self.candidate = candidate
        self.problems = problems


def judge(
    candidate: ModelRef,
    compared_with: ModelRef | None,
    found: Mapping[str, Finding],
    *,
    gates: Sequence[Gate] | None = None,
    contract: TableContract = ML_VETTER_GATES,
) -> pl.DataFrame:
    """The gates table of one candidate, by default of a vetter.

    KeyError when something was found for no gate, or for a gate nothing was.
    """
    gates = GATES if gates is None else gates
    names = {gate.name for gate in gates}
    if set(found) != names:
        raise KeyError(f"findings and gates differ: {sorted(set(found) ^ names)}")
    rows = []
    for gate in gates:
        finding = found[gate.name]
        status = _status(gate, finding)
        rows.append(
            {
                "candidate_name": candidate.name,
                "candidate_version": candidate.version,
                "candidate_run_id": candidate.run_id,
                "candidate_digest": candidate.digest,
                "compared_with_digest": compared_with.digest if compared_with else None,
                "gate": gate.name,
                "value": None if finding.value is None or math.isnan(finding.value) else finding.value,
                "lowest": gate.lowest,
                "highest": gate.highest,
                "status": status,
                "passed": None if status == "not_applicable" else status == "passed",
                "explanation": f"{gate.property}: {finding.note}",
            }
        )
    return contract.conform(pl.DataFrame(rows, schema=contract.schema))


def _status(gate: Gate, finding: Finding) -> str:
    if finding.value is None:
        return "not_applicable" if gate.optional else "failed"
    low = gate.lowest if gate.lowest is not None else -math.inf
    high = gate.highest if gate.highest is not None else math.inf
    return "passed" if low <= finding.value <= high else "failed"  # NaN fails


def demand(lowest: float | None, highest: float | None) -> str:
    """A gate's bounds in words."""
    if lowest is not None and highest is not None:
        return f"between {lowest:g} and {highest:g}"
    return f"at least {lowest:g}" if lowest is not None else f"at most {highest:g}"


def refusals(
    candidate: ModelRef,
    compared_with: ModelRef | None,
    gates: pl.DataFrame,
    *,
    demands: Sequence[Gate] | None = None,
    table: str = ML_VETTER_GATES.name,
) -> list[str]:
    """Every reason for which `gates` does not let exactly `candidate` pass; empty when it does.

    The table is not believed: its thresholds must be those of this code and its verdicts must follow from its values.
    """
    demands = GATES if demands is None else demands
    again = f"materialise {table}"
    wanted = {
        "candidate_name": candidate.name,
        "candidate_version": candidate.version,
        "candidate_run_id": candidate.run_id,
        "candidate_digest": candidate.digest,
    }
    if gates.height == 0:
        return [f"no gate was judged; {again}"]
    for column, value in wanted.items():
        others = sorted({str(v) for v in gates[column].to_list() if v != value})
        if others:
            return [f"the gates are for another candidate ({column} {', '.join(others)}); {again}"]
    reference = compared_with.digest if compared_with else None
    if any(v != reference for v in gates["compared_with_digest"].to_list()):
        return [f"the gates compared it with another model than {compared_with or 'none'}; {again}"]
    rows = {row["gate"]: row for row in gates.iter_rows(named=True)}
    names = [gate.name for gate in demands]
    problems = [f"gate {name} is missing" for name in names if name not in rows]
    problems += [f"gate {name} is unknown" for name in rows if name not in names]
    for gate in demands:
        row = rows.get(gate.name)
        if row is None:
            continue
        if (row["lowest"], row["highest"]) != (gate.lowest, gate.highest):
            problems.append(f"gate {gate.name} was judged by other thresholds; {again}")
        elif row["status"] == "failed" or _status(gate, Finding(row["value"], "")) == "failed":
            found = "nothing" if row["value"] is None else f"{row['value']:.6g}"
            problems.append(f"gate {gate.name} failed: found {found}, wanted {demand(gate.lowest, gate.highest)}")
        elif row["status"] != _status(gate, Finding(row["value"], "")):
            problems.append(f"gate {gate.name} says {row['status']} but its value says otherwise")
    return problems


def only_quiet(gates: pl.DataFrame, demands: Sequence[Gate], problems: Sequence[str]) -> bool:
    """Whether `problems` (of `refusals`) are failed gates that fail no run, and nothing else."""
    failed = set(gates.filter(status="failed")["gate"])
    return bool(failed) and failed <= {gate.name for gate in demands if not gate.fail} and len(failed) == len(problems)
