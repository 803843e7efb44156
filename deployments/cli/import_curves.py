"""`exo import`: a user's own light curves into the lake.

Belongs here: files to the lake, and what is printed. Does not belong here: what makes a file a light curve
(`exo_assets.lightcurves.user_file`), and its form in the lake (`exo_resources.user_curves`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli.output import USAGE, CliError, err, out, print_json, read_settings, regular_bytes

if TYPE_CHECKING:
    from exo_resources.user_curves import Imported


def import_curves(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="FITS of Kepler, K2 or TESS, or CSV/Parquet with time and flux."),
    ],
    *,
    target: Annotated[str | None, typer.Option(help="The star, unless the files name it: 'EPIC 201367065'.")] = None,
    mission: Annotated[str | None, typer.Option(help="Mission of tables: kepler, k2 or tess.")] = None,
    time_zero: Annotated[float, typer.Option(help="Added to the times of tables, e.g. 2457000 for BTJD.")] = 0.0,
    segment: Annotated[
        int | None, typer.Option(min=0, max=9999, help="Kepler quarter, K2 campaign or TESS sector.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="What was imported as a JSON list of objects.")] = False,
) -> None:
    """Keep your own light curves in the lake, with those of the archive. A curve that is there already stays.

    A file that cannot be read is named on stderr and the others go on; the exit code is 1 then.
    """
    from exo_assets.catalogs.contracts import MISSIONS
    from exo_assets.lightcurves.fits_file import LightCurveFileError
    from exo_assets.lightcurves.mast_names import star_of
    from exo_assets.lightcurves.user_file import Told
    from exo_assets.scoring.read_file import CatalogueFileError
    from exo_resources.lake import Lake
    from exo_resources.user_curves import import_curve

    settings = read_settings()
    if mission is not None and mission not in MISSIONS:
        raise CliError(f"{mission!r} is no mission", f"choose one of {', '.join(MISSIONS)}", USAGE)
    if target is not None and star_of(target) is None:
        raise CliError(f"{target!r} is no star", "write KIC, EPIC or TIC and a number, such as 'EPIC 201367065'", USAGE)
    lake, told = Lake(settings.lake), Told(target, mission, time_zero, segment)
    rows: list[dict[str, Any]] = []
    lost = []
    for path in files:
        try:
            rows.append(_row(path, import_curve(lake, regular_bytes(path), str(path), told)))
        except (LightCurveFileError, CatalogueFileError) as error:
            lost.append(str(error))
        except OSError as error:
            lost.append(f"{path}: cannot be read or kept ({error.strerror or error})")
    if json:
        print_json(rows)
    else:
        for row in rows:
            done = "imported" if row["is_new"] else "was there already"
            out().print(
                f"{row['file']}: {row['target']}, {row['mission']}, {row['points']:,} points, {done}", markup=False
            )
    for said in lost:
        err().print(said, style="red", markup=False)
    if lost:
        raise typer.Exit(1)


def _row(path: Path, imported: Imported) -> dict[str, Any]:
    curve = imported.curve
    return {
        "file": str(path),
        "target": curve.target,
        "mission": curve.mission,
        "points": len(curve),
        "first_bjd": float(curve.time_bjd[0]),
        "last_bjd": float(curve.time_bjd[-1]),
        "key": imported.key,
        "is_new": imported.is_new,
    }
