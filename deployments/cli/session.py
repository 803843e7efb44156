"""Jobs run by a command, here and now.

Belongs here: what every such command does around its runs: alone, on the installed instance, libraries silenced.
Does not belong here: how a job is executed (`execute.py`), and what is said of it afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployments.cli.execute import alone, execute, job_definition, refuse_when_busy, stoppable, tidy
from deployments.cli.output import FAILED, CliError
from deployments.cli.terminal import quiet

if TYPE_CHECKING:
    from pathlib import Path

    import dagster as dg
    from rich.console import Console

    from deployments.cli.execute import Outcome
    from exo_resources.lake import Lake
    from exo_resources.settings import Settings


@dataclass(frozen=True)
class Session:
    """What runs of one command share; `console` reaches the terminal while libraries write to `log`."""

    instance: dg.DagsterInstance
    console: Console
    log: Path
    lake: Lake
    defs: dg.Definitions

    def job(self, name: str) -> dg.JobDefinition:
        """The job of that name; CliError naming the jobs there are."""
        return job_definition(self.defs, name)

    def execute(self, job: dg.JobDefinition, tags: Mapping[str, str] | None = None) -> Outcome:
        """Run `job` to its end. KeyboardInterrupt when it was stopped."""
        return execute(job, self.instance, self.console, lake=self.lake, tags=tags)


@contextmanager
def session(settings: Settings, *, anyway: bool = False) -> Iterator[Session]:
    """A session on the installed instance. CliError when another run is in progress, unless `anyway`."""
    from deployments.dagster.instance import InstanceError, open_instance

    log = settings.home / "logs" / "exo-run.log"
    try:
        with alone(settings), open_instance(settings) as instance, quiet(log) as console:
            from deployments.definitions import build_defs
            from exo_resources.lake import Lake

            with stoppable():
                tidy(instance)
                if not anyway:
                    refuse_when_busy(instance)
                defs = build_defs(settings)
            yield Session(instance, console, log, Lake(settings.lake), defs)
    except InstanceError as error:
        raise CliError(str(error)) from error


def failure(outcome: Outcome, log: Path) -> CliError:
    """The error that ends the command after a run that failed."""
    failed = "; ".join(f"{asset.name}: {asset.error}" for asset in outcome.failed) or "before any asset began"
    return CliError(
        f"{outcome.job} failed in {failed}",
        f"what was finished is kept, `exo run` goes on from there; log: {log}",
        FAILED,
    )
