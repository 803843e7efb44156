"""`exo query`: a question to the live release.

Belongs here: showing an answer as a table, CSV or JSON. Does not belong here: what may be asked
(`exo_resources.query`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from deployments.cli.output import USAGE, CliError, err, finite, out, print_json, read_settings

if TYPE_CHECKING:
    import polars as pl

SHOWN = 50


def query(
    sql: str = typer.Argument(..., metavar="SQL", help="One SELECT; SHOW TABLES and DESCRIBE <table> work too."),
    json: bool = typer.Option(False, "--json", help="Rows as a JSON list of objects."),
    csv: bool = typer.Option(False, "--csv", help="Rows as CSV."),
    limit: int | None = typer.Option(None, min=0, help=f"At most so many rows. A table shows {SHOWN}; 0 shows all."),
) -> None:
    """Ask the live release one question, read-only."""
    from exo_resources.query import QueryError, run_query
    from exo_resources.releases import ReleaseError, ReleaseStore

    if json and csv:
        raise CliError("--json and --csv exclude each other", "choose one", USAGE)
    settings = read_settings()
    shown = limit if limit is not None else (0 if json or csv else SHOWN)
    try:
        # One row more than is shown, to know whether there are more.
        frame = run_query(sql, ReleaseStore(settings.releases, settings.releases_kept), shown + 1 if shown else None)
    except QueryError as error:
        raise CliError(str(error), "exo query 'SHOW TABLES' lists the tables", USAGE) from error
    except ReleaseError as error:
        raise CliError(str(error)) from error
    rows = frame.head(shown) if shown else frame
    if json:
        print_json(finite(rows.to_dicts()))
    elif csv:
        sys.stdout.write(_flat(rows).write_csv())
    else:
        _table(rows)
        if rows.height < frame.height:
            err().print(f"the first {rows.height} rows; --limit 0 shows all", markup=False)


def _table(frame: pl.DataFrame) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, dtype in frame.schema.items():
        table.add_column(name, justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in frame.iter_rows():
        table.add_row(*(cell(value) for value in row))
    out().print(table, markup=False)


def cell(value: Any) -> str:
    """A value as people read it: floats to six digits, empty for null, reasons as `feature +1.23`."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        if isinstance(value.get("feature"), str) and isinstance(value.get("contribution"), int | float):
            return f"{value['feature']} {value['contribution']:+.2f}"
        return ", ".join(f"{name}={cell(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(cell(item) for item in value)
    return str(value)


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Nested columns as JSON text: CSV has no lists."""
    import json

    import polars as pl

    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    return frame.with_columns(
        pl.Series(
            name,
            [None if v is None else json.dumps(finite(v), default=str) for v in frame[name].to_list()],
            dtype=pl.String,
        )
        for name in nested
    )
