"""What one star costs: CPU seconds of every step, and bytes, measured on simulated files. For `cost_model.py`."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.simulated_curves import KEPLER, TESS, Planet, Sampling
from benchmarks.simulated_files import star_files
from exo_assets.features.diagnostics import diagnose
from exo_assets.features.views import Views, views
from exo_assets.lightcurves.chain import Star, search_curve
from exo_assets.lightcurves.clean import CleanCurve, cleaned
from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.curve_rows import to_rows
from exo_assets.lightcurves.fits_file import read_fits
from exo_assets.lightcurves.search import SearchSettings, spectrum
from exo_assets.lightcurves.star_tasks import SIGNALS_MAX

SETTINGS = SearchSettings(signals_max=SIGNALS_MAX)


@dataclass(frozen=True)
class Mission:
    """What is extrapolated to. `signal_share`: signals for each star, an assumption; `planet` is what a star with one
    has in the simulation."""

    name: str
    sampling: Sampling
    stars: int
    signal_share: float
    planet: Planet


MISSIONS = (
    Mission("Kepler, four years", KEPLER, 200_000, 0.17, Planet(23.4567, 3.3, 0.0265)),
    Mission("TESS, one sector of two-minute targets", TESS, 20_000, 0.1, Planet(3.4521, 1.3, 0.05)),
)
"""Kepler's last run found 34,032 threshold-crossing events on some 200,000 stars (Twicken et al. 2016): 0.17."""


@dataclass(frozen=True)
class Measured:
    """CPU seconds and bytes of one star: medians. `search_quiet`, `search_signal`: the whole search of a clean curve,
    of a star without and with a planet, with every cleaning and fit in it; `spectrum`: one round over all periods.
    `signals`: what is found on the star with a planet. `views`, `diagnostics`: for each signal."""

    points: int
    files: int
    read: float
    clean: float
    write: float
    spectrum: float
    search_quiet: float
    search_signal: float
    signals: float
    views: float
    diagnostics: float
    raw_bytes: float
    lake_bytes: float
    view_bytes: float


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of one call, and its result."""
    start = time.process_time()
    out = function()
    return time.process_time() - start, out


def measured(mission: Mission, repeats: int) -> Measured:
    """Medians over `repeats` simulated stars of each kind, after one that compiles."""
    rows: list[dict[str, float]] = []
    for seed in range(repeats + 1):
        row = _with_signal(mission, seed) | _quiet(mission, seed)
        rows += [row] if seed else []
    middle = {name: float(np.median([row[name] for row in rows])) for name in rows[0]}
    return Measured(**(middle | {"points": int(middle["points"]), "files": int(middle["files"])}))


def _read(files: list[bytes]) -> list[LightCurve]:
    return [read_fits(data, "simulated") for data in files]


def _with_signal(mission: Mission, seed: int) -> dict[str, float]:
    curve = cleaned(_read(star_files(mission.sampling, mission.planet, seed)))
    search, star = seconds(lambda: search_curve(curve, SETTINGS))
    shown, made = seconds(lambda: _views(star))
    judged, _ = seconds(lambda: [diagnose(star.curve, signal.transit) for signal in star.signals])
    count = max(len(star.signals), 1)
    size = sum(getattr(v, n).nbytes for v in made for n in ("global_view", "local_view", "odd", "even", "secondary"))
    size += sum(v.stack.nbytes for v in made)
    return {
        "search_signal": search,
        "signals": len(star.signals),
        "views": shown / count,
        "diagnostics": judged / count,
        "view_bytes": size / count,
    }


def _views(star: Star) -> list[Views]:
    return [views(star.curve.time_bjd, star.curve.flux, s.transit.ephemeris) for s in star.signals]


def _quiet(mission: Mission, seed: int) -> dict[str, float]:
    files = star_files(mission.sampling, None, 1000 + seed)
    read, segments = seconds(lambda: _read(files))
    clean, curve = seconds(lambda: cleaned(segments))
    write, data = seconds(lambda: _row(curve, len(files)))
    one, _ = seconds(lambda: spectrum(curve.time_bjd, curve.flux, curve.flux_err))
    search, _ = seconds(lambda: search_curve(curve, SETTINGS))
    return {
        "points": curve.time_bjd.size,
        "files": len(files),
        "read": read,
        "clean": clean,
        "write": write,
        "spectrum": one,
        "search_quiet": search,
        "raw_bytes": sum(map(len, files)),
        "lake_bytes": len(data),
    }


def _row(curve: CleanCurve, files: int) -> bytes:
    """The star's row of `core_light_curves`, as the lake writes tables."""
    out = io.BytesIO()
    pq.write_table(to_rows(curve, curve.target, files).to_arrow(), out, compression="zstd")
    return out.getvalue()
