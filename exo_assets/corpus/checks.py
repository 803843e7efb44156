"""Checks of the corpus that no contract expresses: how much of it could not be read, and how old the abstracts are.

Does not belong here: types, ranges and keys (contracts); gates of the index.
"""

# No postponed annotations: Dagster reads the type of a check's `context` from the function as it is.
from datetime import UTC, date, datetime

import dagster as dg
import polars as pl

from exo_assets.corpus.contracts import CORPUS_QUARANTINE
from exo_assets.corpus.source_contracts import RAW_ARXIV__ABSTRACTS, RAW_DOCUMENTS__FILES

QUARANTINE_WARN = 0.05
"""Share of a source's documents that may be quarantined."""
FEW = 3
"""Quarantined documents that are no share: of ten files that somebody dropped, two may well be broken."""
OLDEST_DAYS = 10
"""Age of the newest abstract, days: arXiv lists new ones five days a week, holidays aside."""
AS_BEFORE = "the abstracts of last time were kept: stale, but whole"
EXPLAINED = {
    "last_good": AS_BEFORE,
    "snapshot": "no abstracts ship with the package",
    "absent": "no source has abstracts; there are none",
}


@dg.asset_check(
    asset=CORPUS_QUARANTINE.name,
    name="quarantine_share",
    blocking=False,
    required_resource_keys={"lake"},
    description=f"Documents that could not be read, by source; warns above {QUARANTINE_WARN:.0%} of more than a few.",
)
def quarantine_share(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """How much of any source is kept out of the corpus."""
    lake = context.resources.lake
    shares, counts = dict[str, float](), dict[str, int]()
    for table in (RAW_ARXIV__ABSTRACTS.name, RAW_DOCUMENTS__FILES.name):
        status = lake.read(table)["status"]
        counts[table] = int((status == "quarantined").sum())
        shares[table] = counts[table] / len(status) if len(status) else 0.0
    worst = max((table for table in shares if counts[table] > FEW), key=lambda t: shares[t], default=None)
    reasons = lake.read(CORPUS_QUARANTINE.name).group_by("source", "reason").len().sort("source", "reason")
    return dg.AssetCheckResult(
        passed=worst is None or shares[worst] <= QUARANTINE_WARN,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{shares[worst]:.1%} of {worst} are quarantined" if worst else "at most a few are quarantined",
        metadata={
            "share": shares,
            "reasons": {f"{source}: {reason}": count for source, reason, count in reasons.iter_rows()},
        },
    )


@dg.asset_check(
    asset=RAW_ARXIV__ABSTRACTS.name,
    name="abstracts_are_fresh",
    blocking=False,
    required_resource_keys={"lake"},
    description=f"The abstracts came from arXiv or a mirror in this run, the newest at most {OLDEST_DAYS} days old.",
)
def abstracts_are_fresh(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Whether the newest abstracts are there."""
    version = context.resources.lake.version(RAW_ARXIV__ABSTRACTS.name)
    notes = version.notes if version else {}
    passed, said = _freshness(notes, datetime.now(UTC).date())
    remedy = str(notes.get("remedy") or "")
    return dg.AssetCheckResult(
        passed=passed,
        # An outage passes by itself; an answer that is no listing stays so until a person has looked.
        severity=dg.AssetCheckSeverity.ERROR if notes.get("refused") else dg.AssetCheckSeverity.WARN,
        description=f"{said}. Remedy: {remedy}" if remedy and not passed else said,
        metadata={name: str(notes.get(name, "")) for name in ("source", "as_of", "reason")},
    )


def _freshness(notes: dict[str, object], today: date) -> tuple[bool, str]:
    source, as_of, reason = (str(notes.get(name) or "") for name in ("source", "as_of", "reason"))
    if source not in ("live", "mirror"):
        said = EXPLAINED.get(source, EXPLAINED["absent"])
        return False, f"{said} ({reason})" if reason else said
    if not as_of:
        return False, f"source {source}: nothing says how old the abstracts are"
    days = (today - date.fromisoformat(as_of)).days
    said = f"source {source}, as of {as_of}, {days} days ago"
    return days <= OLDEST_DAYS and not reason, f"{said} ({reason})" if reason else said


@dg.asset_check(
    asset=RAW_DOCUMENTS__FILES.name,
    name="folder_is_reachable",
    blocking=False,
    required_resource_keys={"lake"},
    description="The watched folder was there in this run, and nothing hung or crashed while its files were read.",
)
def folder_is_reachable(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Whether the files are those of now, and all were really read."""
    lake = context.resources.lake
    version = lake.version(RAW_DOCUMENTS__FILES.name)
    notes = version.notes if version else {}
    lost = lake.read(RAW_DOCUMENTS__FILES.name).filter(pl.col("reason").is_in(["timed_out", "crashed"]))
    reason = str(notes.get("reason") or "")
    names = ", ".join(lost["path"].head(5))
    return dg.AssetCheckResult(
        passed=not reason and lost.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=reason
        or (f"reading hung or crashed on {lost.height}: {names}" if lost.height else "all were read"),
        metadata={"folder": str(notes.get("folder", "")), "hung_or_crashed": lost.height},
    )


CHECKS: list[dg.AssetChecksDefinition] = [quarantine_share, abstracts_are_fresh, folder_is_reachable]
