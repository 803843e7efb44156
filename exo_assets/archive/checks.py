"""Checks of the raw tables beyond their contracts: is what we have what the archive has now?"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from exo_assets.archive.contracts import CONTRACTS, RawContract
from exo_resources.lake import Lake

FRESH = ("live", "mirror")

EXPLAINED = {
    "last_good": "the source could not be used tonight, so the last good copy was kept: stale, but whole",
    "snapshot": "the rows are those that ship with the package, not the archive's of today",
    "absent": "no source has this table; it is empty",
}


def judged(notes: Mapping[str, Any]) -> tuple[bool, dg.AssetCheckSeverity, str]:
    """From a raw table's notes: whether it is as the archive has it now, how bad it is if not, and a sentence.

    An outage is a warning: it passes by itself. An answer that was refused is an error, whatever was used in its place:
    it stays so until a person has looked.
    """
    source = str(notes.get("source"))
    attempts = [dict(attempt) for attempt in notes.get("attempts") or ()]
    refused = [attempt for attempt in attempts if attempt.get("refused")]
    said = f"source: {source}" if source in FRESH else EXPLAINED[source]
    if reason := notes.get("reason"):
        said += f" ({reason})"
    remedies = dict.fromkeys(str(attempt["remedy"]) for attempt in refused or attempts if attempt.get("remedy"))
    if remedies:
        said += f". Remedy: {'; or '.join(remedies)}"
    severity = dg.AssetCheckSeverity.ERROR if refused else dg.AssetCheckSeverity.WARN
    return source in FRESH and not refused, severity, said


def _fresh_check(contract: RawContract) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=contract.name,
        name="source_is_fresh",
        blocking=False,
        required_resource_keys={"lake"},
        description="The rows came from the archive or its mirror in this run, not from an older copy.",
    )
    def source_is_fresh(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        lake: Lake = context.resources.lake
        version = lake.version(contract.name)
        notes = version.notes if version else {"source": "absent"}
        fresh, severity, said = judged(notes)
        return dg.AssetCheckResult(
            passed=fresh,
            severity=severity,
            description=said,
            metadata={name: str(notes.get(name) or "") for name in ("source", "as_of", "reason")},
        )

    return source_is_fresh


CHECKS: list[dg.AssetChecksDefinition] = [_fresh_check(contract) for contract in CONTRACTS]
