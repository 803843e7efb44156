"""Contracts of the warehouse tables that are made from what is known of the lake and the code, not from SQL."""

from __future__ import annotations

import polars as pl

from exo_assets.contracts import Column, TableContract

F, N, S, B = pl.Float64, pl.Int64, pl.String, pl.Boolean

_TABLE = Column("table_name", S, "Name of the table", nullable=False)

STG_LAKE_TABLES = TableContract(
    "stg_lake_tables",
    "Every table before the warehouse: rows, data version, and for archive tables where and of when they are.",
    (
        _TABLE,
        Column("layer", S, "Part of the name before the first underscore: raw, core, feat, ml, out", nullable=False),
        Column("row_count", N, "Rows", nullable=False, low=0),
        Column("data_version", S, "SHA-256 of the content", nullable=False),
        Column(
            "archive_source", S, "Where an archive table was read from: live, mirror, last_good, snapshot or absent"
        ),
        Column("archive_as_of", S, "Date of the archive's content (ISO)"),
        Column("archive_sha256", S, "SHA-256 of the bytes that the archive sent"),
        Column("archive_url", S, "Address that an archive table was read from"),
        Column("archive_reason", S, "Why an earlier source of an archive table was not used; empty where it was"),
    ),
    key=("table_name",),
)

STG_LAKE_COLUMNS = TableContract(
    "stg_lake_columns",
    "Every column of every table before the warehouse, with its nulls counted.",
    (
        _TABLE,
        Column("column_name", S, "Name of the column", nullable=False),
        Column("position", N, "Position in the table, from 1", nullable=False, low=1),
        Column("type", S, "DuckDB type", nullable=False),
        Column("row_count", N, "Rows of the table", nullable=False, low=0),
        Column("null_count", N, "Rows in which the column is null", nullable=False, low=0),
        Column("null_rate", F, "null_count / row_count; null for a table without rows", low=0, high=1),
    ),
    key=("table_name", "column_name"),
)

STG_LAST_RELEASE = TableContract(
    "stg_last_release",
    "Dispositions in the last release that was made from other archive snapshots than the present ones; "
    "no rows before there is one.",
    (
        Column("signal_id", S, "Name of the signal", nullable=False),
        Column("mission", S, "Mission", nullable=False),
        Column("disposition", S, "Harmonised disposition in that release"),
        Column("disposition_archive", S, "Disposition in that release as the archive had written it"),
        Column("release_id", S, "The release", nullable=False),
    ),
    key=("signal_id",),
)

MART_DATA_DICTIONARY = TableContract(
    "mart_data_dictionary",
    "Every column of every table of the release: type, unit, meaning.",
    (
        _TABLE,
        Column("layer", S, "Part of the name before the first underscore", nullable=False),
        Column("table_description", S, "What the table holds, and one row of it", nullable=False),
        Column("column_name", S, "Name of the column", nullable=False),
        Column("position", N, "Position in the table, from 1", nullable=False, low=1),
        Column("type", S, "DuckDB type", nullable=False),
        Column("unit", S, "Unit; null when there is none"),
        Column("description", S, "What the column holds; null where only the archive documents it"),
        Column("is_key", B, "Whether the column is part of the table's key", nullable=False),
    ),
    key=("table_name", "column_name"),
)

MART_TABLE_LINEAGE = TableContract(
    "mart_table_lineage",
    "Which table is made from which: one row per pair.",
    (
        _TABLE,
        Column("upstream_table", S, "Table that it is made from", nullable=False),
        Column("made_by", S, "How: python or sql", nullable=False, allowed=("python", "sql")),
    ),
    key=("table_name", "upstream_table"),
)

MART_COLUMN_LINEAGE = TableContract(
    "mart_column_lineage",
    "Which columns each column of an SQL model is computed from, read off its SELECT.",
    (
        _TABLE,
        Column("column_name", S, "Name of the column", nullable=False),
        Column("upstream_table", S, "Table that is read", nullable=False),
        Column("upstream_column", S, "Column that is read", nullable=False),
    ),
    key=("table_name", "column_name", "upstream_table", "upstream_column"),
)

CONTRACTS: tuple[TableContract, ...] = (
    STG_LAKE_TABLES,
    STG_LAKE_COLUMNS,
    STG_LAST_RELEASE,
    MART_DATA_DICTIONARY,
    MART_TABLE_LINEAGE,
    MART_COLUMN_LINEAGE,
)
