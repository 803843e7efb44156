"""Options that `exo search` and `exo ask` share: which documents count.

Belongs here: the options' declarations, and what they make of a search. Does not belong here: the commands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli.output import USAGE, CliError

if TYPE_CHECKING:
    from exo_assets.corpus.library import Filters

Missions = Annotated[list[str] | None, typer.Option("--mission", help="Documents about it: kepler, k2, tess. Repeats.")]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", help="Documents from it: arxiv, archive_columns, package, file. Repeats."),
]
Targets = Annotated[
    list[str] | None, typer.Option("--target", help="Documents that name it (Kepler-90 h, TIC 150428135). Repeats.")
]
Documents = Annotated[list[str] | None, typer.Option("--document", help="This document only (its id). Repeats.")]
YearFrom = Annotated[
    int | None, typer.Option("--year-from", min=1600, max=2200, help="Documents first published in it or later.")
]
YearTo = Annotated[
    int | None, typer.Option("--year-to", min=1600, max=2200, help="Documents first published in it or earlier.")
]


def filters(
    *,
    missions: list[str] | None = None,
    sources: list[str] | None = None,
    targets: list[str] | None = None,
    documents: list[str] | None = None,
    year_from: int | None = None,
    year_to: int | None = None,
) -> Filters:
    """The search's filters of these options; CliError (2) for a mission, source or range of years that cannot be."""
    from exo_assets.catalogs.contracts import MISSIONS
    from exo_assets.corpus.contracts import SOURCES
    from exo_assets.corpus.library import Filters

    for option, given, known in (("--mission", missions, MISSIONS), ("--source", sources, SOURCES)):
        if unknown := [value for value in given or () if value not in known]:
            raise CliError(f"{option} {unknown[0]!r} is not known", f"choose from {', '.join(known)}", USAGE)
    if year_from is not None and year_to is not None and year_from > year_to:
        raise CliError(f"no year is from {year_from} and to {year_to}", "exchange --year-from and --year-to", USAGE)
    return Filters(
        missions=tuple(missions or ()),
        sources=tuple(sources or ()),
        targets=tuple(targets or ()),
        documents=tuple(documents or ()),
        year_from=year_from,
        year_to=year_to,
    )
