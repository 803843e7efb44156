"""The published figures of a candidate: populations, metrics, intervals, and the figures to beat.

Belongs here: `ml_vetter_metrics` and `ml_performance_history` from predictions. Does not belong here: scoring.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import polars as pl

from exo_assets.catalogs.contracts import DISPOSITIONS, MISSIONS
from exo_assets.evaluation.bootstrap import Interval, bootstrap_by_star, paired_difference
from exo_assets.evaluation.contracts import INPUTS, ML_PERFORMANCE_HISTORY, ML_VETTER_METRICS, SPLITS
from exo_assets.evaluation.metrics import binary_metrics, multiclass_metrics, set_metrics
from exo_assets.evaluation.threads import Map, in_turn
from exo_assets.features.transformer import PIPELINE_BLOCK

BASELINE_SOURCE = (
    "LightGBM of 250 trees on the archive's columns, their errors and 8 engineered ones, 5 folds by star, measured on "
    "the archive's tables of autumn 2025"
)
BASELINES: dict[tuple[str, str], dict[str, float]] = {
    ("planet", "kepler"): {
        "accuracy": 0.948,
        "macro_f1": 0.944,
        "roc_auc": 0.987,
        "average_precision": 0.977,
        "precision_at_recall_90": 0.944,
        "log_loss": 0.149,
        "ece": 0.019,
    },
    ("planet", "tess"): {
        "accuracy": 0.861,
        "roc_auc": 0.929,
        "average_precision": 0.916,
        "precision_at_recall_90": 0.840,
        "log_loss": 0.337,
        "ece": 0.028,
    },
    ("disposition", "kepler"): {"accuracy": 0.80, "macro_f1": 0.77, "roc_auc": 0.93},
}
"""Figures to beat, by head and population; cross-validated, so they stand beside the split `unseen`, where every
signal of the catalogue is judged by a model that did not see its star."""

BINS: dict[str, tuple[str, tuple[float, ...]]] = {
    "snr": ("snr", (10.0, 20.0, 50.0)),
    "period": ("period_days", (3.0, 10.0, 100.0)),
    "radius": ("radius_earth", (2.0, 4.0, 10.0)),
}
"""Population bins: name -> (column, edges). Bins are [edge, next edge); the first and last are open."""
LEAST_WITH_CURVE = 50
"""Signals of each class whose light curve is seen, below which what light curves add is not measured."""
DECIMALS = 6


def metrics_table(predictions: pl.DataFrame, signals: pl.DataFrame, *, seed: int, map_: Map = in_turn) -> pl.DataFrame:
    """`ml_vetter_metrics` of one candidate's `ml_vetter_predictions`; `signals` gives the columns of the bins.

    Missions that publish no diagnostics are the same with and without: only the first is computed.
    """
    version, digest = predictions["candidate_version"][0], predictions["candidate_digest"][0]
    rows = []
    parts = list(_parts(predictions, signals))
    for part_of, figures in zip(parts, map_(lambda p: _figures(p[0], p[-1], seed), parts), strict=True):
        head, population, split, inputs, part = part_of
        for metric, interval in figures.items():
            baseline = BASELINES.get((head, population), {}).get(metric) if split == "unseen" else None
            rows.append(
                {
                    "candidate_version": version,
                    "candidate_digest": digest,
                    "head": head,
                    "population": population,
                    "split": split,
                    "inputs": inputs,
                    "metric": metric,
                    **interval_columns(interval),
                    **sizes(part),
                    "baseline": baseline,
                    "baseline_source": BASELINE_SOURCE if baseline is not None else None,
                }
            )
    return ML_VETTER_METRICS.conform(pl.DataFrame(rows, schema=ML_VETTER_METRICS.schema))


def headline(metrics: pl.DataFrame) -> dict[str, float]:
    """Ranking, precision and calibration on test stars, by population: what is looked at first."""
    first = metrics.filter(
        pl.col("metric").is_in(["roc_auc", "average_precision", "precision_at_recall_90", "ece"]),
        pl.col("population").is_in(["overall", *MISSIONS]),
        pl.col("value").is_not_null(),
        head="planet",
        split="test",
        inputs="as_archived",
    )
    return {f"{r['population']} {r['metric']}": r["value"] for r in first.iter_rows(named=True)}


def performance_history(
    metrics: pl.DataFrame, data_digest: str, before: pl.DataFrame | None, now: datetime | None = None
) -> pl.DataFrame:
    """`before` with the figures of this candidate on this data appended, unless they are in it already."""
    shown = metrics.filter(
        pl.col("population").is_in(["overall", *MISSIONS]),
        pl.col("split").is_in(["test", "unseen"]),
        pl.col("inputs") == "as_archived",
    ).with_columns(
        data_digest=pl.lit(data_digest[:16]),
        recorded_at=pl.lit((now or datetime.now(UTC)).isoformat(timespec="seconds")),
    )
    new = ML_PERFORMANCE_HISTORY.conform(shown)
    if before is None:
        return new
    fresh = new.join(before, on=list(ML_PERFORMANCE_HISTORY.key), how="anti", maintain_order="left")
    return pl.concat([before, fresh])


def interval_columns(interval: Interval) -> dict[str, float | None]:
    """`value`, `low`, `high`, rounded so that the last bits of a sum do not make a new version; NaN becomes null."""
    values = {"value": interval.value, "low": interval.low, "high": interval.high}
    return {name: None if math.isnan(v) else round(v, DECIMALS) for name, v in values.items()}


def sizes(part: pl.DataFrame) -> dict[str, float | int | None]:
    """`n_signals`, `n_stars` and `prevalence` of planets among the resolved."""
    resolved = part.filter(pl.col("disposition") != "CANDIDATE")
    share = (resolved["disposition"] == "CONFIRMED").mean() if resolved.height else None
    return {
        "n_signals": part.height,
        "n_stars": part["star_id"].n_unique(),
        "prevalence": round(float(share), DECIMALS) if isinstance(share, float) else None,
    }


def resolved(predictions: pl.DataFrame) -> pl.DataFrame:
    """Signals whose fate is known, judged by the planet head; `is_planet` added."""
    known = predictions.filter(pl.col("disposition") != "CANDIDATE", pl.col("probability_planet").is_not_null())
    return known.with_columns(is_planet=pl.col("disposition") == "CONFIRMED")


def bin_names(name: str) -> dict[str, tuple[float, float]]:
    """The bins of BINS[name] as populations, in order: name of the population -> its lower and upper edge."""
    edges = BINS[name][1]
    return {f"{name}_{_bin_name(*bounds)}": bounds for bounds in pairwise((-math.inf, *edges, math.inf))}


def _parts(predictions: pl.DataFrame, signals: pl.DataFrame) -> Iterator[tuple[str, str, str, str, pl.DataFrame]]:
    heads = {
        "planet": resolved(predictions),
        "disposition": predictions.filter(pl.col("disposition_confirmed").is_not_null()),
    }
    for head, rows in heads.items():
        for split in SPLITS:
            for inputs in INPUTS[:2]:
                here = rows.filter(inputs=inputs) if split == "unseen" else rows.filter(inputs=inputs, split=split)
                for population in ("overall", *MISSIONS):
                    part = here if population == "overall" else here.filter(mission=population)
                    if part.height and (inputs == INPUTS[0] or population in ("overall", *PIPELINE_BLOCK)):
                        yield head, population, split, inputs, part
    yield from _with_light_curve(heads["planet"])
    binned = heads["planet"].filter(inputs="as_archived")
    columns = signals.select("signal_id", *(column for column, _ in BINS.values()))
    binned = binned.join(columns, on="signal_id", how="left", maintain_order="left")
    for name, (column, _) in BINS.items():
        for population, (low, high) in bin_names(name).items():
            part = binned.filter(pl.col(column).is_between(low, high, closed="left"))
            if part.height:
                yield "planet", population, "unseen", "as_archived", part


def _with_light_curve(rows: pl.DataFrame) -> Iterator[tuple[str, str, str, str, pl.DataFrame]]:
    """Signals whose light curve the model sees, judged with it and without; `bare` beside it gives the gain."""
    without = rows.filter(inputs="without_light_curves")
    if min(without["is_planet"].sum(), without.height - without["is_planet"].sum()) < LEAST_WITH_CURVE:
        return
    bare = without.select("signal_id", bare="probability_planet")
    seen = rows.filter(inputs="as_archived").join(bare, on="signal_id", how="inner", maintain_order="left")
    for split in ("test", "unseen"):
        for inputs, part in (("as_archived", seen), ("without_light_curves", without)):
            here = part if split == "unseen" else part.filter(split=split)
            if here.height:
                yield "planet", "with_light_curve", split, inputs, here


def _bin_name(low: float, high: float) -> str:
    if math.isinf(low):
        return f"below_{high:g}"
    return f"{low:g}_and_above" if math.isinf(high) else f"{low:g}_to_{high:g}"


def _figures(head: str, part: pl.DataFrame, seed: int) -> dict[str, Interval]:
    stars = part["star_id"].to_numpy()
    if head == "planet":
        truth, score = part["is_planet"].to_numpy(), part["probability_planet"].to_numpy()
        found = bootstrap_by_star(stars, lambda w: binary_metrics(truth, score, w), seed=seed)
        if part["prediction_set"].null_count() == 0:
            sets = part["prediction_set"].to_numpy()
            found |= bootstrap_by_star(stars, lambda w: set_metrics(truth, sets, w), seed=seed)
        if "bare" not in part.columns:
            return found
        bare = part["bare"].to_numpy()
        gain = paired_difference(
            stars, lambda w: binary_metrics(truth, score, w), lambda w: binary_metrics(truth, bare, w), seed=seed
        )
        return found | {f"{name}_gain": interval for name, interval in gain.items()}
    label = part["disposition"].replace_strict({d: i for i, d in enumerate(DISPOSITIONS)}, return_dtype=pl.Int64)
    table = part.select("disposition_confirmed", "disposition_candidate", "disposition_false_positive").to_numpy()
    codes = label.to_numpy().astype(np.int64)
    return bootstrap_by_star(stars, lambda w: multiclass_metrics(codes, table, w), seed=seed)
