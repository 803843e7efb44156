"""`exo import`: a user's own light curves into the lake.

Belongs here: files to the lake, and what is printed. Does not belong here: what makes a file a light curve
(`exo_assets.lightcurves.user_file`), and its form in the lake (`exo_resources.user_curves`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import curve_options as options
from deployments.cli.output import counted, err, out, print_json, read_settings
from deployments.cli.vet_read import listed_files

if TYPE_CHECKING:
    from exo_assets.lightcurves.told import Told
    from exo_resources.lake import Lake
    from exo_resources.user_curves import Imported


def import_curves(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="FITS, CSV or Parquet of a star; Parquet of many stars, one a row; a CSV list of files.",
        ),
    ],
    *,
    target: options.Target = None,
    mission: options.Mission = None,
    time_zero: options.TimeZero = None,
    segment: Annotated[
        int | None, typer.Option(min=0, max=9999, help="Kepler quarter, K2 campaign or TESS sector.")
    ] = None,
    flux_column: options.FluxColumn = None,
    time_column: options.TimeColumn = None,
    quality_column: options.QualityColumn = None,
    flat: options.Flat = False,
    json: Annotated[bool, typer.Option("--json", help="What was imported as a JSON list of objects.")] = False,
) -> None:
    """Keep your own light curves in the lake, with those of the archive. A curve that is there already stays.

    A Parquet file may hold many stars, one a row: time and flux are lists, and a column names the star (kepid, epic or
    tic, numbers; or star_id or target); flux_err, quality and segment may be there.

    A file or a row that cannot be read is named on stderr and the others go on; the exit code is 1 then.
    """
    from exo_assets.lightcurves.told import Told
    from exo_resources.lake import Lake

    told = options.checked(Told(target, mission, time_zero, segment, flat, flux_column, time_column, quality_column))
    done = _imported(Lake(read_settings().lake), files, told)
    if json:
        print_json([row for of_file in done for row in of_file.rows])
    else:
        for of_file in done:
            _say(of_file)
    for of_file in done:
        for said in of_file.lost:
            err().print(said, style="red", markup=False)
    if any(of_file.lost for of_file in done):
        raise typer.Exit(1)


@dataclass
class _Done:
    """What became of a file: a row for each light curve, and what is wrong with others; `of` rows if of many stars."""

    path: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    of: int | None = None


def _imported(lake: Lake, files: list[Path], told: Told) -> list[_Done]:
    """What became of each file, and of each that a list names; what could not be read is said of them all at last."""
    unread = _Done(Path())
    done = []
    for path, data, said in listed_files(files, told, unread.lost, "read or kept"):
        done.append(_Done(path))
        _import(lake, data, done[-1], said)
    return [*done, unread]


def _import(lake: Lake, data: bytes, done: _Done, told: Told) -> None:
    """Import a file, or say why it cannot be."""
    from exo_assets.lightcurves.file_error import LightCurveFileError
    from exo_assets.lightcurves.many_stars_file import holds_many
    from exo_resources.user_curves import import_curve

    try:
        if holds_many(data):
            _import_stars(lake, data, done, told)
        else:
            done.rows.append(_row(done.path, import_curve(lake, data, str(done.path), told)))
    except LightCurveFileError as error:
        done.lost.append(str(error))
    except OSError as error:
        done.lost.append(f"{done.path}: cannot be kept ({error.strerror or error})")


def _import_stars(lake: Lake, data: bytes, done: _Done, told: Told) -> None:
    """Import a file of many stars, with progress told."""
    from exo_resources.user_curves import Imported, import_stars

    done.of, outcomes = import_stars(lake, data, str(done.path), told)
    with counted(f"{done.path}: {{}} of {done.of:,} stars") as tell:
        for count, outcome in enumerate(outcomes, start=1):
            if isinstance(outcome, Imported):
                done.rows.append(_row(done.path, outcome))
            else:
                done.lost.append(str(outcome))
            tell(count)


def _say(done: _Done) -> None:
    """What became of a file, in a line; nothing of one that could not be read."""
    if done.of is not None:
        new = sum(row["is_new"] for row in done.rows)
        said = f"{done.of:,} stars, {new:,} imported, {len(done.rows) - new:,} were there already"
        said += f", {len(done.lost):,} could not be" if done.lost else ""
        out().print(f"{done.path}: {said}", markup=False)
        return
    for row in done.rows:
        what = "imported" if row["is_new"] else "was there already"
        layout = f"({row['product']}, {row['flux_kind']})"
        said = f"{row['target']}, {row['mission']}, {row['points']:,} points, {what} {layout}"
        out().print(f"{done.path}: {said}", markup=False)
        for note in row["notes"]:
            err().print(f"{done.path}: {note}", markup=False)


def _row(path: Path, imported: Imported) -> dict[str, Any]:
    curve = imported.curve
    return {
        "file": str(path),
        "target": curve.target,
        "mission": curve.mission,
        "product": curve.origin.product,
        "flux_kind": curve.flux_kind,
        "time_zero_bjd": curve.origin.time_zero_bjd,
        "notes": list(curve.origin.notes),
        "points": len(curve),
        "first_bjd": float(curve.time_bjd[0]),
        "last_bjd": float(curve.time_bjd[-1]),
        "key": imported.key,
        "is_new": imported.is_new,
    }
