"""What `exo vet` reads: files to the light curves of stars.

Belongs here: files of any kind to stars, and what is said of how they were read. Does not belong here: readers
(`exo_assets.lightcurves.user_file`), the choice among products (`exo_assets.lightcurves.joining`), and the search.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.cli.output import err, regular_bytes

if TYPE_CHECKING:
    from exo_assets.lightcurves.curve import LightCurve
    from exo_assets.lightcurves.joining import Unused
    from exo_assets.lightcurves.told import Told


@dataclass
class ReadStar:
    """A star's light curves that are joined, and what is not used of its files."""

    name: str
    curves: list[LightCurve] = field(default_factory=list)
    unused: list[Unused] = field(default_factory=list)

    def as_row(self) -> dict[str, Any]:
        """How the star was read, for the rows of its signals."""

        def of(values: Iterator[Any]) -> Any:
            several = list(dict.fromkeys(values))
            return several[0] if len(several) == 1 else several

        return {
            "product": of(c.origin.product for c in self.curves),
            "flux_column": of(c.flux_kind for c in self.curves),
            "points": sum(map(len, self.curves)),
            "time_zero_bjd": of(c.origin.time_zero_bjd for c in self.curves),
            "notes": [note for c in self.curves for note in c.origin.notes],
            "unused": [one.message for one in self.unused],
        }

    def say(self) -> None:
        """Tell on stderr what was read of each file, and what is not used."""
        err().print(f"{self.name}: {sum(map(len, self.curves)):,} points", markup=False)
        for curve in self.curves:
            at = curve.origin
            left_out = "".join(f", {count:,} {why}" for why, count in at.left_out)
            since = f"times from {at.time_zero_bjd:.10g} ({at.time_zero_from})"
            said = f"{at.product or 'table'}, {curve.flux_kind}, {len(curve):,} points{left_out}, {since}"
            err().print(f"  {at.file}: {said}", markup=False)
            for note in at.notes:
                err().print(f"  {at.file}: {note}", markup=False)
        for one in self.unused:
            err().print(f"  not used: {one.message}", markup=False)


def read_stars(files: list[Path], told: Told) -> tuple[list[ReadStar], list[str]]:
    """The stars in files, in the order in which they are first named, and what is wrong with files that hold none.

    Curves of one star and mission are joined; a table that names its star and no mission goes with them.
    """
    from exo_assets.lightcurves.joining import joinable

    lost: list[str] = []
    stars: dict[str, dict[str, list[LightCurve]]] = {}
    for curve in _curves(files, told, lost):
        name = curve.target or curve.origin.file
        stars.setdefault(name, {}).setdefault(curve.mission, []).append(replace(curve, target=name))
    out = []
    for name, missions in stars.items():
        known = [mission for mission in missions if mission]
        if "" in missions and len(known) == 1:
            missions[known[0]] += [replace(curve, mission=known[0]) for curve in missions.pop("")]
        out += [ReadStar(name, *joinable(curves)) for curves in missions.values()]
    return out, lost


def listed_files(
    files: list[Path], told: Told, lost: list[str], doing: str = "read"
) -> Iterator[tuple[Path, bytes, Told]]:
    """Files and their bytes, those of lists in the place of the lists; what cannot be read goes to `lost`."""
    from exo_assets.lightcurves.file_error import LightCurveFileError
    from exo_assets.lightcurves.manifest import is_list, listed
    from exo_assets.scoring.read_file import CatalogueFileError

    for path in files:
        try:
            data = regular_bytes(path)
            rows = listed(data, str(path), told) if is_list(data) else None
        except (LightCurveFileError, CatalogueFileError) as error:
            lost.append(str(error))
            continue
        except OSError as error:
            lost.append(f"{path}: cannot be {doing} ({error.strerror or error})")
            continue
        if rows is None:
            yield path, data, told
            continue
        for row in rows:
            if isinstance(row, LightCurveFileError):
                lost.append(str(row))
                continue
            of_list = path.parent / row.file
            try:
                yield of_list, regular_bytes(of_list), row.told
            except CatalogueFileError as error:
                lost.append(str(error))
            except OSError as error:
                lost.append(f"{of_list}: cannot be {doing} ({error.strerror or error})")


def _curves(files: list[Path], told: Told, lost: list[str]) -> Iterator[LightCurve]:
    from exo_assets.lightcurves.file_error import LightCurveFileError
    from exo_assets.lightcurves.many_stars_file import holds_many
    from exo_assets.lightcurves.user_file import any_curve, user_curves

    for path, data, said in listed_files(files, told, lost):
        try:
            if not holds_many(data):
                yield any_curve(data, str(path), said)
                continue
            for one in user_curves(data, str(path), said).curves:
                if isinstance(one, LightCurveFileError):
                    lost.append(str(one))
                else:
                    yield one.curve
        except LightCurveFileError as error:
            lost.append(str(error))
