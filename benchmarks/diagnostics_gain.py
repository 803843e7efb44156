"""What diagnostics of light curves add to the vetter's other features, on real Kepler stars with labels.

Signals are resolved KOIs whose star has a curve in a Parquet file of arrays: `kepid`, `time` (BKJD, ascending) and
`flux` (flattened, about zero), a star a row. Every KOI is fitted and diagnosed from its catalogued ephemeris. Then one
plain LightGBM (that of `vetter_folds.py`) is trained on several sets of features, on the same star-grouped folds,
several times over, and the sets are compared in pairs, with intervals by star. Last comes the vetter's own recipe,
taught all resolved KOIs: the same model with the light curve and without it.

"Taught by all" is no fair test of probabilities: a plain model takes having a curve for a sign of planets, for more of
the hosts in the file have one confirmed. The recipe shows curves of both classes alike.

Read the figures with the data in mind: bins of 72 minutes are wide for most transits (shapes and single transits are
blurred), a few months hold little of most signals, the curves came flat (SWEET sees what was left), without centroids,
and stars were not chosen at random.

    python -m benchmarks.diagnostics_gain --lake .exo/lake --curves <folder or file> [--csv out.csv]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.vetter_folds import PARAMETERS
from exo_assets.evaluation.bootstrap import Interval, Metrics, bootstrap_by_star, paired_difference
from exo_assets.evaluation.forward import quick
from exo_assets.evaluation.metrics import binary_metrics
from exo_assets.features.diagnostics import COLUMNS, as_row, diagnose
from exo_assets.features.from_light_curves import CURVE_NAMES, PREFIX
from exo_assets.features.registry import FEATURES
from exo_assets.features.tabular import build_features, count_signals
from exo_assets.lightcurves.buckets import bucket_of
from exo_assets.lightcurves.clean import CleanCurve
from exo_assets.lightcurves.detrend import pieces, point_to_point_sigma, robust_sigma
from exo_assets.lightcurves.planning import UNKNOWN, KnownStar, known_stars
from exo_assets.lightcurves.trapezoid import FitError, fit
from exo_assets.training.augmentation import hide_block
from exo_assets.training.settings import TrainingSettings
from exo_assets.training.splits import assign_folds
from exo_assets.training.vetter_training import NO_CURVE, train_vetter
from exo_resources.lake import Lake

Array = npt.NDArray[np.float64]
BKJD_ZERO = 2_454_833.0
EDGE_DAYS = 0.5
FOLDS, REPEATS, ROUNDS = 5, 5, 250
CURVES = "kepler_flat_binned.parquet"
HIDDEN, ALL = "_hidden", ", taught by all"
SHOWN = ("roc_auc", "average_precision", "log_loss")
LEAST_SNR = 7.1

OURS, EVERY = CURVE_NAMES, tuple(PREFIX + c.name for c in COLUMNS)
"""The diagnostics that are features of the vetter, and all."""
TABULAR = tuple(f.name for f in FEATURES if not f.categorical and f.name not in OURS)
PLAIN = tuple(f.name for f in FEATURES if f.name in TABULAR and f.group != "diagnostics")
SHAPE = ("log_period", "log_duration", "log_depth")
SETS: dict[str, tuple[bool, tuple[str, ...]]] = {
    "a catalogue": (True, PLAIN),
    "b catalogue + ours": (True, (*PLAIN, *OURS)),
    "c ours + period, duration, depth": (True, (*SHAPE, *OURS)),
    "f catalogue + every diagnostic": (True, (*PLAIN, *EVERY)),
    "d catalogue + DR25": (False, TABULAR),
    "e catalogue + DR25 + ours": (False, (*TABULAR, *OURS)),
}
"""Name -> (whether the archive's DR25 columns are hidden, features)."""
PAIRS = (
    ("b catalogue + ours", "a catalogue"),
    ("f catalogue + every diagnostic", "a catalogue"),
    ("e catalogue + DR25 + ours", "d catalogue + DR25"),
)


def curve_of(row: Mapping[str, Any]) -> CleanCurve:
    """The clean curve in a row of the file: it came flat, so its trend is one."""
    time, flux = np.asarray(row["time"], dtype=np.float64), np.asarray(row["flux"], dtype=np.float64)
    noise = max(point_to_point_sigma(flux), robust_sigma(flux), 1e-9)
    keep = np.isfinite(time) & np.isfinite(flux) & (flux < 4 * noise)
    time, flux = time[keep] + BKJD_ZERO, flux[keep] + 1
    noise = max(point_to_point_sigma(flux), robust_sigma(flux), 1e-9)
    unknown, no = np.full(time.size, np.nan), np.zeros(time.size, dtype=bool)
    edge = no.copy()
    for piece in pieces(time):
        t = time[piece]
        edge[piece] = (t - t[0] < EDGE_DAYS) | (t[-1] - t < EDGE_DAYS)
    return CleanCurve(
        target=f"KIC {row['kepid']}",
        mission="kepler",
        flux_kind="flat",
        time_bjd=time,
        flux=flux,
        flux_err=np.full(time.size, noise),
        trend=np.ones(time.size),
        segment=np.zeros(time.size, dtype=np.int32),
        column=unknown,
        row=unknown,
        is_edge=edge,
        is_near_dump=no,
        is_scattered=no,
        n_unusable=0,
        n_outliers=int((~keep).sum()),
        cdpp_ppm=(),
    )


def measured(curves: pl.DataFrame, stars: Mapping[str, KnownStar]) -> Iterator[dict[str, Any]]:
    """`signal_id` and the diagnostics of every signal whose transits have data."""
    for row in curves.iter_rows(named=True):
        curve = curve_of(row)
        star = stars.get(curve.target, UNKNOWN)
        for signal in star.signals:
            others = [s.place for s in star.signals if s is not signal and s.is_placed]
            try:
                transit = fit(curve.time_bjd, curve.flux, curve.flux_err, signal.place)
                found = diagnose(curve, transit, others=others, density_sun=star.density_sun)
            except (FitError, ValueError):
                continue
            yield {"signal_id": signal.signal_id, **{PREFIX + name: v for name, v in as_row(found).items()}}


def diagnosed(curves: pl.DataFrame, signals: pl.DataFrame) -> pl.DataFrame:
    """The diagnostics of the catalogue's signals on stars that have a curve."""
    stars: dict[str, KnownStar] = {}
    for bucket in sorted({bucket_of(f"KIC {kepid}") for kepid in curves["kepid"]}):
        stars |= known_stars(signals, bucket)
    schema = {"signal_id": pl.String, **dict.fromkeys(EVERY, pl.Float64)}
    return pl.DataFrame(list(measured(curves, stars)), schema=schema)


def table(lake: Lake, curves: pl.DataFrame) -> pl.DataFrame:
    """Every resolved KOI: label, star, features with and without DR25 (`_hidden`), diagnostics where `measured`."""
    signals = lake.read("core_signals").filter(mission="kepler").sort("signal_id")
    counts = count_signals(signals)
    mine = diagnosed(curves, signals)
    full, hidden = (build_features(s, counts).select("signal_id", *TABULAR) for s in (signals, hide_block(signals)))
    return (
        signals.select("signal_id", "star_id", is_planet=pl.col("disposition") == "CONFIRMED")
        .filter(signals["disposition"].is_in(["CONFIRMED", "FALSE POSITIVE"]))
        .join(full, on="signal_id", how="left", maintain_order="left")
        .join(hidden, on="signal_id", how="left", maintain_order="left", suffix=HIDDEN)
        .join(mine, on="signal_id", how="left", maintain_order="left")
        .with_columns(measured=pl.col("signal_id").is_in(mine["signal_id"].implode()))
    )


def folds(stars: npt.NDArray[np.str_], seed: int) -> npt.NDArray[np.int64]:
    """A fold for each signal, the same for all of a star's."""
    names, code = np.unique(stars, return_inverse=True)
    return np.asarray(np.random.default_rng(seed).permutation(names.size)[code] % FOLDS)


def predicted(x: Array, y: Array, fold: npt.NDArray[np.int64], judged: npt.NDArray[np.bool_], seed: int) -> Array:
    """Out-of-fold probabilities of the judged rows."""
    import lightgbm

    out = np.empty(len(y))
    parameters = {**PARAMETERS, "seed": seed, "num_threads": 1, "deterministic": True, "force_col_wise": True}
    for f in range(FOLDS):
        held = (fold == f) & judged
        data = lightgbm.Dataset(x[fold != f], y[fold != f], params={"verbosity": -1})
        out[held] = lightgbm.train(parameters, data, ROUNDS).predict(x[held])
    return out[judged]


def judgements(rows: pl.DataFrame, repeats: int) -> dict[str, list[Array]]:
    """For each set of features the probabilities of the measured signals, once a repeat.

    Taught are the measured signals of the other folds; with the suffix ALL every resolved KOI of those stars' folds.
    """
    y, measured = rows["is_planet"].to_numpy().astype(float), rows["measured"].to_numpy()
    out: dict[str, list[Array]] = {}
    for taught, where in (("", measured), (ALL, np.ones(len(y), dtype=bool))):
        for name, (is_hidden, features) in SETS.items():
            if taught and name[0] in "cf":
                continue
            columns = [f + HIDDEN if is_hidden and f in TABULAR else f for f in features]
            x = rows.filter(where).select(columns).to_numpy()
            stars = rows.filter(where)["star_id"].to_numpy().astype(str)
            out[name + taught] = [
                predicted(x, y[where], folds(stars, seed), measured[where], seed) for seed in range(repeats)
            ]
    return out


def figures(rows: pl.DataFrame, found: Mapping[str, list[Array]]) -> Iterator[dict[str, object]]:
    """A row per population, set and figure: the mean over repeats with its interval; then the differences."""
    judged = rows.filter("measured")
    strong = (judged["lc_snr_white"] > LEAST_SNR).fill_null(False).to_numpy()
    for population, chosen in (("all", np.ones(judged.height, dtype=bool)), (f"SNR > {LEAST_SNR}", strong)):
        truth = judged["is_planet"].to_numpy()[chosen]
        stars = judged["star_id"].to_numpy()[chosen]
        size = {"population": population, "signals": int(chosen.sum()), "planets": int(truth.sum())}
        metric = {name: _mean_of(truth, [p[chosen] for p in ps]) for name, ps in found.items()}
        for name in found:
            yield from _rows(size, name, bootstrap_by_star(stars, metric[name], seed=0))
        for first, second in PAIRS:
            for taught in ("", ALL):
                if first + taught not in found:
                    continue
                gain = paired_difference(stars, metric[first + taught], metric[second + taught], seed=0)
                yield from _rows(size, f"{first[0]} - {second[0]}{taught}", gain)


def by_recipe(lake: Lake, rows: pl.DataFrame, *, is_hidden: bool) -> pl.DataFrame:
    """The vetter's out-of-fold probabilities of the measured signals, with light curves and without (`bare`).

    `is_hidden`: the archive's DR25 columns are, as they are for every other mission.
    """
    signals = lake.read("core_signals").filter(mission="kepler")
    counts = count_signals(signals)
    signals = hide_block(signals) if is_hidden else signals
    curves = rows.filter("measured").select("signal_id", "lc_snr_white", *OURS)
    taught = signals.join(rows, on="signal_id", how="semi").join(curves, on="signal_id", how="left")
    taught = taught.join(assign_folds(taught, FOLDS), on="star_id")
    plan = replace(quick(TrainingSettings()), folds=FOLDS, other_missions=(0.0,))
    found = train_vetter(taught, plan, counts).out_of_fold
    bare = found.filter(layout=NO_CURVE).select("signal_id", bare="probability_planet")
    return found.filter("as_archived").join(bare, on="signal_id").join(taught, on="signal_id")


def recipe_figures(name: str, judged: pl.DataFrame) -> Iterator[dict[str, object]]:
    """As `figures`, of `by_recipe`."""
    strong = judged.filter(pl.col("lc_snr_white") > LEAST_SNR)
    for population, part in (("all", judged), (f"SNR > {LEAST_SNR}", strong)):
        truth, stars = (part["label"] == "CONFIRMED").to_numpy(), part["star_id"].to_numpy()
        size = {"population": population, "signals": part.height, "planets": int(truth.sum())}
        seen, bare = (_mean_of(truth, [part[p].to_numpy()]) for p in ("probability_planet", "bare"))
        yield from _rows(size, f"{name} without light curves", bootstrap_by_star(stars, bare, seed=0))
        yield from _rows(size, name, bootstrap_by_star(stars, seen, seed=0))
        yield from _rows(size, f"gain of {name}", paired_difference(stars, seen, bare, seed=0))


def _mean_of(truth: npt.NDArray[np.bool_], repeats: list[Array]) -> Metrics:
    def mean(weights: Array) -> dict[str, Array]:
        each = [binary_metrics(truth, p, weights) for p in repeats]
        return {name: np.mean([one[name] for one in each], axis=0) for name in SHOWN}

    return mean


def _rows(size: Mapping[str, object], name: str, found: Mapping[str, Interval]) -> Iterator[dict[str, object]]:
    for metric in SHOWN:
        i = found[metric]
        yield {**size, "features": name, "metric": metric, "value": i.value, "low": i.low, "high": i.high}


def main() -> None:
    """Print the table; write it when asked to."""
    parser = argparse.ArgumentParser(description="What light-curve diagnostics add to the vetter's other features.")
    parser.add_argument("--lake", required=True, help="a finished lake")
    parser.add_argument("--curves", required=True, type=Path, help=f"the Parquet file, or the folder of {CURVES}")
    parser.add_argument("--csv", type=Path, help="write the table there too")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    given = parser.parse_args()
    path = given.curves / CURVES if given.curves.is_dir() else given.curves
    curves = pl.read_parquet(path, columns=["kepid", "time", "flux"])
    lake = Lake(given.lake)
    rows = table(lake, curves)
    judged = [
        row
        for name, is_hidden in (("vetter", False), ("vetter without DR25", True))
        for row in recipe_figures(name, by_recipe(lake, rows, is_hidden=is_hidden))
    ]
    found = [*figures(rows, judgements(rows, given.repeats)), *judged]
    out = pl.DataFrame(found)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=200, fmt_str_lengths=60, float_precision=4):
        print(out)
    if given.csv:
        out.write_csv(given.csv, float_precision=5)


if __name__ == "__main__":
    main()
