"""Clean light curves as rows of `core_light_curves`, and back.

Belongs here: how a curve lies in the table. Does not belong here: making one (`clean.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from exo_assets.lightcurves.clean import CDPP_HOURS, CleanCurve
from exo_assets.lightcurves.curve import HeaderStar
from exo_assets.lightcurves.joining import Unused
from exo_assets.lightcurves.star_contracts import CORE_LIGHT_CURVES

SINGLE = ("flux", "flux_err", "trend", "column", "row")
"""Kept in single precision: 0.06 ppm of a flux about one."""
_STAR = ("star_radius_sun", "star_logg_cgs", "star_teff_k")
_NOISE = tuple(f"cdpp_{hours:.0f}h_ppm" for hours in CDPP_HOURS)


def to_rows(curve: CleanCurve, star_id: str, n_files: int, unused: Sequence[Unused] = ()) -> pl.DataFrame:
    """The one row of a star."""
    known = {name: value if np.isfinite(value) else None for name, value in zip(_NOISE, curve.cdpp_ppm, strict=True)}
    row: dict[str, Any] = {
        "star_id": star_id,
        "mission": curve.mission,
        "flux_kind": curve.flux_kind,
        "n_files": n_files,
        "n_points": curve.time_bjd.size,
        "n_segments": int(np.unique(curve.segment).size),
        "first_bjd": float(curve.time_bjd[0]),
        "span_days": float(curve.time_bjd[-1] - curve.time_bjd[0]),
        "n_unusable": curve.n_unusable,
        "n_outliers": curve.n_outliers,
        "window_days": curve.window_days if np.isfinite(curve.window_days) else None,
        "is_curved": curve.is_curved,
        **_known_star(curve.star),
        **known,
        "time_bjd": curve.time_bjd,
        **{name: getattr(curve, name).astype(np.float32) for name in SINGLE},
        "segment": curve.segment,
        "is_edge": curve.is_edge,
        "is_near_dump": curve.is_near_dump,
        "is_scattered": curve.is_scattered if curve.is_scattered.any() else None,
        "unused_files": [
            {"file_name": one.file, "reason": f"unused: {one.reason}", "message": one.message} for one in unused
        ],
    }
    schema = CORE_LIGHT_CURVES.schema
    return pl.DataFrame([_column(name, row[name]).cast(kind) for name, kind in schema.items()])


def _known_star(star: HeaderStar) -> dict[str, float | None]:
    values = (star.radius_sun, star.logg_cgs, star.teff_k)
    return {name: value if np.isfinite(value) else None for name, value in zip(_STAR, values, strict=True)}


def _column(name: str, value: Any) -> pl.Series:
    return pl.Series(name, value).implode() if isinstance(value, np.ndarray) else pl.Series(name, [value])


def of_rows(rows: pl.DataFrame) -> CleanCurve:
    """The curve that `to_rows` packed, without its noise figures' trailing digits."""
    row = rows.row(0, named=True)

    def array(name: str, kind: Any = np.float64) -> Any:
        return rows[name].explode().to_numpy().astype(kind)

    return CleanCurve(
        target=row["star_id"],
        mission=row["mission"],
        flux_kind=row["flux_kind"],
        time_bjd=array("time_bjd"),
        **{name: array(name) for name in SINGLE},
        segment=array("segment", np.int32),
        is_edge=array("is_edge", np.bool_),
        is_near_dump=array("is_near_dump", np.bool_),
        is_scattered=np.array(row.get("is_scattered") or [False] * row["n_points"], dtype=np.bool_),
        n_unusable=row["n_unusable"],
        n_outliers=row["n_outliers"],
        window_days=float("nan") if row["window_days"] is None else row["window_days"],
        is_curved=row["is_curved"],
        star=HeaderStar(*(float("nan") if row[name] is None else row[name] for name in _STAR)),
        cdpp_ppm=tuple(float("nan") if row[name] is None else row[name] for name in _NOISE),
    )
