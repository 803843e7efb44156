"""Signals that a search found, in the form in which the catalogue's are judged.

Belongs here: what is judged of a found signal, so that the night and `exo vet` judge alike: what was fitted, the star
as the catalogue has it, the radius that the depth implies; and the rows of `out_found_scores`. Does not belong here:
the judgement (`score.py`), the catalogue's signals that count beside it (`known.py`), diagnostics and views
(`features`), searching.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from exo_assets.catalogs.contracts import STAR_COLUMNS
from exo_assets.features.from_light_curves import has_curve, with_diagnostics
from exo_assets.features.seen_views import VIEWS
from exo_assets.lightcurves.flags import FLAGS, in_words
from exo_assets.lightcurves.mast_names import CATALOGUES
from exo_assets.scoring.contracts import OUT_FOUND_SCORES
from exo_assets.scoring.measured import MEASURED

SUN_RADIUS_EARTH = 109.076
"""Radius of the Sun over the Earth's (IAU 2015 nominal values)."""
FITTED = ("period_days", "duration_hours", "depth_ppm", "snr")
"""What the judgement knows of a found signal beside its star and its light curve."""
NAMED = "light_curve_star"
JOINED_OF_FOUND = ("n_signals_known", "completed_from")
"""What is told of the join of a found signal with the catalogue (`score.JOINED`); which signal it is, `match` says."""
SAME_PERIOD = 1e-3
"""Periods of a signal that was found on two nights differ by less than this share: more data, or a new fit."""
SHIPPED, OWN, SIMULATED = "snapshot", "user", "simulated"
"""Sources of light curves, and what the flux kind of one with a simulated transit says (`lightcurves.injection`)."""


def named_stars(core_signals: pl.DataFrame) -> pl.DataFrame:
    """The catalogue's stars by the name that light curves have for them: NAMED, `star_id` and STAR_COLUMNS.

    A star's values are those of one entry: of the mission whose name it is, if there is one, the first by name.
    """
    of_star = [
        core_signals.filter(pl.col(f"{name.lower()}_id").is_not_null()).with_columns(
            pl.format(f"{name} {{}}", pl.col(f"{name.lower()}_id")).alias(NAMED), _own=pl.col("mission") == mission
        )
        for name, mission in CATALOGUES.items()
    ]
    entries = pl.concat(of_star).sort(NAMED, ~pl.col("_own"), "signal_id")
    return entries.unique(NAMED, keep="first", maintain_order=True).select(NAMED, "star_id", *STAR_COLUMNS)


def as_signals(found: pl.DataFrame, stars: pl.DataFrame) -> pl.DataFrame:
    """`found` (tce_id, star_id, mission and FITTED), rows in order, in the catalogue's columns; `stars` are those of
    `named_stars`. Of the planet's radius there is what star and depth say: R = R_star sqrt(depth)."""
    rows = found.select("mission", *FITTED, signal_id="tce_id", mission_star_id="star_id")
    known = stars.select(pl.col(NAMED).alias("mission_star_id"), *STAR_COLUMNS)
    rows = rows.join(known, on="mission_star_id", how="left", maintain_order="left")
    depth = (pl.col("depth_ppm").clip(lower_bound=0.0) * 1e-6).sqrt()
    rows = rows.with_columns(radius_earth=pl.col("star_radius_sun") * SUN_RADIUS_EARTH * depth)
    return rows.select(
        *("mission", "signal_id", "mission_star_id"),
        *((pl.col(n) if n in rows.columns else pl.lit(None)).cast(pl.Float64).alias(n) for n in MEASURED),
    )


def with_measurements(signals: pl.DataFrame, diagnostics: pl.DataFrame) -> pl.DataFrame:
    """`as_signals` with what was measured of each as it was found: rows of `feat_signal_diagnostics` by `tce_id`, as a
    found signal that the catalogue has is measured under the catalogue's name."""
    of_found = diagnostics.filter(pl.col("tce_id").is_not_null()).with_columns(signal_id="tce_id")
    return with_diagnostics(signals, of_found)


