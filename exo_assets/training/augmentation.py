"""Masked copies of the training signals, so that what is missing carries no label.

Belongs here: which columns are hidden in which copy and with what weight. Does not belong here: features or models.

A user's file may lack the pipeline diagnostics, the uncertainties, or any other column. Every training signal is
shown as it is and with such columns hidden; copies share the signal's weight. A Kepler signal that never had the
diagnostics appears only among the copies without them, with the weight of any other signal there: within "no
diagnostics" the shares of the classes are those of the whole catalogue, and absence says nothing.

A signal with a light curve is shown with and without what it tells. Which stars have been downloaded may depend on the
class; shown is of each class the same share, so that neither absence nor presence of a light curve says anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from exo_assets.catalogs.contracts import MEASURED_COLUMNS
from exo_assets.features.from_light_curves import has_curve, hide_curves
from exo_assets.features.transformer import PIPELINE_BLOCK, Matrix, SignalTransformer, has_block

ERRORS = tuple(c for c in MEASURED_COLUMNS if "_err" in c)

STAR = tuple(c for c in MEASURED_COLUMNS if c.startswith("star_") or c in ("distance_pc", "magnitude"))

KEPLER_SHARES = (0.42, 0.08)
OTHER_SHARES = (0.75, 0.125)
"""Weight of a copy as it is and of one with columns hidden. A Kepler signal has one of each in both layouts, others
have one as they are and two with columns hidden; both sum to one. More weight on hidden columns costs ranking where
nothing is missing, less costs calibration where something is."""

CURVE_SHARE = 0.5
"""Weight of the copies that show a signal's light curve, in the class where fewer have one; less in the other."""

COLUMN_GROUPS: tuple[tuple[str, ...], ...] = (
    ("depth_ppm", "depth_err_ppm"),
    ("duration_hours", "duration_err_hours"),
    ("radius_earth", "radius_err_earth"),
    ("impact", "impact_err"),
    ("snr",),
    ("insolation_earth", "insolation_err_earth", "teq_k", "teq_err_k"),
    ("period_err_days", "t0_err_days"),
    ("star_teff_k", "star_teff_err_k"),
    ("star_logg_cgs", "star_logg_err_cgs"),
    ("star_radius_sun", "star_radius_err_sun"),
    ("star_mass_sun", "star_mass_err_sun"),
    ("star_metallicity_dex", "star_metallicity_err_dex"),
    ("distance_pc",),
    ("magnitude",),
    ("pm_ra_mas_yr", "pm_dec_mas_yr"),
)
"""Columns that a file has or lacks together."""


