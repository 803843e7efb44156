"""Synthetic threshold-crossing events as the archive writes them: text, with the pipeline's placeholders.

Planets last as long as their orbit allows and sit on their star; false positives are deep and off it; the rest is weak,
of one loud transit, and crowds on the same stars. A fifth of the fits failed.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from exo_assets.archive.contracts import DR25_KOI, DR25_TCE
from exo_assets.events.labels import LABELS

DISPOSITION = {"PC": "CONFIRMED", "AFP": "FALSE POSITIVE"}


def raw_events(n: int, seed: int = 0, *, labelled: bool = False) -> pl.DataFrame:
    """`n` events in the columns of the raw table; with `labelled`, also those of the labelled file."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, n, p=(0.3, 0.3, 0.4))
    star = np.sort(rng.integers(0, max(1, int(n * 0.7)), n))
    first = np.searchsorted(star, star)
    period = np.round(10 ** rng.uniform(0, 2.5, n), 4)
    depth = 10 ** np.select([kind == 0, kind == 1], [rng.normal(2.7, 0.4, n), rng.normal(3.6, 0.5, n)], 2.0)
    mes = np.where(kind == 2, rng.normal(8, 0.7, n).clip(7.1), 10 ** rng.normal(1.5, 0.3, n))
    failed = rng.random(n) < 0.2
    columns = {
        "kepid": star + 1_000_000,
        "tce_plnt_num": np.arange(n) - first + 1,
        "tce_rogue_flag": (rng.random(n) < 0.03).astype(int),
        "tce_period": period,
        "tce_time0bk": 132 + rng.random(n) * period,
        "tce_duration": 3.0 * (period / 10) ** (1 / 3) * 10 ** rng.normal(0.0, np.where(kind == 0, 0.05, 0.3)),
        "tce_depth": depth,
        "tce_max_mult_ev": mes,
        "tce_max_sngle_ev": mes / np.where(kind == 2, 1.3, 4.0),
        "tce_model_snr": np.where(failed, -1.0, mes * 1.1),
        "tce_dikco_msky": np.abs(rng.normal(0, np.where(kind == 1, 3.0, 0.3))),
        "tce_dikco_msky_err": np.where(failed, -1.0, 0.3),
        "tce_num_transits": np.floor(1459.8 / period).astype(int),
        "tce_nkoi": (kind == 0).astype(int),
    }
    frame = pl.DataFrame(columns)
    own = [
        pl.lit(-1.0 if name.endswith("_err") else 0.0).alias(name)
        for name in DR25_TCE.schema.names()
        if name not in columns
    ]
    frame = frame.with_columns(own).with_columns(tce_slogg=4.4, tce_sradius=1.0, tce_steff=5700.0)
    if labelled:
        frame = frame.with_columns(label=pl.Series(np.array(LABELS)[kind]), cv_fold=pl.Series(rng.integers(0, 10, n)))
    return frame.with_columns(kind=pl.Series(kind)).select(pl.all().cast(pl.String))


def raw_kois(raw: pl.DataFrame) -> pl.DataFrame:
    """The DR25 KOI table in which the events of kind 0 and 1 are KOIs."""
    kois = raw.filter(pl.col("kind") != "2").select(
        "kepid",
        pl.col("tce_plnt_num").alias("koi_tce_plnt_num"),
        pl.format("K{}.{}", "kepid", "tce_plnt_num").alias("kepoi_name"),
        pl.when(pl.col("kind") == "0")
        .then(pl.lit("CONFIRMED"))
        .otherwise(pl.lit("FALSE POSITIVE"))
        .alias("koi_disposition"),
        pl.lit("0").alias("koi_fpflag_nt"),
    )
    return pl.concat([DR25_KOI.empty(), kois], how="diagonal")
