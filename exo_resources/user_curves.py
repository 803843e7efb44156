"""Users' own light curves in the lake.

Belongs here: putting one there, and what is there. Does not belong here: what makes a file one (`user_file.py`), and
the missions' files (`exo_resources.mast`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.mast_names import mission_of, star_of
from exo_assets.lightcurves.records import Record, records_frame
from exo_assets.lightcurves.stored import content_digest, notes_of, read_curve, to_parquet
from exo_assets.lightcurves.told import Told
from exo_assets.lightcurves.user_file import user_curve, user_curves
from exo_resources.archive.copies import now
from exo_resources.lake import Lake

RAW = "raw/user"


@dataclass(frozen=True)
class Imported:
    """A light curve in the lake under `key`; `is_new` unless the same points were there before."""

    key: str
    curve: LightCurve
    is_new: bool


def import_curve(lake: Lake, data: bytes, name: str, told: Told | None = None) -> Imported:
    """Put a user's light curve into the lake, in the canonical form; `name` is that of the file.

    The same points of the same star are kept once, whatever file they come in. LightCurveFileError otherwise.
    """
    curve = user_curve(data, name, told)
    # A table does not say its segment; that it is 0 in the points means nothing then.
    segment = "unknown" if told is None or told.segment is None else "told"
    return _kept(lake, curve, name, "of the file" if data.startswith(b"SIMPLE") else segment)


def import_stars(
    lake: Lake, data: bytes, name: str, told: Told | None = None
) -> tuple[int, Iterator[Imported | LightCurveFileError]]:
    """Put the stars of a file that `holds_many` into the lake, as `import_curve` does with one: how many rows there
    are, and what became of each, told as it is done.

    A row that is no light curve is the error that says why. LightCurveFileError when the file itself is none.
    """
    many = user_curves(data, name, told)

    def kept() -> Iterator[Imported | LightCurveFileError]:
        for found in many.curves:
            if isinstance(found, LightCurveFileError):
                yield found
            else:
                yield _kept(lake, found.curve, found.name, "told" if found.has_segment else "unknown")

    return many.total, kept()


def _kept(lake: Lake, curve: LightCurve, name: str, segment: str) -> Imported:
    """The curve in the lake, written unless the same points are there."""
    key = f"{RAW}/{curve.target.replace(' ', '')}/{content_digest(curve)[:12]}.parquet"
    if lake.has(key) and _sound(lake.get(key), key, curve.target):
        return Imported(key, curve, is_new=False)
    lake.put(key, to_parquet(curve, {"name": _printable(name), "imported_at": now(), "segment": segment}))
    return Imported(key, curve, is_new=True)


def user_files(lake: Lake) -> pl.DataFrame:
    """What users imported, as rows of `raw_mast__light_curves` (source 'user'; `url` is the name of the user's file).

    A file that was damaged since is a row with status 'quarantined'.
    """
    return records_frame(_record(key, star, lake.get(key)) for key, star in _owned(lake))


def user_stars(lake: Lake) -> set[str]:
    """Stars that users imported light curves of; no file is read."""
    return {star for _, star in _owned(lake)}


def _owned(lake: Lake) -> Iterator[tuple[str, str]]:
    """Keys of users' light curves, and the star of each."""
    for key in lake.keys(RAW):
        star = star_of(key.split("/")[-2]) if key.endswith(".parquet") else None
        if star is not None:
            yield key, star


def _printable(name: str) -> str:
    """A file's name as text of a table; bytes in it that are no UTF-8 are written as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _sound(data: bytes, name: str, star_id: str) -> bool:
    try:
        read_curve(data, name, star_id)
    except LightCurveFileError:
        return False
    return True


def _record(key: str, star_id: str, data: bytes) -> Record:
    name = key.rpartition("/")[2]
    record = Record(
        file_name=name,
        mission=mission_of(star_id),
        star_id=star_id,
        segment=None,
        cadence_s=None,
        source="user",
        url=name,
        fingerprint="",
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        key=key,
        retrieved_at="",
        status="quarantined",
    )
    try:
        curve, notes = read_curve(data, key, star_id), notes_of(data, key)
    except LightCurveFileError as error:
        return replace(record, reason=error.reason, message=str(error))
    segments = np.unique(curve.segment)
    return replace(
        record,
        mission=curve.mission,
        segment=int(segments[0]) if segments.size == 1 and notes["segment"] != "unknown" else None,
        cadence_s=float(np.round(np.median(np.diff(np.unique(curve.time_bjd))) * 86_400, 1)),
        url=_printable(notes["name"]),
        retrieved_at=notes["imported_at"],
        status="kept",
    )
