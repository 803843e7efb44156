"""How dispositions changed from snapshot to snapshot.

Belongs here: turning dated raw tables into change points. Does not belong here: where snapshots are kept
(`exo_assets.archive.snapshots`), and which name is whose (`renames.py`).

Only changes are kept: the first sight of a signal, and each snapshot in which its label or its name differs from the
one before of the same mission. The DR25 table and the cumulative table name the same signals, so a KOI that was a
candidate in DR25 and is confirmed in the cumulative table is one change; so is a K2 candidate that is confirmed and
renamed for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import polars as pl

from exo_assets.archive.snapshots import RawSnapshot
from exo_assets.catalogs.contracts import CORE_DISPOSITION_HISTORY
from exo_assets.catalogs.dispositions import harmonised
from exo_assets.catalogs.harmonise import harmonise_toi
from exo_assets.catalogs.k2_hosts import epic_number, host_name, tic_number
from exo_assets.catalogs.parsing import integer
from exo_assets.catalogs.renames import present_names
from exo_assets.catalogs.signals import k2_objects
from exo_assets.text_csv import number, text

_MISSION = {"q1_q17_dr25_koi": "kepler", "cumulative": "kepler", "toi": "tess", "k2pandc": "k2"}
HISTORY_TABLES = tuple(_MISSION)
"""Archive tables whose labels are followed; on one date, in this order."""

LABELS = pl.Schema(
    {
        "archive_name": pl.String,
        "mission": pl.String,
        "source_table": pl.String,
        "as_of": pl.Date,
        "disposition_archive": pl.String,
        "disposition": pl.String,
        "star": pl.String,
        "epic_id": pl.Int64,
        "tic_id": pl.Int64,
        "ra_deg": pl.Float64,
        "dec_deg": pl.Float64,
        "period_days": pl.Float64,
        "candidate_name": pl.String,
    }
)
"""What is read of a snapshot. `star` is 'KIC n', 'TIC n' or the K2 host's name; `candidate_name` the name that a K2
planet had as a candidate, where the table says so."""


def snapshot_date(table: str, as_of: str, frame: pl.DataFrame) -> date:
    """Date of a snapshot's labels: `as_of`; for DR25 the last day of its vetting (its table is frozen since)."""
    if table == "q1_q17_dr25_koi" and "koi_vet_date" in frame.columns:
        vetted = frame.select(text("koi_vet_date", frame.columns).str.to_date("%Y-%m-%d", strict=False).max()).item()
        if vetted is not None:
            return vetted
    return date.fromisoformat(as_of[:10])


def dated(copies: Iterable[RawSnapshot]) -> list[tuple[RawSnapshot, str]]:
    """Each copy of one table with the ISO date of its labels, oldest first.

    That is the date of its content; of a copy that has the date of the one before it and says something else, the day
    on which it was retrieved.
    """
    out = list[tuple[RawSnapshot, str]]()
    for copy in copies:
        day = copy.as_of[:10]
        if out and day <= out[-1][1]:
            day = max(day, copy.retrieved_at[:10])
        out.append((copy, day))
    return out


def labels(table: str, as_of: str, frame: pl.DataFrame) -> pl.DataFrame:
    """LABELS of one snapshot; named rows only, each name once."""
    mission = _MISSION[table]
    if frame.is_empty():
        return pl.DataFrame(schema=LABELS)
    rows = k2_objects(frame) if table == "k2pandc" else frame
    columns = rows.columns
    if table == "toi":
        name, label, period = pl.lit(harmonise_toi(rows)["signal_id"]), "tfopwg_disp", "pl_orbper"
        star = {"star": pl.format("TIC {}", integer("tid", columns))}
    elif table == "k2pandc":
        name, label, period = text("pl_name", columns), "disposition", "pl_orbper"
        star = {
            "star": host_name(columns),
            "epic_id": epic_number(columns),
            "tic_id": tic_number(columns),
            "candidate_name": text("epic_candname", columns),
        }
    else:
        name, label, period = text("kepoi_name", columns), "koi_disposition", "koi_period"
        star = {"star": pl.format("KIC {}", integer("kepid", columns))}
    named = rows.select(
        archive_name=name,
        disposition_archive=text(label, columns),
        period_days=number(period, columns),
        ra_deg=number("ra", columns),
        dec_deg=number("dec", columns),
        **star,
    ).filter(pl.col("archive_name").is_not_null())
    one = named.sort(pl.all(), nulls_last=True).unique("archive_name", keep="first", maintain_order=True)
    whole = one.with_columns(
        mission=pl.lit(mission),
        source_table=pl.lit(table),
        as_of=pl.lit(snapshot_date(table, as_of, frame)),
        disposition=harmonised(pl.col("disposition_archive"), mission),
    )
    return whole.select(
        (pl.col(n) if n in whole.columns else pl.lit(None)).cast(kind).alias(n) for n, kind in LABELS.items()
    ).sort("archive_name")


def change_points(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """`core_disposition_history` of the labels of many snapshots, each as `labels` makes them.

    Of two copies of one table and date the last given wins.
    """
    rows = pl.concat([pl.DataFrame(schema=LABELS), *parts])
    order = {table: n for n, table in enumerate(HISTORY_TABLES)}
    names = present_names(parts)
    ordered = (
        rows.join(names, on=["mission", "archive_name"], how="left", maintain_order="left")
        .unique(["signal_id", "source_table", "as_of"], keep="last", maintain_order=True)
        .with_columns(_order=pl.col("source_table").replace_strict(order, return_dtype=pl.Int64))
        .sort("signal_id", "as_of", "_order")
    )
    who = ["mission", "signal_id"]
    followed = ordered.with_columns(
        previous_archive=pl.col("disposition_archive").shift(1).over(who),
        previous_disposition=pl.col("disposition").shift(1).over(who),
        _previous_name=pl.col("archive_name").shift(1).over(who),
        _first=pl.int_range(pl.len()).over(who) == 0,
    )
    changed = pl.col("disposition_archive").ne_missing(pl.col("previous_archive"))
    renamed = pl.col("archive_name") != pl.col("_previous_name")
    return CORE_DISPOSITION_HISTORY.conform(
        followed.filter(pl.col("_first") | changed | renamed).with_columns(
            change=pl.when(pl.col("_first"))
            .then(pl.lit("first_seen"))
            .when(changed)
            .then(pl.lit("changed"))
            .otherwise(pl.lit("renamed"))
        )
    )
