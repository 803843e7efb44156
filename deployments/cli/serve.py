"""`exo serve`: the live endpoint up, down, and how it is.

Belongs here: the commands. Does not belong here: the endpoint (`exo_resources.serve_client`, `deployments.serve`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from deployments.cli.library_state import in_words
from deployments.cli.output import FAILED, CliError, err, out, print_json, read_settings

if TYPE_CHECKING:
    from exo_resources.serve_client import ServeStatus
    from exo_resources.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The live endpoint."""


@app.command("start")
def start(json: bool = typer.Option(False, "--json", help="The status as JSON.")) -> None:
    """Bring the endpoint up with the champion and the released index, and wait until it answers.

    The library has the settings of this command's environment, whatever it was deployed with before.
    """
    from exo_resources.library_client import LibraryClient
    from exo_resources.serve_client import ServeClient, ServeError

    settings = read_settings()
    client = ServeClient(settings)
    try:
        library = _library_waits(settings)
        if client.last_good() is None:
            _deploy(settings, "serve_vetter", "serve_events", *library)
        else:
            client.start(_say)
            if library:
                _deploy(settings, *library)
            else:
                LibraryClient(settings).renew(progress=_say)
        found = client.status()
    except ServeError as error:
        raise CliError(str(error)) from error
    _show(found, json=json)
    if not found.healthy:
        raise CliError(f"the endpoint at {found.url} is not healthy: {found.message}", "exo run deploys the champion")


@app.command("stop")
def stop(json: bool = typer.Option(False, "--json", help="Say what was done as JSON.")) -> None:
    """Take the endpoint down. Fine when it is down already."""
    from exo_resources.serve_client import ServeClient, ServeError

    settings = read_settings()
    try:
        was_up = ServeClient(settings).stop()
    except ServeError as error:
        raise CliError(str(error)) from error
    if json:
        print_json({"url": settings.endpoint, "was_up": was_up})
    else:
        out().print(f"{settings.endpoint}: {'stopped' if was_up else 'was not running'}", markup=False)


@app.command("status")
def status(json: bool = typer.Option(False, "--json", help="The status as JSON.")) -> None:
    """How the endpoint is and which model it answers with. Exit code 1 when it is not healthy."""
    from exo_resources.serve_client import ServeClient

    found = ServeClient(read_settings()).status()
    _show(found, json=json)
    if not found.healthy:
        raise typer.Exit(FAILED)


def _say(text: str) -> None:
    err().print(text, markup=False)


def _library_waits(settings: Settings) -> tuple[str, ...]:
    """The library's asset, where an index is released and none has been put on the endpoint yet."""
    from exo_resources.lake import Lake
    from exo_resources.library_client import LibraryClient
    from exo_resources.library_store import DamagedIndexError, LibraryStore

    try:
        released = LibraryStore(Lake(settings.lake), settings).released()
    except DamagedIndexError as error:
        err().print(f"signals are judged, and the corpus is not searched: {error}", markup=False)
        return ()
    return ("serve_library",) if released is not None and LibraryClient(settings).last_good() is None else ()


def _deploy(settings: Settings, *assets: str) -> None:
    """The first deployment: through the assets, which hold the endpoint's answers against the registry's model and its
    hits against the index."""
    from dagster import AssetKey

    from deployments.cli.execute import alone, execute, refuse_when_busy, tidy
    from deployments.cli.facts import champion
    from deployments.cli.terminal import quiet
    from deployments.dagster.instance import InstanceError, open_instance
    from exo_resources.lake import Lake

    if champion(Lake(settings.lake)) is None:
        raise CliError("there is no champion to serve", "exo run trains, judges and promotes one")
    log = settings.home / "logs" / "exo-serve.log"
    try:
        with alone(settings), open_instance(settings) as instance, quiet(log) as console:
            from deployments.definitions import build_defs

            tidy(instance)
            refuse_when_busy(instance)
            job = build_defs(settings).resolve_job_def("nightly_refresh")
            outcome = execute(job.get_subset(asset_selection={AssetKey(name) for name in assets}), instance, console)
    except InstanceError as error:
        raise CliError(str(error)) from error
    if not outcome.success:
        reasons = "; ".join(f"{asset.name}: {asset.error}" for asset in outcome.failed) or "no reason given"
        raise CliError(f"the endpoint was not deployed: {reasons}", f"log: {log}")


def _show(found: ServeStatus, *, json: bool) -> None:
    if json:
        print_json(found.as_dict())
    else:
        model = f", model {found.model}" if found.model else ""
        out().print(f"{found.url}: {found.message}{model}", markup=False)
        if found.library is not None:
            out().print(f"library: {in_words(found.library)}", markup=False)
