"""The options that `exo vet` and `exo import` share: what is told of light-curve files.

Belongs here: those options, and what they are checked for. Does not belong here: either command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli.output import USAGE, CliError

if TYPE_CHECKING:
    from exo_assets.lightcurves.told import Told

Target = Annotated[str | None, typer.Option(help="The star, unless the files name it: 'EPIC 201367065'.")]
Mission = Annotated[str | None, typer.Option(help="Mission, unless the files name it: kepler, k2 or tess.")]
TimeZero = Annotated[
    float | None, typer.Option(help="What times are counted from, added to them, e.g. 2457000 for BTJD.")
]
FluxColumn = Annotated[str | None, typer.Option(help="Column of the flux, where it has another name.")]
TimeColumn = Annotated[str | None, typer.Option(help="Column of the times, where it has another name.")]
QualityColumn = Annotated[str | None, typer.Option(help="Column that excludes points where it is not zero.")]
Flat = Annotated[
    bool,
    typer.Option("--flat", help="The flux of tables is relative (about one or zero) and detrended: not to be again."),
]


def checked(told: Told) -> Told:
    """What is told, when its mission and its star are ones; CliError otherwise."""
    from exo_assets.catalogs.contracts import MISSIONS
    from exo_assets.lightcurves.mast_names import star_of

    if told.mission is not None and told.mission not in MISSIONS:
        raise CliError(f"{told.mission!r} is no mission", f"choose one of {', '.join(MISSIONS)}", USAGE)
    if told.target is not None and star_of(told.target) is None:
        said = f"{told.target!r} is no star"
        raise CliError(said, "write KIC, EPIC or TIC and a number, such as 'EPIC 201367065'", USAGE)
    return told
