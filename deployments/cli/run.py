"""`exo run`: a job, here and now, with progress and a summary.

Belongs here: the order of things: run, publish with the standing champion when the gates refused, sum up.
Does not belong here: how a job is executed (`execute.py`), shown (`progress.py`) or summed up (`facts.py`,
`summary.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from deployments.cli.output import FAILED, CliError, out, print_json, read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from deployments.cli.execute import Outcome

NIGHTLY, PUBLISH = "nightly_refresh", "publish_release"


def run(
    job: str = typer.Option(NIGHTLY, "--job", help="Which job; nightly_refresh is the whole lineage."),
    json: bool = typer.Option(False, "--json", help="The closing summary as JSON."),
    anyway: bool = typer.Option(False, "--anyway", help="Run although a run of the daemon seems to be in progress."),
) -> None:
    """Run the nightly job from the archives to the live endpoint. What did not change is kept, not recomputed."""
    from deployments.cli.session import session

    settings = read_settings()
    published: Outcome | None = None
    with session(settings, anyway=anyway) as here:
        from deployments.cli.facts import champion

        definition = here.job(job)
        here.console.print(f"{job}  (state in {settings.home}, log {here.log})", markup=False)
        outcome = here.execute(definition)
        standing = champion(here.lake) if outcome.refusals else None
        if outcome.only_refused and standing is not None:
            here.console.print(
                f"! the gates refused the candidate ({_gates(outcome)}); "
                f"publishing with the champion that stands, v{standing['version']}",
                style="bold yellow",
                markup=False,
            )
            published = here.execute(here.job(PUBLISH), {"exo/after": outcome.run_id})
    _report(settings, [outcome, *([published] if published else [])], as_json=json)
    last = published or outcome
    if not last.success:
        raise _failure(last, here.log)


def _report(settings: Any, outcomes: list[Outcome], *, as_json: bool) -> None:
    from deployments.cli.facts import gather
    from deployments.cli.summary import print_summary

    first, last = outcomes[0], outcomes[-1]
    assets = {name: asset for outcome in outcomes for name, asset in outcome.assets.items()}
    facts = gather(settings)
    summary = {
        "success": last.success,
        "job": first.job,
        "run_ids": [outcome.run_id for outcome in outcomes],
        "candidate_refused_by": sorted({found.check for found in first.refusals}),
        "published_with_standing_champion": len(outcomes) > 1,
        "recomputed": sorted(name for name, asset in assets.items() if asset.outcome == "recomputed"),
        "failed": {asset.name: asset.error for asset in last.failed},
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
        **facts,
    }
    if as_json:
        print_json(summary)
    else:
        print_summary(out(), summary)


def _failure(outcome: Outcome, log: Path) -> CliError:
    from deployments.cli.session import failure

    if outcome.refusals and outcome.only_refused:
        message = f"the gates refused the first candidate ({_gates(outcome)}) and there is no champion to go on with"
        return CliError(message, "table ml_vetter_gates has the figures; `exo run` tries again", FAILED)
    return failure(outcome, log)


def _gates(outcome: Outcome) -> str:
    return "; ".join(f"{r.check}: {r.description}" if r.description else r.check for r in outcome.refusals)
