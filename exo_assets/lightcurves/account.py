"""What became of every star: facts of those that were searched, and the losses on the way.

Belongs here: the tables that sum the partitioned ones up. Does not belong here: what a stage does with a star.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from exo_assets.lightcurves.buckets import BUCKET
from exo_assets.lightcurves.star_contracts import CORE_LIGHT_CURVES_ATTRITION, CORE_SEARCHED_STARS


def searched_stars(curves: pl.DataFrame, found: pl.DataFrame, searched: Collection[str]) -> pl.DataFrame:
    """`core_searched_stars`: `curves` are the facts of clean curves, `found` rows of `core_search`, `searched` are
    the stars that the search went through."""
    counts = found.group_by("star_id").agg(
        n_found=pl.len().cast(pl.Int64),
        n_catalogued=(pl.col("match") != "none").sum().cast(pl.Int64),
        is_varying=pl.col("is_variable").any(),
    )
    rows = curves.join(counts, on="star_id", how="left").with_columns(
        pl.col("n_found", "n_catalogued").fill_null(0),
        pl.col("is_varying").fill_null(False),
        bucket=BUCKET,
        is_searched=pl.col("star_id").is_in(list(searched)),
    )
    return CORE_SEARCHED_STARS.conform(rows).sort("star_id")


def lost_files(stage: str, files: pl.DataFrame) -> pl.DataFrame:
    """Rows of `core_light_curves_attrition` for files that were quarantined, did not arrive or are not used."""
    rows = files.filter(pl.col("status") != "kept").with_columns(
        stage=pl.lit(stage),
        bucket=BUCKET,
        reason=pl.concat_str(pl.col("status"), pl.lit(": "), pl.col("reason").fill_null("unknown")),
        message=pl.col("message").fill_null(""),
    )
    return CORE_LIGHT_CURVES_ATTRITION.conform(rows)


def unused_files(stage: str, curves: pl.DataFrame) -> pl.DataFrame:
    """Rows of `core_light_curves_attrition` for files that other files of the same photons go before; `curves` has the
    stars and their `unused_files`."""
    rows = curves.filter(pl.col("unused_files").list.len() > 0).explode("unused_files").unnest("unused_files")
    return CORE_LIGHT_CURVES_ATTRITION.conform(rows.with_columns(stage=pl.lit(stage), bucket=BUCKET))


def lost_stars(stage: str, bucket: str, lost: Collection[tuple[str, str, str]]) -> pl.DataFrame:
    """Rows of `core_light_curves_attrition` for stars (name, reason, message) that a stage could not process."""
    rows = pl.DataFrame(list(lost), schema=["star_id", "reason", "message"], orient="row")
    return CORE_LIGHT_CURVES_ATTRITION.conform(rows.with_columns(stage=pl.lit(stage), bucket=pl.lit(bucket)))