def hide(signals: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """`signals` with `columns` unknown."""
    return signals.with_columns(pl.lit(None, pl.Float64).alias(c) for c in columns if c in signals.columns)


def hide_block(signals: pl.DataFrame) -> pl.DataFrame:
    """`signals` as a table without pipeline diagnostics would have them."""
    mission = pl.col("mission").cast(pl.String)
    hidden: dict[str, list[str]] = {}
    for name, columns in PIPELINE_BLOCK.items():
        for column in columns:
            if column in signals.columns:
                hidden.setdefault(column, []).append(name)
    return signals.with_columns(pl.when(~mission.is_in(ms)).then(pl.col(c)).alias(c) for c, ms in hidden.items())


def hide_at_random(signals: pl.DataFrame, chance: float, rng: np.random.Generator) -> pl.DataFrame:
    """`signals` with column groups unknown; per signal the share of them is drawn evenly from 0 to `chance`.

    A third of that often all of the star, or all uncertainties, are unknown besides: files lack them together.
    """
    n = signals.height
    share, third = rng.random(n) * chance, np.full(n, chance / 3)
    gone = {c: np.zeros(n, dtype=bool) for c in signals.columns}
    for group, probability in (*((g, share) for g in COLUMN_GROUPS), (STAR, third), (ERRORS, third)):
        drawn = rng.random(n) < probability
        for column in group:
            if column in gone:
                gone[column] |= drawn
    return signals.with_columns(
        pl.when(pl.lit(pl.Series(~mask))).then(pl.col(c)).alias(c) for c, mask in gone.items() if mask.any()
    )


@dataclass(frozen=True)
class Copies:
    """Stacked model input: `row` says which training signal a copy is of, `weight` its share, `plain` whether nothing
    but the block is hidden in it, `shows` whether it shows the signal's light curve."""

    x: Matrix
    row: np.ndarray
    weight: np.ndarray
    plain: np.ndarray
    shows: np.ndarray


def masked_copies(
    signals: pl.DataFrame,
    transformer: SignalTransformer,
    star_counts: pl.DataFrame | None,
    chance: float,
    seed: int,
) -> Copies:
    """Every signal as it is and with columns hidden (see the module's text). `signals` have their disposition."""
    rng = np.random.default_rng(seed)
    block = has_block(signals).to_numpy()
    kepler = signals["mission"].cast(pl.String).is_in(list(PIPELINE_BLOCK)).to_numpy()
    basic = hide_block(signals)
    coin = rng.random(signals.height) < 0.5
    other = ~kepler

    plan: list[tuple[pl.DataFrame, np.ndarray]] = [
        # As it is: only rows that have the block (or whose mission has none).
        (signals, np.where(kepler, KEPLER_SHARES[0] * block, OTHER_SHARES[0])),
        (basic, np.where(kepler, KEPLER_SHARES[0], 0.0)),
        (hide(signals, ERRORS), np.where(kepler, KEPLER_SHARES[1] * (block & coin), OTHER_SHARES[1] * other)),
        (hide(basic, ERRORS), np.where(kepler, KEPLER_SHARES[1] * ~coin, 0.0)),
        (
            hide_at_random(signals, chance, rng),
            np.where(kepler, KEPLER_SHARES[1] * (block & ~coin), OTHER_SHARES[1] * other),
        ),
        (hide_at_random(basic, chance, rng), np.where(kepler, KEPLER_SHARES[1] * coin, 0.0)),
    ]
    seen = curve_weight(signals, transformer)
    parts = [
        (shown, weight * share, number < 2, with_curve)
        for number, (frame, weight) in enumerate(plan)
        for shown, share, with_curve in ((hide_curves(frame), 1 - seen, False), (frame, seen, True))
        if share.any()
    ]
    xs, rows, weights, plains, shows = [], [], [], [], []
    for frame, weight, is_plain, with_curve in parts:
        chosen = np.flatnonzero(weight > 0)
        # Features are built on the whole frame, so that a signal keeps its neighbours, then cut.
        xs.append(transformer.matrix(transformer.features(frame, star_counts))[chosen])
        rows.append(chosen)
        weights.append(weight[chosen])
        plains.append(np.full(chosen.size, is_plain))
        shows.append(np.full(chosen.size, with_curve))
    return Copies(np.vstack(xs), *(np.concatenate(part) for part in (rows, weights, plains, shows)))


def curve_weight(signals: pl.DataFrame, transformer: SignalTransformer) -> np.ndarray:
    """Share of each signal's weight that goes to copies with its light curve: 0 where it has none, or none is seen.

    With f the share of a class's signals that have one, those of the class are shown with min(f) / f of CURVE_SHARE,
    the least of planets and false positives.
    """
    curve, label = has_curve(signals).to_numpy(), signals["disposition"].to_numpy()
    mission = signals["mission"].cast(pl.String).to_numpy()
    out = np.zeros(signals.height)
    for m in transformer.curves_of:
        here = mission == m
        known = {c: float(curve[here & (label == c)].mean()) for c in np.unique(label[here])}
        least = min(known["CONFIRMED"], known["FALSE POSITIVE"])
        for c, share in known.items():
            out[here & (label == c) & curve] = CURVE_SHARE * min(1.0, least / share) if share else 0.0
    return out
