"""The vetter against the field's plain baseline: same rows, same star-grouped folds, one run.

The baseline is the one behind the literature's tables: LightGBM with 250 trees, learning rate 0.06, 31 leaves, on the
archive's own physical columns, their uncertainties and a handful of ratios. Ours are the out-of-fold predictions of the
training that made the current candidate. Only stars of the training part are used; the frozen test stars stay out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from exo_assets.evaluation.metrics import binary_metrics, point
from exo_resources.lake import Lake
from exo_resources.settings import Settings

PHYSICAL = (
    "period_days", "duration_hours", "depth_ppm", "radius_earth", "impact", "insolation_earth", "teq_k", "snr",
    "star_teff_k", "star_logg_cgs", "star_radius_sun", "magnitude", "distance_pc",
)  # fmt: skip
ERRORS = (
    "period_err_days", "t0_err_days", "duration_err_hours", "depth_err_ppm", "radius_err_earth", "impact_err",
    "insolation_err_earth", "star_teff_err_k", "star_logg_err_cgs", "star_radius_err_sun",
)  # fmt: skip
RATIOS = (
    (pl.col("duration_hours") / 24 / pl.col("period_days")).alias("duty"),
    (pl.col("depth_ppm") / 1e6).sqrt().alias("sqrt_depth"),
    (pl.col("radius_earth") / pl.col("star_radius_sun")).alias("radius_ratio_catalogue"),
    pl.col("period_days").log10().alias("log_period"),
    pl.col("depth_ppm").log10().alias("log_depth"),
)
PARAMETERS = {"objective": "binary", "learning_rate": 0.06, "num_leaves": 31, "verbosity": -1, "seed": 0}


def rows(lake: Lake) -> pl.DataFrame:
    """Resolved training signals of the lake with our out-of-fold probability, by layout."""
    ours = lake.read("ml_vetter_oof").filter(
        pl.col("label") != "CANDIDATE", pl.col("layout") != "no_curve", pl.col("probability_planet").is_not_null()
    )
    return ours.join(lake.read("core_signals"), on=["signal_id", "mission"]).sort("signal_id")


def baseline(frame: pl.DataFrame) -> np.ndarray:
    """Out-of-fold probabilities of the plain baseline on the folds of `frame`."""
    import lightgbm

    x = frame.select(*PHYSICAL, *ERRORS, *RATIOS).cast(pl.Float64).to_numpy()
    y, fold = (frame["label"] == "CONFIRMED").to_numpy().astype(float), frame["fold"].to_numpy()
    out = np.empty(len(y))
    for f in np.unique(fold):
        model = lightgbm.train(PARAMETERS, lightgbm.Dataset(x[fold != f], y[fold != f]), 250)
        out[fold == f] = model.predict(x[fold == f])
    return out


def figures(lake: Lake) -> Iterator[dict[str, object]]:
    """A row per mission, layout and system: the metrics on the same signals."""
    everything = rows(lake)
    for mission, layout in everything.select("mission", "layout").unique().sort("mission", "layout").iter_rows():
        frame = everything.filter(mission=mission, layout=layout)
        if frame["label"].n_unique() < 2 or (mission != "kepler" and layout == "full"):
            continue
        truth = (frame["label"] == "CONFIRMED").to_numpy()
        for system, probability in (("baseline", baseline(frame)), ("exo", frame["probability_planet"].to_numpy())):
            yield {"mission": mission, "layout": layout, "system": system, "signals": frame.height} | point(
                binary_metrics(truth, probability)
            )


def main() -> None:
    """Print the table."""
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=200, float_precision=4):
        print(pl.DataFrame(list(figures(Lake(Settings().lake)))))


if __name__ == "__main__":
    main()
