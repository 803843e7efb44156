"""A small invented catalogue in the layout of core_signals."""

from __future__ import annotations

import numpy as np
import polars as pl

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.training.settings import TrainingSettings
from exo_assets.training.splits import assign_folds, assign_splits

SMALL = TrainingSettings(
    folds=3,
    bags=1,
    planet_rounds=40,
    archive_rounds=10,
    archive_bags=1,
    other_missions=(0.0,),
    selection_rounds=10,
)


def invented_signals(n: int = 1500, seed: int = 0) -> pl.DataFrame:
    """Kepler signals in the layout of core_signals; false positives are deep, long and of smaller stars."""
    rng = np.random.default_rng(seed)
    star = rng.integers(0, int(n * 0.8), n)
    kind = rng.choice(["CONFIRMED", "CANDIDATE", "FALSE POSITIVE"], n, p=[0.4, 0.2, 0.4])
    false = (kind == "FALSE POSITIVE") | ((kind == "CANDIDATE") & (rng.random(n) < 0.5))
    frame = pl.DataFrame(
        {
            "signal_id": [f"K{i:05d}.01" for i in range(n)],
            "mission": ["kepler"] * n,
            "mission_star_id": [f"KIC {s}" for s in star],
            "star_id": [f"KIC {s}" for s in star],
            "kic_id": star,
            "disposition_archive": kind,
            "disposition": kind,
            "period_days": 10 ** rng.normal(1.0, 0.5, n),
            "t0_bjd": 2_454_900 + rng.random(n),
            "duration_hours": 10 ** rng.normal(0.5 + 0.15 * false, 0.15, n),
            "depth_ppm": 10 ** rng.normal(2.8 + 0.5 * false, 0.4, n),
            "depth_err_ppm": rng.uniform(5, 50, n),
            "radius_earth": 10 ** rng.normal(0.3 + 0.3 * false, 0.2, n),
            "snr": 10 ** rng.normal(1.3, 0.4, n),
            "impact": rng.uniform(0, 1, n) + 0.1 * false,
            "star_teff_k": rng.normal(5700, 500, n),
            "star_radius_sun": 10 ** rng.normal(0, 0.1, n),
            "star_mass_sun": 10 ** rng.normal(0, 0.05, n),
            "star_logg_cgs": rng.normal(4.4, 0.1, n),
            "magnitude": rng.normal(14, 1, n),
            "ra_deg": rng.uniform(280, 300, n),
            "dec_deg": rng.uniform(38, 50, n),
            "mes": 10 ** rng.normal(1.3, 0.3, n),
            "centroid_offset_oot_arcsec": np.abs(rng.normal(0, 0.3 + 1.5 * false, n)),
            "source_table": ["cumulative"] * n,
            "has_diagnostics": [True] * n,
        }
    )
    return CORE_SIGNALS.conform(frame)


def training_rows(signals: pl.DataFrame, folds: int = SMALL.folds) -> pl.DataFrame:
    """Disposed signals of training stars, with their fold."""
    disposed = signals.filter(pl.col("disposition").is_not_null())
    train = disposed.join(assign_splits(signals).filter(split="train"), on="star_id", how="inner")
    return train.join(assign_folds(train, folds), on="star_id")
