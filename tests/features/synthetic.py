"""Synthetic signals for tests of features and training.

Planets are small and last as long as their orbit allows; false positives are deep and last too long, with noise
between. The paperwork leaks as in the archives: K2 publishes period uncertainties for planets only, and some Kepler
false positives are in no table with diagnostics.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.features.diagnostics import COLUMNS
from exo_assets.features.signal_contracts import FEAT_SIGNAL_DIAGNOSTICS


def catalogue(n: int, seed: int = 0, missions: tuple[str, ...] = ("kepler", "k2", "tess")) -> pl.DataFrame:
    """`n` signals per mission in the columns of `core_signals`; a third are candidates."""
    rng = np.random.default_rng(seed)
    return pl.concat([_mission(m, n, rng) for m in missions])


def _mission(mission: str, n: int, rng: np.random.Generator) -> pl.DataFrame:
    kind = rng.integers(0, 3, n)  # 0 planet, 1 candidate, 2 false positive
    planet = np.where(kind == 1, rng.random(n) < 0.5, kind == 0)
    star = np.sort(rng.integers(0, int(n * 0.8), n))
    period = 10 ** rng.uniform(0, 2, n)
    radius_sun, mass = rng.uniform(0.6, 1.4, n), rng.uniform(0.6, 1.4, n)
    depth = 10 ** np.where(planet, rng.normal(2.8, 0.5, n), rng.normal(3.6, 0.6, n))
    duration = 3.0 * (period / 10) ** (1 / 3) * 10 ** np.where(planet, rng.normal(0, 0.1, n), rng.normal(0.15, 0.25, n))
    block = (mission == "kepler") & (planet | (rng.random(n) < 0.6))
    known = planet | (rng.random(n) < 0.1) if mission == "k2" else np.ones(n, dtype=bool)
    offset = np.abs(np.where(planet, rng.normal(0, 0.3, n), rng.normal(0, 2, n)))
    prefix = {"kepler": "KIC", "k2": "EPIC", "tess": "TIC"}[mission]
    return CORE_SIGNALS.conform(
        pl.DataFrame(
            {
                "signal_id": [f"{mission}-{i:05d}" for i in range(n)],
                "mission": mission,
                "mission_star_id": [f"{prefix} {s}" for s in star],
                "star_id": [f"{prefix} {s}" for s in star],
                "disposition": np.array(["CONFIRMED", "CANDIDATE", "FALSE POSITIVE"])[kind],
                "period_days": period,
                "period_err_days": _known(period * 1e-5, known),
                "duration_hours": duration,
                "depth_ppm": depth,
                "depth_err_ppm": depth * 0.05,
                "radius_earth": np.sqrt(depth / 1e6) * radius_sun * 109.1,
                "snr": depth / 50,
                "star_radius_sun": radius_sun,
                "star_mass_sun": mass,
                "star_teff_k": rng.normal(5600, 300, n),
                "magnitude": rng.uniform(9, 15, n),
                "mes": _known(depth / 60, block),
                "ses": _known(depth / 300, block),
                "centroid_offset_oot_arcsec": _known(offset, block),
                "ra_deg": rng.uniform(0, 360, n),
                "dec_deg": rng.uniform(-90, 90, n),
                "t0_bjd": 2_455_000.0 + rng.uniform(0, 100, n),
                "source_table": "synthetic",
                "has_diagnostics": block,
            }
        )
    )


def _known(values: np.ndarray, where: np.ndarray) -> pl.Series:
    return pl.Series(np.where(where, values, np.nan)).fill_nan(None)


def diagnostics_of(signals: pl.DataFrame, share: float, seed: int = 0, telling: float = 0.0) -> pl.DataFrame:
    """Rows of `feat_signal_diagnostics` for a `share` of the signals, drawn by lot: noise, but that the odd-even
    statistic of false positives is higher by `telling`."""
    rng = np.random.default_rng(seed)
    rows = signals.filter(pl.Series(rng.random(signals.height) < share))
    false = (rows["disposition"] == "FALSE POSITIVE").to_numpy()
    values = {c.name: np.abs(rng.normal(0.5, 0.2, rows.height)).clip(0, 1) for c in COLUMNS}
    values["odd_even_sigma"] = np.abs(rng.normal(1, 1, rows.height)) + telling * false
    return FEAT_SIGNAL_DIAGNOSTICS.conform(
        rows.select("signal_id", "star_id", "mission", "period_days", "t0_bjd", "duration_hours").with_columns(
            origin=pl.lit("catalogue"), **{name: pl.Series(value) for name, value in values.items()}
        )
    )
