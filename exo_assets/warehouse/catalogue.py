"""Every table of the release and what is documented of it.

Belongs here: one list of all tables, made from the stages' contracts and the models' front matter, and the tables that
describe tables (dictionary, lineage).
Does not belong here: reading the lake; what is known of stored tables comes in as values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from exo_assets.archive import contracts as archive
from exo_assets.archive.refused import REFUSED_COPIES
from exo_assets.catalogs import contracts as catalogs
from exo_assets.contracts import TableContract
from exo_assets.evaluation import contracts as evaluation
from exo_assets.events import contracts as events
from exo_assets.features import contracts as features
from exo_assets.lightcurves import contracts as lightcurves
from exo_assets.scoring import contracts as scoring
from exo_assets.training import contracts as training
from exo_assets.warehouse import contracts as own
from exo_assets.warehouse.models import Project, load_project

SQL_ROOT = Path(__file__).resolve().parents[2] / "dbt_like_sql"
UPSTREAM: tuple[TableContract, ...] = (
    *(*archive.CONTRACTS, REFUSED_COPIES, *catalogs.CONTRACTS, *lightcurves.CONTRACTS, *features.CONTRACTS),
    *(*training.CONTRACTS, *evaluation.CONTRACTS, *events.CONTRACTS, *scoring.CONTRACTS),
)
"""Tables that the warehouse builds on and releases."""


@dataclass(frozen=True)
class Documented:
    """What is documented of one table: unit and description per column, in order where the order is fixed."""

    name: str
    description: str
    columns: Mapping[str, tuple[str, str]]
    key: tuple[str, ...]

    def comment(self, column: str) -> str:
        """Description with the unit behind it in brackets."""
        unit, description = self.columns.get(column, ("", ""))
        return f"{description} [{unit}]" if unit else description


@cache
def upstream() -> dict[str, TableContract]:
    """Contract of every table that is made before the warehouse."""
    return {contract.name: contract for contract in UPSTREAM}


@cache
def project() -> Project:
    """The SQL models of the checkout, held against the contracts of all tables that are made in Python."""
    python = {**upstream(), **{c.name: c for c in own.CONTRACTS}}
    return load_project(SQL_ROOT, {name: _sql_types(contract) for name, contract in python.items()})


def documentation(models: Project) -> dict[str, Documented]:
    """Every table of the release by name."""
    python = [*upstream().values(), *own.CONTRACTS]
    found = {
        c.name: Documented(c.name, c.description, {k.name: (k.unit, k.description) for k in c.columns}, c.key)
        for c in python
    }
    for model in models.models:
        columns = {c.name: (c.unit, c.description) for c in model.columns}
        found[model.name] = Documented(model.name, model.description, columns, model.key)
    return found


def documentation_digest(models: Project) -> str:
    """Digest of everything that is documented."""
    said = [[d.name, d.description, list(d.columns.items()), list(d.key)] for d in documentation(models).values()]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def layer(table: str) -> str:
    """Part of a table's name before the first underscore."""
    return table.split("_", 1)[0]


def dictionary(documented: Mapping[str, Documented], types: Mapping[str, Mapping[str, str]]) -> pl.DataFrame:
    """`mart_data_dictionary`: `types` has DuckDB's type of every column of every table, in order."""
    rows = []
    for table in sorted(types):
        about = documented[table]
        for position, (column, kind) in enumerate(types[table].items(), start=1):
            unit, description = about.columns.get(column, ("", ""))
            rows.append(
                (
                    table,
                    layer(table),
                    about.description,
                    column,
                    position,
                    kind,
                    unit or None,
                    description or None,
                    column in about.key,
                )
            )
    return pl.DataFrame(rows, schema=own.MART_DATA_DICTIONARY.schema, orient="row")


def table_lineage(python: Mapping[str, Iterable[str]], models: Project) -> pl.DataFrame:
    """`mart_table_lineage`: `python` has the inputs of every table that is not an SQL model."""
    rows = [(table, source, "python") for table, sources in python.items() for source in sources]
    rows += [(model.name, source, "sql") for model in models.models for source in model.depends_on]
    return pl.DataFrame(sorted(set(rows)), schema=own.MART_TABLE_LINEAGE.schema, orient="row")


def column_lineage(models: Project) -> pl.DataFrame:
    """`mart_column_lineage` of all SQL models."""
    rows = [
        (model.name, column, table, source)
        for model in models.models
        for column, sources in models.lineage(model.name).items()
        for table, source in sources
    ]
    return pl.DataFrame(sorted(rows), schema=own.MART_COLUMN_LINEAGE.schema, orient="row")


def stored_columns(table: str, frame: pl.DataFrame, types: Mapping[str, str]) -> pl.DataFrame:
    """Rows of `stg_lake_columns` for one stored table."""
    nulls: Sequence[int] = frame.null_count().row(0) if frame.height else [0] * frame.width
    rate = [n / frame.height if frame.height else None for n in nulls]
    return pl.DataFrame(
        {
            "table_name": [table] * frame.width,
            "column_name": frame.columns,
            "position": range(1, frame.width + 1),
            "type": [types[c] for c in frame.columns],
            "row_count": [frame.height] * frame.width,
            "null_count": nulls,
            "null_rate": rate,
        },
        schema=own.STG_LAKE_COLUMNS.schema,
    )


_SQL = {pl.String: "VARCHAR", pl.Float64: "DOUBLE", pl.Float32: "FLOAT", pl.Boolean: "BOOLEAN", pl.Date: "DATE"}


def _sql_types(contract: TableContract) -> dict[str, str]:
    return {c.name: _sql_type(c.dtype) for c in contract.columns}


def _sql_type(dtype: Any) -> str:
    """DuckDB's name of a type, as far as lineage needs it: fields of structs count, widths of integers do not."""
    if isinstance(dtype, pl.List):
        return f"{_sql_type(dtype.inner)}[]"
    if isinstance(dtype, pl.Struct):
        return f"STRUCT({', '.join(f'{f.name} {_sql_type(f.dtype)}' for f in dtype.fields)})"
    base = dtype.base_type() if isinstance(dtype, pl.DataType) else dtype
    if base == pl.Datetime:
        return "TIMESTAMP"
    return _SQL.get(base, "BIGINT" if base.is_integer() else "UNKNOWN")
