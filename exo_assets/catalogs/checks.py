"""Checks of the catalogue tables that no contract expresses: shares, labels, and the sanity of cross-matches.

Does not belong here: types, ranges and keys (contracts), or the counting itself (`signals.py`, `stars.py`).
"""

# No postponed annotations: Dagster reads the type of a check's `context` from the function as it is.
import dagster as dg
import polars as pl

from exo_assets.catalogs.dispositions import unknown_label
from exo_assets.catalogs.plausible import CATALOGUES, QUARANTINE_BLOCK, QUARANTINE_WARN, TYPICAL, implausible_medians
from exo_assets.catalogs.signals import reason_counts
from exo_assets.catalogs.stars import CROSS_MISSION_ARCSEC, chance_matches

CHANCE_SHARE = 0.05
"""Share of joined stars that may be explained by chance neighbours."""


@dg.asset_check(
    asset="core_signals_harmonised",
    name="has_signals",
    blocking=True,
    required_resource_keys={"lake"},
    description="At least one catalogue has rows: without any there is nothing to work with.",
)
def has_signals(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Whether there is a catalogue at all, and where not, what each source of one said."""
    lake = context.resources.lake
    rows: pl.DataFrame = lake.read("core_signals_harmonised")
    versions = [lake.version(f"raw_nea__{table}") for table in CATALOGUES]
    why = {v.table: str(v.notes.get("reason") or "it is empty") for v in versions if v is not None and not v.rows}
    return dg.AssetCheckResult(
        passed=rows.height > 0,
        description=None
        if rows.height
        else "no source has a catalogue of signals: "
        + "; ".join(f"{table}: {reason}" for table, reason in why.items()),
        metadata={"rows": rows.height, "empty": sorted(why)},
    )


@dg.asset_check(
    asset="core_signals_harmonised",
    name="quarantine_share",
    blocking=True,
    required_resource_keys={"lake"},
    description=f"Quarantined rows per reason; warns above {QUARANTINE_WARN:.0%}, blocks above {QUARANTINE_BLOCK:.0%}.",
)
def quarantine_share(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """How much of any mission's catalogue is kept out of core_signals."""
    rows = context.resources.lake.read("core_signals_harmonised")
    shares = {m: float(s) for m, s in _shares(rows).iter_rows()}
    worst = max(shares.values(), default=0.0)
    counts = {f"{r['mission']}: {r['reason']}": r["rows"] for r in reason_counts(rows).iter_rows(named=True)}
    return dg.AssetCheckResult(
        passed=worst <= QUARANTINE_WARN,
        severity=dg.AssetCheckSeverity.ERROR if worst > QUARANTINE_BLOCK else dg.AssetCheckSeverity.WARN,
        description=f"{worst:.2%} of the worst mission's rows are quarantined",
        metadata={"share_per_mission": shares, "rows_per_reason": counts, "rows": rows.height},
    )


@dg.asset_check(
    asset="core_signals_harmonised",
    name="units_plausible",
    blocking=True,
    required_resource_keys={"lake"},
    description="Each mission's median period, duration, depth, radius and star lie where those of transits lie.",
)
def units_plausible(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Whether a whole column came in another unit than its catalogue's."""
    off = implausible_medians(context.resources.lake.read("core_signals_harmonised"))
    return dg.AssetCheckResult(
        passed=not off,
        description=f"medians outside of what transits have, so probably in other units: {off}" if off else None,
        metadata={"medians": off, "typical": {name: list(bounds) for name, bounds in TYPICAL.items()}},
    )


@dg.asset_check(
    asset="core_signals_harmonised",
    name="labels_known",
    required_resource_keys={"lake"},
    description="Every disposition of the archive is in the documented mapping.",
)
def labels_known(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Whether the archives use a label that nobody mapped yet."""
    rows: pl.DataFrame = context.resources.lake.read("core_signals_harmonised")
    unknown = rows.filter(unknown_label())
    labels = unknown.select(pl.format("{}: {}", "mission", "disposition_archive").unique().sort()).to_series().to_list()
    return dg.AssetCheckResult(
        passed=not labels,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"unknown labels {labels}; add them to exo_assets/catalogs/dispositions.py" if labels else None,
        metadata={"rows": unknown.height, "labels": labels[:50]},
    )


@dg.asset_check(
    asset="core_stars",
    name="cross_matches_beyond_chance",
    required_resource_keys={"lake"},
    additional_deps=["core_signals"],
    description="Stars joined across missions against those still joined after TESS is displaced by one arc minute.",
)
def cross_matches_beyond_chance(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Whether the positional identities mean anything."""
    joined, by_chance = chance_matches(context.resources.lake.read("core_signals"))
    return dg.AssetCheckResult(
        passed=by_chance <= CHANCE_SHARE * joined,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"joined": joined, "by_chance": by_chance, "tolerance_arcsec": CROSS_MISSION_ARCSEC},
    )


@dg.asset_check(
    asset="core_planet_identity",
    name="one_star_per_planet",
    required_resource_keys={"lake"},
    description="All signals of one planet have one host star.",
)
def one_star_per_planet(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Groups of signals that straddle two stars: a wrong planet name in a catalogue, or a missed star match."""
    rows: pl.DataFrame = context.resources.lake.read("core_planet_identity")
    hosts = rows.group_by("planet_group_id").agg(pl.col("star_id").unique().sort())
    torn = hosts.filter(pl.col("star_id").list.len() > 1).sort("planet_group_id")
    listed = {name: ", ".join(stars) for name, stars in torn.head(50).iter_rows()}
    return dg.AssetCheckResult(
        passed=torn.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"groups": hosts.height, "torn": torn.height, "planets": listed},
    )


def _shares(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("mission").agg(share=pl.col("quarantine_reason").is_not_null().mean()).sort("mission")


CHECKS: list[dg.AssetChecksDefinition] = [
    has_signals,
    quarantine_share,
    units_plausible,
    labels_known,
    cross_matches_beyond_chance,
    one_star_per_planet,
]
