"""`exo`: the command line.

Belongs here: the list of commands and the boundary that turns errors into one line and an exit code.
Does not belong here: what a command does; each has a file of its own, imported cheaply (no dagster, mlflow or polars
at module level), so that `exo --help` answers at once.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from deployments.cli import (
    ask,
    dossier,
    import_curves,
    ingest,
    instance,
    query,
    rollback,
    run,
    score,
    search,
    serve,
    status,
    ui,
    vet,
)
from deployments.cli.output import FAILED, INTERRUPTED, CliError

LAKE = "exo_resources.lake"
"""Where the errors of stored tables are from."""


class _Boundary(TyperGroup):
    """Runs commands; errors end as one line on stderr."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CliError as error:
            _end(ctx, error, error.message, error.remedy, error.code)
        except KeyboardInterrupt as error:
            _end(ctx, error, "interrupted", "", INTERRUPTED)
        except BrokenPipeError:
            # The reader went away (`exo query ... | head`): nobody is left to tell.
            sys.stdout = None  # type: ignore[assignment]
            raise typer.Exit(FAILED) from None
        except MemoryError as error:
            _end(ctx, error, "there is not enough memory", "close other programs, or ask for less at once", FAILED)
        except BaseException as error:
            # Panics of libraries written in Rust are no Exception.
            if _is_usage(error) or isinstance(error, SystemExit | GeneratorExit):
                raise
            text = " ".join(str(error).split()) or "no message"
            if type(error).__module__ == LAKE:  # names the table and the remedy
                _end(ctx, error, text, "", FAILED)
            _end(ctx, error, f"{type(error).__name__}: {text}", "exo --debug shows where", FAILED)


def _end(ctx: Any, error: BaseException, message: str, remedy: str, code: int) -> None:
    if ctx.params.get("debug"):
        raise error
    typer.echo(f"exo: {message}" + (f" ({remedy})" if remedy else ""), err=True)
    raise typer.Exit(code) from None


def _is_usage(error: BaseException) -> bool:
    import click

    kinds: tuple[type[BaseException], ...] = (click.exceptions.ClickException, click.exceptions.Exit, click.Abort)
    module = type(error).__module__
    return isinstance(error, kinds) or module.startswith(("typer", "click"))


app = typer.Typer(
    cls=_Boundary,
    name="exo",
    help="A nightly, vetted, scored and explained catalogue of transit signals from Kepler, K2 and TESS.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _root(
    debug: bool = typer.Option(False, "--debug", envvar="EXO_DEBUG", help="Show the traceback of an error."),
) -> None:
    del debug  # read by the boundary from the context
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Data are UTF-8 whatever the terminal's locale; names of files are bytes, and need not be text.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


app.command("run")(run.run)
app.command("score")(score.score)
app.command("vet")(vet.vet)
app.command("import")(import_curves.import_curves)
app.command("ingest")(ingest.ingest)
app.command("query")(query.query)
app.command("search")(search.search)
app.command("ask")(ask.ask)
app.command("dossier")(dossier.dossier)
app.command("status")(status.status)
app.command("rollback")(rollback.rollback)
app.command("ui")(ui.ui)
app.add_typer(serve.app, name="serve", help="The live endpoint.")
app.add_typer(instance.app, name="instance", help="Dagster's instance below EXO_HOME.")

if __name__ == "__main__":
    app()
