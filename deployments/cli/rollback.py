"""`exo rollback`: the previous champion back.

Belongs here: the command. Does not belong here: what a rollback is (`exo_assets.evaluation.champion`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from deployments.cli.output import FAILED, CliError, out, print_json, read_settings

if TYPE_CHECKING:
    from exo_resources.settings import Settings


def rollback(
    events: bool = typer.Option(False, "--events", help="The vetter of events, not that of signals."),
    json: bool = typer.Option(False, "--json", help="Say what was done as JSON."),
) -> None:
    """Put the previous champion back, then score, publish and deploy with it."""
    from deployments.cli.execute import alone, execute, job_definition, refuse_when_busy, tidy
    from deployments.cli.terminal import quiet
    from deployments.dagster.instance import InstanceError, open_instance

    settings = read_settings()
    _refuse_without_previous(settings, events)
    log = settings.home / "logs" / "exo-rollback.log"
    jobs = ("rollback_event_champion" if events else "rollback_champion", "deploy_champion")
    try:
        with alone(settings), open_instance(settings) as instance, quiet(log) as console:
            from deployments.definitions import build_defs

            tidy(instance)
            refuse_when_busy(instance)
            defs = build_defs(settings)
            for name in jobs:
                outcome = execute(job_definition(defs, name), instance, console)
                if not outcome.success:
                    reasons = "; ".join(f"{a.name}: {a.error}" for a in outcome.failed) or "no reason given"
                    if name == jobs[0]:
                        raise CliError(f"{name} failed: {reasons}", f"log: {log}", FAILED)
                    raise CliError(
                        f"the champion is rolled back, but {name} failed: {reasons}",
                        f"exo status says what is behind, exo run finishes it; log: {log}",
                        FAILED,
                    )
    except InstanceError as error:
        raise CliError(str(error)) from error
    from deployments.cli.facts import champion
    from exo_resources.lake import Lake

    now = champion(Lake(settings.lake), "ml_event_champion" if events else "ml_vetter_champion")
    if json:
        print_json({"champion": now})
    elif now is not None:
        out().print(f"champion: {now['name']} v{now['version']}", markup=False)


def _refuse_without_previous(settings: Settings, events: bool) -> None:
    """CliError before anything is started when there is nothing to go back to."""
    from exo_assets.evaluation.champion import rollback_target
    from exo_resources.lake import Lake
    from exo_resources.registry import EVENTS, SIGNALS, ModelRegistry

    registry = ModelRegistry(settings.mlflow, settings.mlflow_artifacts, EVENTS if events else SIGNALS)
    try:
        rollback_target(registry, Lake(settings.lake))
    except LookupError as absent:
        raise CliError(str(absent)) from absent
