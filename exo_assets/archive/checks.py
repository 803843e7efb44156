"""Checks of the raw tables beyond their contracts: is what we have what the archive has now?"""

import dagster as dg

from exo_assets.archive.contracts import CONTRACTS, RawContract
from exo_resources.lake import Lake

FRESH = ("live", "mirror")

EXPLAINED = {
    "last_good": "the source could not be used tonight, so the last good copy was kept: stale, but whole",
    "snapshot": "the rows are those that ship with the package, not the archive's of today",
    "absent": "no source has this table; it is empty",
}


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
        source = str(notes.get("source"))
        fresh = source in FRESH
        reason = f" ({notes['reason']})" if notes.get("reason") else ""
        return dg.AssetCheckResult(
            passed=fresh,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"source: {source}" if fresh else f"{EXPLAINED[source]}{reason}",
            metadata={"source": source, "as_of": str(notes.get("as_of", "")), "reason": str(notes.get("reason", ""))},
        )

    return source_is_fresh


CHECKS: list[dg.AssetChecksDefinition] = [_fresh_check(contract) for contract in CONTRACTS]
