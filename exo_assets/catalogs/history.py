"""How dispositions changed from snapshot to snapshot.

Belongs here: turning dated raw tables into change points. Does not belong here: where snapshots are kept
(`exo_assets.archive.snapshots`).

Only changes are kept: the first sight of a signal, and each snapshot in which its label differs from the one before
of the same mission. The DR25 table and the cumulative table name the same signals, so a KOI that was a candidate in
DR25 and is confirmed in the cumulative table is one change.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from exo_assets.catalogs.contracts import CORE_DISPOSITION_HISTORY
from exo_assets.catalogs.dispositions import harmonised
from exo_assets.catalogs.harmonise import harmonise_toi
from exo_assets.catalogs.signals import k2_objects
from exo_assets.text_csv import text

_MISSION = {"q1_q17_dr25_koi": "kepler", "cumulative": "kepler", "toi": "tess", "k2pandc": "k2"}
HISTORY_TABLES = tuple(_MISSION)
"""Archive tables whose labels are followed; on one date, in this order."""


def snapshot_date(table: str, as_of: str, frame: pl.DataFrame) -> date:
    """Date of a snapshot's labels: `as_of`; for DR25 the last day of its vetting (its table is frozen since)."""
    if table == "q1_q17_dr25_koi" and "koi_vet_date" in frame.columns:
        vetted = frame.select(text("koi_vet_date", frame.columns).str.to_date("%Y-%m-%d", strict=False).max()).item()
        if vetted is not None:
            return vetted
    return date.fromisoformat(as_of[:10])


def labels(table: str, as_of: str, frame: pl.DataFrame) -> pl.DataFrame:
    """signal_id, mission, source_table, as_of, disposition_archive, disposition of one snapshot; named rows only."""
    mission = _MISSION[table]
    if frame.is_empty():
        return CORE_DISPOSITION_HISTORY.empty().select(_LABEL_COLUMNS)
    if table == "toi":
        named = harmonise_toi(frame).select("signal_id", "disposition_archive")
    elif table == "k2pandc":
        rows = k2_objects(frame)
        named = rows.select(
            signal_id=text("pl_name", rows.columns), disposition_archive=text("disposition", rows.columns)
        )
    else:
        named = frame.select(
            signal_id=text("kepoi_name", frame.columns), disposition_archive=text("koi_disposition", frame.columns)
        )
    return (
        named.filter(pl.col("signal_id").is_not_null())
        .sort("signal_id", "disposition_archive", nulls_last=True)
        .unique("signal_id", keep="first", maintain_order=True)
        .select(
            "signal_id",
            pl.lit(mission).alias("mission"),
            pl.lit(table).alias("source_table"),
            pl.lit(snapshot_date(table, as_of, frame)).alias("as_of"),
            "disposition_archive",
            harmonised(pl.col("disposition_archive"), mission).alias("disposition"),
        )
    )


_LABEL_COLUMNS = ("signal_id", "mission", "source_table", "as_of", "disposition_archive", "disposition")


def change_points(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """`core_disposition_history` of the labels of many snapshots, each as `labels` makes them.

    Of two copies of one table and date the last given wins.
    """
    rows = pl.concat([CORE_DISPOSITION_HISTORY.empty().select(_LABEL_COLUMNS), *parts])
    order = {table: n for n, table in enumerate(HISTORY_TABLES)}
    ordered = (
        rows.unique(["signal_id", "source_table", "as_of"], keep="last", maintain_order=True)
        .with_columns(_order=pl.col("source_table").replace_strict(order, return_dtype=pl.Int64))
        .sort("signal_id", "as_of", "_order")
    )
    who = ["mission", "signal_id"]
    dated = ordered.with_columns(
        previous_archive=pl.col("disposition_archive").shift(1).over(who),
        previous_disposition=pl.col("disposition").shift(1).over(who),
        _first=pl.int_range(pl.len()).over(who) == 0,
    )
    changed = pl.col("disposition_archive").ne_missing(pl.col("previous_archive"))
    return CORE_DISPOSITION_HISTORY.conform(
        dated.filter(pl.col("_first") | changed).with_columns(
            change=pl.when(pl.col("_first")).then(pl.lit("first_seen")).otherwise(pl.lit("changed"))
        )
    )
