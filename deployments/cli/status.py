"""`exo status`: what there is, and how old it is.

Belongs here: the command. Does not belong here: gathering (`facts.py`) or showing (`summary.py`).
"""

from __future__ import annotations

import typer

from deployments.cli.output import out, print_json, read_settings


def status(json: bool = typer.Option(False, "--json", help="Everything as JSON.")) -> None:
    """Sources and their dates, champion, release, endpoint and the last runs. Changes nothing."""
    from deployments.cli.facts import gather, last_runs
    from deployments.cli.summary import print_status

    settings = read_settings()
    found = {**gather(settings), "runs": last_runs(settings)}
    if json:
        print_json(found)
    else:
        print_status(out(), found)
