"""A light curve in memory, and the quality flags that make a point unusable.

Belongs here: what a light curve is, one stretch of it or several joined. Does not belong here: files
(`fits_file.py`), cleaning (`clean.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EARLIEST_BJD, LATEST_BJD = 2_400_000.0, 2_500_000.0
"""Times outside are no barycentric Julian dates of a space mission."""
KEPLER_FLAGS = {
    "attitude tweak": 1 << 0,
    "safe mode": 1 << 1,
    "coarse point": 1 << 2,
    "earth point": 1 << 3,
    "desaturation": 1 << 5,
    "manual exclude": 1 << 8,
    "detector anomaly": 1 << 14,
    "no data": 1 << 16,
    "thruster firing": 1 << 20,
}
"""Bits of SAP_QUALITY, Kepler and K2 (Kepler Archive Manual, table 2-3): lightkurve's default set."""
TESS_FLAGS = {
    "attitude tweak": 1 << 0,
    "safe mode": 1 << 1,
    "coarse point": 1 << 2,
    "earth point": 1 << 3,
    "Argabrightening": 1 << 4,
    "desaturation": 1 << 5,
    "manual exclude": 1 << 7,
    "impulsive outlier": 1 << 9,
    "bad calibration": 1 << 14,
}
"""Bits of QUALITY, TESS (TESS Science Data Products Description, table 32): lightkurve's default set."""
UNUSABLE = {
    "kepler": sum(KEPLER_FLAGS.values()),
    "k2": sum(KEPLER_FLAGS.values()),
    "tess": sum(TESS_FLAGS.values()),
}
"""Bitmask of each mission: a point with any of these bits is not used. A file of no mission has no such bits."""
DUMP_FLAG = {"kepler": 1 << 5, "k2": (1 << 5) | (1 << 20), "tess": 1 << 5}
"""Momentum dumps: reaction wheels desaturated, and K2's thrusters fired."""


EXCLUDED = 1 << 40
"""Bit of a point that its product's own flags, or a column that the user names, exclude. No mission has such a bit."""
SCATTERED_LIGHT = 1 << 12
"""TESS bit 13: scattered light from Earth or Moon (TESS Science Data Products Description, table 32). Such points are
used, and what hangs on them is told."""


@dataclass(frozen=True)
class Origin:
    """How a curve was read, to be told to people.

    `file` its file; `product` whose layout it has; `time_zero_bjd` what its times were counted from, and
    `time_zero_from` who says so; `left_out` how many points are not used, by reason; `notes` what else was noticed.
    """

    file: str = ""
    product: str = ""
    time_zero_bjd: float = 0.0
    time_zero_from: str = ""
    left_out: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    def noted(self, *notes: str) -> Origin:
        """With further notes."""
        return replace(self, notes=(*self.notes, *notes))


@dataclass(frozen=True)
class HeaderStar:
    """What a file's header says of its star, nan where it says nothing: radius over the Sun's, log10 of the surface
    gravity in cm/s2, effective temperature in kelvin."""

    radius_sun: float = float("nan")
    logg_cgs: float = float("nan")
    teff_k: float = float("nan")


UNKNOWN_STAR = HeaderStar()


@dataclass(frozen=True)
class LightCurve:
    """Points of one star, ascending in time; arrays of one length.

    `time_bjd`: barycentric Julian date, TDB, days. `flux`, `flux_err`: electrons per second, or relative. `segment`:
    Kepler quarter, K2 campaign or TESS sector. `column`, `row`: flux-weighted centroid, pixels, nan where unknown.
    `flux_kind` says which column of the file the flux is, and whether it came flat (`is_flat`).
    """

    target: str
    mission: str
    flux_kind: str
    time_bjd: Array
    flux: Array
    flux_err: Array
    quality: NDArray[np.int64]
    segment: NDArray[np.int32]
    column: Array
    row: Array
    origin: Origin = Origin()
    star: HeaderStar = UNKNOWN_STAR

    def __len__(self) -> int:
        return int(self.time_bjd.size)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> LightCurve:
        """The chosen points."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in ARRAYS})


FLAT = " (flat)"
"""Ends the flux kind of a curve whose trend was taken away before Exo had it: no trend is sought in it again."""


def as_flat(flux_kind: str) -> str:
    """The flux kind of a curve that came flat."""
    return flux_kind if is_flat(flux_kind) else flux_kind + FLAT


def is_flat(flux_kind: str) -> bool:
    """Whether a curve of this flux kind came flat."""
    return FLAT in flux_kind


ARRAYS = tuple(f.name for f in fields(LightCurve) if f.name not in ("target", "mission", "flux_kind", "origin", "star"))


def usable(curve: LightCurve) -> NDArray[np.bool_]:
    """Points with finite time and flux, none of the mission's bits for unusable data, and not `EXCLUDED`."""
    good = np.isfinite(curve.time_bjd) & np.isfinite(curve.flux)
    return np.asarray(good & ((curve.quality & (UNUSABLE.get(curve.mission, 0) | EXCLUDED)) == 0))


def scattered(curve: LightCurve) -> NDArray[np.bool_]:
    """Points flagged for scattered light; only TESS has such a flag."""
    return np.asarray((curve.quality & SCATTERED_LIGHT != 0) & (curve.mission == "tess"))


def near_dump(curve: LightCurve, days: float = 0.5) -> NDArray[np.bool_]:
    """Points within `days` after or before a momentum dump."""
    dumps = curve.time_bjd[(curve.quality & DUMP_FLAG.get(curve.mission, 0)) != 0]
    dumps = np.sort(dumps[np.isfinite(dumps)])
    if not dumps.size:
        return np.zeros(len(curve), dtype=bool)
    after = np.searchsorted(dumps, curve.time_bjd)
    since = curve.time_bjd - dumps[np.maximum(after - 1, 0)]
    until = dumps[np.minimum(after, dumps.size - 1)] - curve.time_bjd
    return np.asarray((np.abs(since) < days) | (np.abs(until) < days))
