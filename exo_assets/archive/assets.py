"""The raw tables as assets: one per archive table, verbatim, all text."""

from __future__ import annotations

import logging
from typing import Any

import dagster as dg
import polars as pl

from exo_assets.archive.contracts import CONTRACTS, RawContract
from exo_assets.archive.refused import REFUSED_COPIES, refused_copies, refused_table
from exo_assets.table_asset import Table, table_asset
from exo_resources.archive import ArchiveSource
from exo_resources.archive.copies import now

POOL = "nea_archive"
"""Concurrency pool of everything that asks the archive."""


def _raw_asset(contract: RawContract) -> dg.AssetsDefinition:
    @table_asset(contract, group="archive", kinds=("csv", "parquet"), always=True, pool=POOL)
    def raw(context: dg.AssetExecutionContext, archive: ArchiveSource) -> Table:
        fetched = archive.fetch(contract.archive_table)
        context.log.log(
            logging.WARNING if fetched.attempts or fetched.source in ("snapshot", "absent") else logging.INFO,
            "%s: source %s, as of %s%s",
            contract.archive_table,
            fetched.source,
            fetched.as_of or "never",
            f" ({fetched.reason})" if fetched.reason else "",
        )
        return Table(fetched.frame, metadata={"checked_at": now()}, notes=fetched.notes)

    return raw


def _refused_keys(resources: Any) -> str:
    return "\n".join(f"{copy.key} {copy.reason}" for copy in refused_copies(resources.lake))


@table_asset(
    REFUSED_COPIES,
    group="archive",
    also_after=[contract.name for contract in CONTRACTS],
    salt=_refused_keys,
)
def raw_archive__refused_copies(lake: Any) -> pl.DataFrame:
    """What came in place of a table and was refused, with the reason."""
    return refused_table(refused_copies(lake))


ASSETS: list[dg.AssetsDefinition] = [*(_raw_asset(contract) for contract in CONTRACTS), raw_archive__refused_copies]
