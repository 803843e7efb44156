"""Whether a version of the index may be released.

Belongs here: what the gates must say of exactly that version. Does not belong here: the gates themselves
(`corpus_gates`), moving the pointer (`exo_resources/library_store.py`).
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl


class ReleaseRefused(ValueError):
    """A version may not be released; `problems` lists every reason."""

    def __init__(self, version: str, problems: list[str]) -> None:
        super().__init__(f"the index {version} is not released: " + "; ".join(problems))
        self.problems = problems


def refusals(version: str, gates: pl.DataFrame, wanted: Collection[str] = ()) -> list[str]:
    """Every reason for which `gates` (corpus_gates) does not let `version` pass; empty when it does.

    Each of `wanted`, the names of the gates, must have been judged, and for that version.
    """
    if gates.is_empty():
        return ["no gate was judged; materialise corpus_gates"]
    others = sorted(set(gates["version"].drop_nulls()) - {version})
    if others or gates["version"].null_count():
        return [f"the gates were judged for {', '.join(others) or 'no version'}; materialise corpus_gates again"]
    missing = sorted(set(wanted) - set(gates["gate"]))
    problems = [f"gate {name} was not judged; materialise corpus_gates again" for name in missing]
    for gate, status, explanation in gates.select("gate", "status", "explanation").iter_rows():
        if status not in ("passed", "not_applicable"):
            problems.append(f"gate {gate} {status}: {explanation}")
    return problems
