"""The catalogue of signals: which rows are in it, and which are quarantined and why.

Belongs here: joining the missions, choosing one row per object, holding rows against the contract of core_signals.
Does not belong here: columns and units (`harmonise.py`), stars (`stars.py`).

A null is legal everywhere but in names and positions (a single transit has no period); only a value that cannot be
true, text in place of a number, an unknown label, a repeated name, or a K2 entry that never transited puts a row into
quarantine. Of rows with one name the one with the most filled columns that is otherwise sound stays, then the first in
the order of its values. The order in which rows come decides nothing: they are sorted by name, mission after mission.
"""

from __future__ import annotations

import polars as pl

from exo_assets.catalogs.contracts import (
    CORE_K2_HOSTS,
    CORE_SIGNALS,
    CORE_SIGNALS_HARMONISED,
    CORE_SIGNALS_QUARANTINE,
)
from exo_assets.catalogs.dispositions import unknown_label
from exo_assets.catalogs.harmonise import harmonise_k2, harmonise_koi, harmonise_toi
from exo_assets.catalogs.k2_hosts import host_keys, host_name, hosts_of, with_hosts
from exo_assets.catalogs.stars import identify_hosts
from exo_assets.text_csv import text

UNKNOWN_LABEL = "disposition_archive_unknown_value"
NOT_A_TRANSIT = "not_a_transit_signal"
DUPLICATE = "signal_id_duplicate"
UNREADABLE = "unreadable_"


def k2_objects(raw: pl.DataFrame) -> pl.DataFrame:
    """One row per object of the K2 table, in the table's order.

    The row with `default_flag` 1; for an object without one, the newest by `rowupdate`; of several such rows the one
    with the most filled columns, then the first in the order of its text. Rows without a name stay (they are
    quarantined later).
    """
    columns = raw.columns
    ranked = raw.with_row_index("_row").with_columns(
        (text("default_flag", columns) == "1").fill_null(False).alias("_default"),
        text("rowupdate", columns).fill_null("").alias("_updated"),
        text("pl_name", columns).alias("_name"),
        _filled(columns),
    )
    keys = ["_name", "_default", "_updated", "_filled", *sorted(columns)]
    best = ranked.filter(pl.col("_name").is_not_null()).sort(
        keys, descending=[False, True, True, True] + [False] * len(columns), nulls_last=True
    )
    one = best.unique("_name", keep="first", maintain_order=True)
    return pl.concat([one, ranked.filter(pl.col("_name").is_null())]).sort("_row").select(columns)


def harmonised_signals(
    cumulative: pl.DataFrame,
    dr25: pl.DataFrame,
    toi: pl.DataFrame,
    k2pandc: pl.DataFrame,
    hosts: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Every signal of the raw tables (any may be empty), with host star and `quarantine_reason`.

    `hosts` is `core_k2_hosts`, which has every host of `k2pandc`; without it hosts have the keys of a first night.

    Kepler's rows are those of the cumulative table, completed from DR25; of DR25 itself when there is no cumulative
    table. Entries of the K2 table that were discovered by radial velocity or microlensing are planets of K2's stars,
    but K2 saw no transit of them: they are quarantined as `not_a_transit_signal`.
    """
    parts: list[pl.DataFrame] = []
    if not cumulative.is_empty():
        parts.append(harmonise_koi(cumulative, dr25))
    elif not dr25.is_empty():
        parts.append(harmonise_koi(dr25, source_table="q1_q17_dr25_koi"))
    if not toi.is_empty():
        parts.append(harmonise_toi(toi))
    parts = [part.with_columns(_transits=pl.lit(True)) for part in parts]
    if not k2pandc.is_empty():
        hosts = with_hosts(CORE_K2_HOSTS.empty(), hosts_of(k2pandc)) if hosts is None else hosts
        parts.append(_k2_signals(k2_objects(k2pandc), hosts))
    if not parts:
        return CORE_SIGNALS_HARMONISED.empty()
    rows = pl.concat(map(_in_order, parts))
    hosts = identify_hosts(rows).select("mission", "mission_star_id", "star_id")
    placed = rows.join(hosts, on=["mission", "mission_star_id"], how="left", maintain_order="left")
    return CORE_SIGNALS_HARMONISED.conform(_judged(placed))


def _k2_signals(objects: pl.DataFrame, hosts: pl.DataFrame) -> pl.DataFrame:
    """Rows of the K2 table, harmonised, their hosts under the keys of `hosts`."""
    columns = objects.columns
    method = text("discoverymethod", columns)
    named = objects.select(_transits=(method == "Transit").fill_null(True), host_name=host_name(columns))
    keys = host_keys(hosts).rename({"host_key": "_key", "epic_id": "_epic", "tic_id": "_tic"})
    rows = harmonise_k2(objects).hstack(named).join(keys, on="host_name", how="left", maintain_order="left")
    return rows.with_columns(
        mission_star_id=pl.coalesce("_key", "mission_star_id"),
        epic_id=pl.coalesce("epic_id", "_epic"),
        tic_id=pl.coalesce("tic_id", "_tic"),
    ).drop("host_name", "_key", "_epic", "_tic")


def accepted(harmonised: pl.DataFrame) -> pl.DataFrame:
    """`core_signals`: the rows that break no rule."""
    return CORE_SIGNALS.conform(harmonised.filter(pl.col("quarantine_reason").is_null()))


def quarantined(harmonised: pl.DataFrame) -> pl.DataFrame:
    """`core_signals_quarantine`: the rows that break one."""
    return CORE_SIGNALS_QUARANTINE.conform(harmonised.filter(pl.col("quarantine_reason").is_not_null()))


def reason_counts(harmonised: pl.DataFrame) -> pl.DataFrame:
    """Rows per mission and reason (a row with two reasons counts in both): mission, reason, rows."""
    return (
        harmonised.filter(pl.col("quarantine_reason").is_not_null())
        .select("mission", reason=pl.col("quarantine_reason").str.split(";"))
        .explode("reason")
        .group_by("mission", "reason")
        .agg(rows=pl.len().cast(pl.Int64))
        .sort("rows", "mission", "reason", descending=[True, False, False])
    )


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows by name, the fullest first among those with one name, then by their values."""
    keys = ["signal_id", "_filled", *(name for name in rows.columns if name != "signal_id")]
    descending = [name == "_filled" for name in keys]
    return rows.with_columns(_filled(rows.columns)).sort(keys, descending=descending, nulls_last=True)


def _filled(columns: list[str]) -> pl.Expr:
    return pl.sum_horizontal(pl.col(name).is_not_null() for name in columns).alias("_filled")


def _judged(rows: pl.DataFrame) -> pl.DataFrame:
    fields = pl.col("unreadable").str.replace_all(",", f";{UNREADABLE}", literal=True)
    own = pl.concat_str(
        CORE_SIGNALS.reasons(),
        pl.when(unknown_label()).then(pl.lit(UNKNOWN_LABEL)),
        pl.when(~pl.col("_transits")).then(pl.lit(NOT_A_TRANSIT)),
        pl.lit(UNREADABLE) + fields,
        separator=";",
        ignore_nulls=True,
    )
    judged = rows.with_columns(quarantine_reason=pl.when(own != "").then(own))
    # Of rows with one name the first that is otherwise sound stays.
    sound = pl.col("quarantine_reason").is_null()
    repeated = sound & (sound.cast(pl.Int64).cum_sum().over("signal_id") > 1)
    return judged.with_columns(
        quarantine_reason=pl.when(repeated).then(pl.lit(DUPLICATE)).otherwise("quarantine_reason")
    )
