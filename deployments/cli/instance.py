"""`exo instance`: Dagster's instance below EXO_HOME.

Belongs here: the command. Does not belong here: what an instance is (`deployments.dagster.instance`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from deployments.cli.output import CliError, out, print_json, read_settings

app = typer.Typer(no_args_is_help=True)


class StorageChoice(StrEnum):
    """The two instance files."""

    embedded = "embedded"
    postgres = "postgres"


@app.callback()
def _group() -> None:
    """Dagster's instance below EXO_HOME."""


@app.command("setup")
def setup(
    storage: Annotated[
        StorageChoice | None,
        typer.Option(help="embedded: SQLite files; postgres: the server at EXO_PG_URL. Default: what is installed."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Say what was done as JSON.")] = False,
) -> None:
    """Install dagster.yaml, once its storage was tried, and set the limits of the pools. Can be repeated."""
    from deployments.dagster.instance import POOLS, InstanceError, install, open_instance, set_pools

    settings = read_settings()
    try:
        installed = install(settings, storage.value if storage else None)
        with open_instance(settings) as instance:
            changed = set_pools(instance)
    except InstanceError as error:
        raise CliError(str(error)) from error
    if json:
        print_json(
            {
                "dagster_home": installed.home,
                "backend": installed.backend,
                "changed": installed.changed,
                "previous_file": installed.kept_as,
                "runs_left_behind": installed.left_behind,
                "pools": POOLS,
                "pools_changed": sorted(changed),
            }
        )
        return
    console = out()
    did = "installed" if installed.changed else "already in place"
    console.print(f"{installed.backend} instance {did}: {installed.home / 'dagster.yaml'}", markup=False)
    if installed.kept_as:
        console.print(f"the file that was there is kept as {installed.kept_as}", markup=False)
    if installed.left_behind:
        console.print(
            f"history stays behind: {installed.left_behind} runs, their events and switched-off schedules are in the "
            "storage before; set that up again to see them. Tables, models and releases are as they were",
            markup=False,
        )
    console.print("pools: " + ", ".join(f"{pool} {limit}" for pool, limit in POOLS.items()), markup=False)
