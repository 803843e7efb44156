"""Which diagnostics of light curves the vetter sees, and how they come beside the catalogue's columns.

Belongs here: the choice, the join, and what "has a light curve" means. Does not belong here: how a diagnostic is
measured (`diagnostics.py`), or when all of them are withheld (`transformer.py`).
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from exo_assets.contracts import Column
from exo_assets.features.diagnostics import COLUMNS
from exo_assets.features.seen_views import VIEWS

PREFIX = "lc_"
NOT_SEEN = (
    # What was observed, or downloaded so far: nothing of the signal.
    *("n_transits_observed", "n_transits_expected", "coverage", "edge_share", "dump_share"),
    # Noise of the star and its brightness.
    *("red_noise_ppm", "white_noise_ppm"),
    # Ingredients of others that are seen: odd_even_sigma, the differences of the model-shift test, snr_red.
    *("odd_depth_ppm", "even_depth_ppm", "snr_white", "primary_sigma", "secondary_white_sigma", "tertiary_sigma"),
    *("positive_sigma", "half_phase_depth_ppm", "centroid_shift_pixels"),
    # Period and duration once more.
    *("fa1_sigma", "fa2_sigma", "density_circular_sun"),
    *("sweet_half_amplitude_ppm", "sweet_amplitude_ppm", "sweet_double_amplitude_ppm"),
)
"""Diagnostics that the vetter does not see: a choice of principle, made before anything was measured."""

CURVE_COLUMNS: tuple[Column, ...] = tuple(
    replace(c, name=PREFIX + c.name, dtype=pl.Float64) for c in COLUMNS if c.name not in NOT_SEEN
)
"""Columns of signals that hold diagnostics, each a feature of the same name."""
CURVE_NAMES = tuple(c.name for c in CURVE_COLUMNS)


def with_diagnostics(signals: pl.DataFrame, diagnostics: pl.DataFrame) -> pl.DataFrame:
    """`signals` (columns of `core_signals`), rows in order, with `CURVE_COLUMNS`; null where there is no light curve.

    `diagnostics`: rows of `feat_signal_diagnostics`; those of signals that the catalogue does not have are left out.
    """
    seen = (pl.col(name.removeprefix(PREFIX)).cast(pl.Float64).alias(name) for name in CURVE_NAMES)
    beside = diagnostics.select("signal_id", *seen)
    return signals.join(beside, on="signal_id", how="left", maintain_order="left", validate="m:1")


def has_curve(signals: pl.DataFrame) -> pl.Series:
    """Whether anything was measured of each signal in a light curve (columns or features, their names are the same)."""
    present = [name for name in CURVE_NAMES if name in signals.columns]
    flag = pl.any_horizontal(pl.col(name).is_not_null() for name in present) if present else pl.lit(False)
    return signals.with_columns(flag.alias("_curve"))["_curve"]


def hide_curves(signals: pl.DataFrame) -> pl.DataFrame:
    """`signals` as if they had no light curves."""
    return signals.drop(name for name in (*CURVE_NAMES, VIEWS) if name in signals.columns)
