"""Quantities of one signal that contradict one another: most often one was written in another unit.

Belongs here: the comparisons, what is said of them, and how a judgement is held back. Does not belong here: values that
no signal can have (`catalogs/contracts.py`).

Compared are the depth with the square of the radius ratio, fitted or of planet and star (depth = k^2, less in a grazing
transit), the fitted ratio with that of the radii, and the duration with the longest of a central transit on a circular
orbit, T14 = (P/pi) arcsin((1 + k) / (a/Rs)) (Winn 2010, arXiv:1001.2010, eq. 14; a/Rs by Kepler's third law). The
limits are wide: of the archive's signals, a grazing or an eccentric orbit, or a blend, stays within them.
"""

from __future__ import annotations

from functools import cache

import polars as pl

from exo_assets.features.tabular import CGS, DAY, M_SUN, PI, PPM, R_EARTH, R_SUN, G

DEPTH_DEX = 1.5
"""Largest log10 of the depth over the square of the radius ratio, either way, that is no contradiction."""
GRAZING_DEX = 2.5
"""As DEPTH_DEX for a depth that is too small where no impact parameter says how grazing the transit is."""
RATIO_DEX = 0.7
"""As DEPTH_DEX for the fitted radius ratio over that of the radii: both are of the same fit."""
SHORT_DEX, SHORT_HOURS = 1.1, 1.0
LONG_DEX, LONG_SHARE = 1.1, 0.5
"""A duration is too short when it is below SHORT_HOURS and by SHORT_DEX below the longest, too long when it is by
LONG_DEX above it, or longer than LONG_SHARE of the period."""
GUESS_DEX = 0.5
"""How near to a conversion a contradiction must be for its unit to be guessed at."""

CONTRADICTION = "contradiction"
NEEDED = (
    *("period_days", "duration_hours", "depth_ppm", "radius_earth", "radius_ratio", "impact"),
    *("star_radius_sun", "star_mass_sun", "star_logg_cgs"),
)
_DEPTH_UNITS = {"a fraction": -6.0, "in percent": -4.0, "in mmag": -3.04}
HELD_BACK = {"verdict": "candidate", "prediction_set": "unsure"}
"""What is said of a signal whose quantities contradict one another."""


def with_contradictions(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` (any of NEEDED, in the contract's units) with CONTRADICTION: what contradicts what, null where nothing."""
    absent = [pl.lit(None, pl.Float64).alias(name) for name in NEEDED if name not in rows.columns]
    return rows.with_columns(rows.select("*", *absent).select(_said().alias(CONTRADICTION)))


def held_back(judged: pl.DataFrame) -> pl.DataFrame:
    """`judged` [verdict, prediction_set, CONTRADICTION] without a confident verdict on a contradiction."""
    told = pl.col(CONTRADICTION).is_not_null() & pl.col("verdict").is_not_null()
    return judged.with_columns(
        pl.when(told).then(pl.lit(said)).otherwise(name).alias(name) for name, said in HELD_BACK.items()
    )


@cache
def _said() -> pl.Expr:
    text = pl.concat_str(_ratio(), _depth(), _duration(), separator="; ", ignore_nulls=True)
    return pl.when(text != "").then(text)


def _radii() -> pl.Expr:
    """Planet radius over star radius by the radii."""
    return pl.col("radius_earth") / pl.col("star_radius_sun") * (R_EARTH / R_SUN)


def _ratio() -> pl.Expr:
    off = (_radii() / pl.col("radius_ratio")).log10()
    unit = pl.when(off < 0).then(pl.lit(": is the radius in Jupiter radii?")).otherwise(pl.lit(""))
    text = pl.format(
        "radius_ratio {} is contradicted by {} R_Earth on {} R_Sun{}",
        *(_shown(name) for name in ("radius_ratio", "radius_earth", "star_radius_sun")),
        unit,
    )
    return pl.when(off.abs() > RATIO_DEX).then(text)


def _depth() -> pl.Expr:
    k, depth = pl.coalesce("radius_ratio", _radii()), pl.col("depth_ppm") * PPM
    off = (depth / k**2).log10()
    grazing = pl.col("impact") > 1 - k
    small = pl.when(pl.col("impact").is_null()).then(GRAZING_DEX).otherwise(DEPTH_DEX)
    contradicts = (off > DEPTH_DEX) | ((off < -small) & ~grazing.fill_null(False))
    guesses = [
        pl.when(off > 0).then(pl.lit(": is the radius in Jupiter radii?")),
        *(
            pl.when((off - dex).abs() < GUESS_DEX).then(pl.lit(f": is the depth {unit}?"))
            for unit, dex in _DEPTH_UNITS.items()
        ),
    ]
    implied = (k**2 / PPM).round_sig_figs(3)
    text = pl.format("depth_ppm {} is contradicted by the radii, which imply {} ppm{}", _shown("depth_ppm"), implied,
                     pl.coalesce(*guesses, pl.lit("")))  # fmt: skip
    return pl.when(contradicts).then(text)


def _duration() -> pl.Expr:
    period, hours = pl.col("period_days"), pl.col("duration_hours")
    radius = pl.col("star_radius_sun") * R_SUN
    gravity = 10.0 ** pl.col("star_logg_cgs") * CGS
    by_mass = pl.col("star_mass_sun") * M_SUN / radius**3 * (0.75 / PI)
    density = pl.coalesce(by_mass, gravity / radius * (0.75 / (PI * G)))
    a_rs = (density * (period * DAY) ** 2 * (G / (3.0 * PI))).pow(1 / 3)
    sine = (1 + pl.coalesce("radius_ratio", _radii(), 0.0)) / a_rs
    longest = period * (24.0 / PI) * pl.min_horizontal(sine, 1.0).arcsin()
    off = (hours / pl.when(a_rs.is_not_null()).then(longest)).log10()
    grazing = (pl.col("impact") > 0.9).fill_null(False)
    short = (off < -SHORT_DEX) & (hours < SHORT_HOURS) & ~grazing
    long = (off > LONG_DEX) | (hours > LONG_SHARE * 24.0 * period)
    guess = (
        pl.when((off + 1.38).abs() < GUESS_DEX)
        .then(pl.lit(": is the duration in days?"))
        .when((off - 1.78).abs() < GUESS_DEX)
        .then(pl.lit(": is the duration in minutes?"))
    )
    implied = pl.when(off.is_not_null()).then(pl.format(" and this star ({} h at most)", longest.round_sig_figs(3)))
    text = pl.format(
        "duration_hours {} is contradicted by a period of {} d{}{}",
        *(_shown(name) for name in ("duration_hours", "period_days")),
        implied.otherwise(pl.lit("")),
        guess.otherwise(pl.lit("")),
    )
    return pl.when(short.fill_null(False) | long.fill_null(False)).then(text)


def _shown(name: str) -> pl.Expr:
    return pl.col(name).round_sig_figs(6)
