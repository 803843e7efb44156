"""Light curves as they lie in the lake: the missions' FITS files, and tables in one canonical form.

Belongs here: the canonical form, and the one reader of what lies there. Does not belong here: users' own layouts
(`table_file.py`, `user_file.py`), and the lake.

The canonical form is Parquet with a column for each array of a `LightCurve` (unknown values are null), and target,
mission and kind of flux in the file's metadata.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from exo_assets.lightcurves.curve import ARRAYS, EARLIEST_BJD, LATEST_BJD, LightCurve, Origin
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.fits_file import read_fits

_META_KEY = b"exo_light_curve"
_TYPES = {"quality": pa.int64(), "segment": pa.int32()}
_SCHEMA = pa.schema([(name, _TYPES.get(name, pa.float64())) for name in ARRAYS])


def read_curve(data: bytes, name: str, star_id: str) -> LightCurve:
    """The light curve in the bytes of a file of the lake; `name` is what errors call it.

    Points have finite times and ascend. LightCurveFileError when the file is damaged or of another star.
    """
    if not data.startswith(b"PAR1"):
        return read_fits(data, name, star_id)
    curve = read_canonical(data, name)
    if curve.target != star_id:
        raise LightCurveFileError(name, "wrong_target", f"holds {curve.target or 'no named star'}, not {star_id}")
    return curve


def is_canonical(data: bytes) -> bool:
    """Whether the bytes are Parquet that says it is a light curve of Exo's. A damaged file is for others to name."""
    if not data.startswith(b"PAR1"):
        return False
    try:
        return _META_KEY in (pq.read_schema(io.BytesIO(data)).metadata or {})
    except (pa.ArrowException, OSError, ValueError):
        return False


def to_parquet(curve: LightCurve, notes: Mapping[str, str] | None = None) -> bytes:
    """A light curve in the canonical form; `notes` are kept in it for `notes_of`."""
    meta = {
        "target": curve.target,
        "mission": curve.mission,
        "flux_kind": curve.flux_kind,
        "product": curve.origin.product,
        "content": content_digest(curve),
        "notes": dict(notes or {}),
    }
    table = pa.table(
        [pa.array(getattr(curve, field.name), field.type, from_pandas=True) for field in _SCHEMA], schema=_SCHEMA
    ).replace_schema_metadata({_META_KEY: json.dumps(meta, sort_keys=True).encode()})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", compression_level=19, version="2.6")
    return sink.getvalue()


def content_digest(curve: LightCurve) -> str:
    """SHA-256 of what a light curve says, whatever wrote it."""
    digest = hashlib.sha256(json.dumps([curve.target, curve.mission, curve.flux_kind]).encode())
    for field in _SCHEMA:
        values = np.ascontiguousarray(getattr(curve, field.name)).astype(field.type.to_pandas_dtype())
        if values.dtype.kind == "f":
            values = np.where(np.isnan(values), np.nan, values)  # there are many nan
        digest.update(values.tobytes())
    return digest.hexdigest()


def notes_of(data: bytes, name: str) -> dict[str, str]:
    """The notes that were kept in a canonical table."""
    return dict(_meta(_table(data, name), name)["notes"])


def read_canonical(data: bytes, name: str) -> LightCurve:
    """The light curve in the bytes of a table in the canonical form, as it was written, of whatever star.

    LightCurveFileError for a damaged one.
    """
    table = _table(data, name)
    meta = _meta(table, name)
    if not table.schema.remove_metadata().equals(_SCHEMA):
        raise LightCurveFileError(name, "damaged", "has other columns than the canonical ones; import it again")
    values: dict[str, Any] = {
        field.name: np.array(table[field.name].to_numpy(zero_copy_only=False), dtype=field.type.to_pandas_dtype())
        for field in _SCHEMA
    }
    origin = Origin(name, meta.get("product", ""), 0.0, "Exo's own table")
    curve = LightCurve(meta["target"], meta["mission"], meta["flux_kind"], origin=origin, **values)
    time = curve.time_bjd
    sound = time.size and np.isfinite(time).all() and time.min() > EARLIEST_BJD and time.max() < LATEST_BJD
    if not sound or (np.diff(time) < 0).any() or content_digest(curve) != meta["content"]:
        raise LightCurveFileError(name, "damaged", "does not hold the points that were written; import it again")
    return curve


def _table(data: bytes, name: str) -> pa.Table:
    try:
        table = pq.read_table(io.BytesIO(data))
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        said = str(error).splitlines()[0] if str(error) else "no message"
        raise LightCurveFileError(name, "damaged", f"is no readable Parquet table ({said})") from error
    return table


def _meta(table: pa.Table, name: str) -> dict[str, Any]:
    try:
        meta: dict[str, Any] = json.loads((table.schema.metadata or {})[_META_KEY])
        if not all(isinstance(meta[key], str) for key in ("target", "mission", "flux_kind", "content")):
            raise ValueError(meta)
        dict(meta["notes"])
    except (KeyError, ValueError, TypeError):
        raise LightCurveFileError(name, "damaged", "is no light curve that Exo wrote; import it") from None
    return meta