def views_of_found(feat_view_index: pl.DataFrame, diagnostics: pl.DataFrame) -> pl.DataFrame:
    """`feat_view_index` with the `tce_id` of each signal that was found as its `signal_id`."""
    names = diagnostics.filter(pl.col("tce_id").is_not_null()).select("signal_id", "tce_id")
    return feat_view_index.join(names, on="signal_id").with_columns(signal_id="tce_id").drop("tce_id")


def remarks(said: Mapping[str, Any], caution: str | None) -> Iterator[str]:
    """What is to be told of a judgement (`problems`, `unusable`): that there is none, values that counted as unknown,
    and `caution`, that its mission was never learned from."""
    if said["unusable"]:
        yield said["unusable"]
    if said["problems"]:
        yield f"taken as unknown: {said['problems']}"
    if caution and not said["unusable"]:
        yield caution


def found_scores(
    found: pl.DataFrame, signals: pl.DataFrame, judged: pl.DataFrame, stars: pl.DataFrame, curves: pl.DataFrame
) -> pl.DataFrame:
    """Rows of `out_found_scores` but for model and data: `found` are rows of `core_found_signals`, `signals` what was
    judged of each and `judged` the judgement with `problems`, JOINED_OF_FOUND, `stage` and `reason`, row by row;
    `curves` says of each `star_id` its `curve_source` and `flux_kind`.

    Ranks go by probability, then signal to noise, then name; what is below a threshold or could not be judged has none.
    """
    known = stars.select("star_id", star=NAMED).rename({"star_id": "host_id", "star": "star_id"})
    rows = (
        found.hstack(judged)
        .with_columns(has_curve(signals).alias("has_diagnostics"), has_views=_has_views(signals))
        .join(known, on="star_id", how="left", maintain_order="left")
        .join(curves, on="star_id", how="left", maintain_order="left")
    )
    ranked = pl.col("reason").is_null() & ~pl.col("below_threshold")
    order = rows.filter(ranked).sort(["probability_planet", "snr", "tce_id"], descending=[True, True, False])
    ranks = order.select("tce_id", rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    rows = rows.join(ranks, on="tce_id", how="left", maintain_order="left")
    return OUT_FOUND_SCORES.conform(rows.with_columns(flags=_flags())).sort("tce_id")


def _has_views(signals: pl.DataFrame) -> pl.Series:
    absent = pl.Series([False] * signals.height, dtype=pl.Boolean)
    return signals[VIEWS].is_not_null() if VIEWS in signals.columns else absent


def _flags() -> pl.Expr:
    """What is to be known beside a judgement, in words, each only where it holds."""
    said: dict[str, pl.Expr] = {
        **FLAGS,
        "the catalogue does not know the star": pl.col("host_id").is_null(),
        "no diagnostics of its light curve": ~pl.col("has_diagnostics"),
        "the light curve ships with the package": pl.col("curve_source") == SHIPPED,
        "the light curve was imported by a user": pl.col("curve_source") == OWN,
        "SIMULATED: a transit was put into the light curve": pl.col("flux_kind").str.contains(SIMULATED, literal=True),
    }
    return in_words(said)


def first_found(found: pl.DataFrame, before: pl.DataFrame) -> pl.Series:
    """When each of `found` (tce_id, star_id, period_days) was found first; null for what is new.

    `before` (star_id, period_days, first_found_at) is what an earlier night found. A signal is known by its star and
    period: numbers of signals move from night to night.
    """
    pairs = found.select("tce_id", "star_id", period="period_days").join(before, on="star_id")
    same = pairs.filter((pl.col("period_days") / pl.col("period") - 1).abs() < SAME_PERIOD)
    known = same.group_by("tce_id").agg(pl.col("first_found_at").min())
    return found.join(known, on="tce_id", how="left", maintain_order="left")["first_found_at"]


def in_no_catalogue(scores: pl.DataFrame) -> pl.DataFrame:
    """The ranked signals of `out_found_scores` that are none of the catalogue's, the most likely planet first."""
    return scores.filter(pl.col("rank").is_not_null(), pl.col("match") == "none").sort("rank")
