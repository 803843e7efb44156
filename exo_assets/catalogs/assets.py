"""The catalogue tables as assets: signals, their quarantine, host stars, planets, and the history of dispositions."""

from __future__ import annotations

from typing import Any

import dagster as dg
import polars as pl

from exo_assets.archive.contracts import CONTRACTS as RAW
from exo_assets.archive.snapshots import followed, read_followed, read_snapshot, snapshots
from exo_assets.catalogs.contracts import (
    CORE_ARCHIVE_QUARANTINE,
    CORE_DISPOSITION_HISTORY,
    CORE_K2_HOSTS,
    CORE_PLANET_IDENTITY,
    CORE_SIGNALS,
    CORE_SIGNALS_HARMONISED,
    CORE_SIGNALS_QUARANTINE,
    CORE_STARS,
)
from exo_assets.catalogs.history import HISTORY_TABLES, change_points, dated, labels
from exo_assets.catalogs.identity import contradictions, planet_identity
from exo_assets.catalogs.k2_hosts import hosts_of, with_hosts
from exo_assets.catalogs.repeated import repeated_rows
from exo_assets.catalogs.signals import accepted, harmonised_signals, quarantined, reason_counts
from exo_assets.catalogs.stars import host_stars
from exo_assets.pictures import rows_shown
from exo_assets.table_asset import Table, table_asset
from exo_resources.lake import Lake

GROUP = "catalogs"


@table_asset(CORE_K2_HOSTS, group=GROUP)
def core_k2_hosts(raw_nea__k2pandc: pl.DataFrame, lake: Lake) -> Table:
    """The hosts of the nights before and of this one; a first night reads every copy of the table that there was."""
    if lake.version(CORE_K2_HOSTS.name) is not None:
        hosts = lake.read(CORE_K2_HOSTS.name)
    else:
        hosts = CORE_K2_HOSTS.empty()
        for snapshot in followed(lake, "k2pandc"):
            hosts = with_hosts(hosts, hosts_of(read_followed(lake, snapshot)))
    hosts = with_hosts(hosts, hosts_of(raw_nea__k2pandc))
    told = hosts.group_by("is_listed", epic_known=pl.col("epic_id").is_not_null()).len()
    return Table(hosts, metadata={"hosts": _markdown(told)})


@table_asset(CORE_SIGNALS_HARMONISED, group=GROUP)
def core_signals_harmonised(
    raw_nea__cumulative: pl.DataFrame,
    raw_nea__q1_q17_dr25_koi: pl.DataFrame,
    raw_nea__toi: pl.DataFrame,
    raw_nea__k2pandc: pl.DataFrame,
    core_k2_hosts: pl.DataFrame,
) -> Table:
    """Every row of the catalogues under one set of names and units."""
    raw = (raw_nea__cumulative, raw_nea__q1_q17_dr25_koi, raw_nea__toi, raw_nea__k2pandc)
    rows = harmonised_signals(*raw, hosts=core_k2_hosts)
    return Table(rows, metadata={"rows_per_source": _markdown(rows.group_by("mission", "source_table").len())})


@table_asset(CORE_SIGNALS, group=GROUP)
def core_signals(core_signals_harmonised: pl.DataFrame) -> Table:
    """The rows that keep the contract."""
    rows = accepted(core_signals_harmonised)
    return Table(rows, metadata={"dispositions": _markdown(rows.group_by("mission", "disposition").len())})


@table_asset(CORE_SIGNALS_QUARANTINE, group=GROUP)
def core_signals_quarantine(core_signals_harmonised: pl.DataFrame) -> Table:
    """The rows that break it, with the reasons."""
    return Table(
        quarantined(core_signals_harmonised), metadata={"reasons": _markdown(reason_counts(core_signals_harmonised))}
    )


@table_asset(CORE_STARS, group=GROUP)
def core_stars(core_signals: pl.DataFrame, core_k2_hosts: pl.DataFrame) -> Table:
    """Host stars across missions."""
    stars = host_stars(core_signals, core_k2_hosts)
    return Table(stars, metadata={"stars_per_missions": _markdown(stars.group_by("missions").len())})


@table_asset(CORE_PLANET_IDENTITY, group=GROUP)
def core_planet_identity(core_signals: pl.DataFrame, raw_nea__pscomppars: pl.DataFrame) -> Table:
    """Signals that are one planet under several names."""
    rows = planet_identity(core_signals, raw_nea__pscomppars)
    disagreeing = contradictions(rows)
    return Table(
        rows,
        metadata={
            "matches": _markdown(rows.group_by("mission", "match_kind").len()),
            "confirmed_here_false_positive_there": _markdown(disagreeing.head(50)),
        },
    )


def _copies_in_use(resources: Any) -> str:
    versions = [resources.lake.version(contract.name) for contract in RAW]
    return "\n".join(str(v.notes.get("key", "")) for v in versions if v and v.notes.get("quarantined"))


@table_asset(
    CORE_ARCHIVE_QUARANTINE,
    group=GROUP,
    also_after=[contract.name for contract in RAW],
    salt=_copies_in_use,
)
def core_archive_quarantine(lake: Lake) -> Table:
    """Rows that the raw tables' own copies hold more than once; copies without any are not read again."""
    parts = [CORE_ARCHIVE_QUARANTINE.empty()]
    for contract in RAW:
        version = lake.version(contract.name)
        if version is not None and version.notes.get("quarantined"):
            [copy] = [s for s in snapshots(lake, contract.archive_table) if s.key == version.notes["key"]]
            parts.append(repeated_rows(contract, copy.as_of, read_snapshot(lake, copy)))
    rows = pl.concat(parts)
    return Table(rows, metadata={"reasons": _markdown(rows.group_by("archive_table", "reason").agg(pl.sum("copies")))})


def _snapshot_keys(resources: Any) -> str:
    lake: Lake = resources.lake
    return "\n".join(snapshot.key for table in HISTORY_TABLES for snapshot in followed(lake, table))


@table_asset(
    CORE_DISPOSITION_HISTORY,
    group=GROUP,
    also_after=[f"raw_nea__{table}" for table in HISTORY_TABLES],
    salt=_snapshot_keys,
)
def core_disposition_history(lake: Lake) -> Table:
    """Changes of dispositions over every snapshot in the lake, one snapshot in memory at a time."""
    kept = [(table, *of) for table in HISTORY_TABLES for of in dated(followed(lake, table))]
    parts = [labels(table, day, read_followed(lake, snapshot)) for table, snapshot, day in kept]
    rows = change_points(parts)
    changes = rows.filter(pl.col("change") == "changed").group_by("as_of", "previous_disposition", "disposition").len()
    return Table(rows, metadata={"snapshots": len(kept), "changes": _markdown(changes.sort("as_of", "len"))})


def _markdown(frame: pl.DataFrame) -> Any:
    return dg.MetadataValue.md(rows_shown(frame.sort(frame.columns)))


ASSETS: list[dg.AssetsDefinition] = [
    core_k2_hosts,
    core_signals_harmonised,
    core_archive_quarantine,
    core_signals,
    core_signals_quarantine,
    core_stars,
    core_planet_identity,
    core_disposition_history,
]
