"""Which network: sizes, layers and branches, on the same star-grouped folds of the training stars.

Every variant is trained once a fold and seed, out of fold, on the tables of a finished lake; its log-odds are made
probabilities by Platt's map across the folds. The signals with views are judged with them and without, too. A figure is
the mean over the seeds; differences are to the first variant, paired by star and seed, with the least and the largest
of a seed beside the interval over stars. Nothing is looked at but training stars.

    python -m benchmarks.neural_ablation --lake .exo/lake [--csv out.csv] [--seeds 3] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl

from exo_assets.evaluation.bootstrap import bootstrap_by_star, paired_difference
from exo_assets.evaluation.metrics import binary_metrics
from exo_assets.features.from_light_curves import with_diagnostics
from exo_assets.features.seen_views import BRANCHES, view_rows
from exo_assets.features.tabular import count_signals
from exo_assets.features.view_arrays import SIMULATED_ROOT
from exo_assets.training.calibration import Calibrator
from exo_assets.training.network_training import jobs_of, serial_jobs
from exo_assets.training.neural import NeuralData, NeuralSettings
from exo_assets.training.neural_inputs import neural_data
from exo_assets.training.settings import TrainingSettings
from exo_assets.training.simulated_rows import with_simulated
from exo_assets.training.vetter_training import NO_CURVE, Data, prepare
from exo_resources.lake import Lake
from exo_resources.signal_views import SignalViews

SHOWN = ("roc_auc", "average_precision", "log_loss")
AS_IT_IS = NeuralSettings()
VARIANTS: Mapping[str, NeuralSettings] = {
    "as it is": AS_IT_IS,
    "one layer": replace(AS_IT_IS, layers=1),
    "three layers": replace(AS_IT_IS, layers=3),
    "half as wide": replace(AS_IT_IS, hidden=128, fused=32),
    "twice as wide": replace(AS_IT_IS, hidden=512, fused=128),
    "dropout 0.3": replace(AS_IT_IS, dropout=0.3),
    "no dropout": replace(AS_IT_IS, dropout=0.0),
    "classes weigh the same": replace(AS_IT_IS, balance="weights"),
    "simulated signals": replace(AS_IT_IS, simulated=0.1),
    "simulated weigh 0.3": replace(AS_IT_IS, simulated=0.3),
    "branches hidden half of the time": replace(AS_IT_IS, hide_branch=0.5),
    "three members": replace(AS_IT_IS, members=3),
    "more channels": replace(AS_IT_IS, channels=(16, 32), embedding=16),
    "fewer channels": replace(AS_IT_IS, channels=(4, 8), embedding=4),
    "no augmentation of views": replace(AS_IT_IS, noise=0.0, shift=0.0, stretch=0.0, flip=False, hide_branch=0.0),
    **{f"without the branch {b}": replace(AS_IT_IS, branches=tuple(o for o in BRANCHES if o != b)) for b in BRANCHES},
}


@dataclass(frozen=True)
class Told:
    """The labelled training signals of a lake, and what a network learns from: measured, and simulated beside."""

    rows: pl.DataFrame
    data: Data
    measured: NeuralData
    index: pl.DataFrame
    simulated: Mapping[str, np.ndarray]

    def of(self, settings: NeuralSettings) -> NeuralData:
        """What a variant is told."""
        return with_simulated(self.measured, self.rows, self.index, self.simulated, settings.simulated)


def table(lake: Lake) -> Told:
    """What is in a finished lake."""
    core = lake.read("core_signals")
    folds = lake.read("ml_training_set").filter(split="train").select("signal_id", "fold")
    rows = with_diagnostics(core, lake.read("feat_signal_diagnostics")).join(folds, on="signal_id").sort("signal_id")
    transformer, data = prepare(rows, count_signals(core), TrainingSettings())
    index, simulated, views = lake.read("feat_view_index"), lake.read("feat_simulated_index"), SignalViews(lake)
    seen = neural_data(rows, data, transformer.curves_of, view_rows(rows, index), views.arrays(index))
    return Told(rows, data, seen, simulated, views.arrays(simulated, SIMULATED_ROOT))


def odds_of(told: NeuralData, settings: NeuralSettings, seed: int) -> dict[str, np.ndarray]:
    """Out-of-fold log-odds by layout."""
    folds = [int(f) for f in np.unique(told.fold)]
    jobs = [job for job in jobs_of(settings, folds, seed) if job.holdout is not None]
    out = {layout: np.zeros(len(x)) for layout, x in told.judged.items()}
    for fit in serial_jobs(told, settings, jobs):
        for layout, logits in fit.logits.items():
            out[layout][fit.rows] += (logits[:, 0] - logits[:, 2]) / settings.members
    return out


Found = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""By population: which signals are in it, and their probabilities of a planet."""


def probabilities(told: Told, odds: Mapping[str, np.ndarray]) -> Found:
    """Of one training."""
    data, seen = told.data, told.measured.view >= 0
    resolved, full = data.label != 1, odds["full"]
    parts = {m: (resolved & (data.mission == m), full) for m in np.unique(data.mission)}
    parts |= {"kepler without DR25": (resolved & (data.mission == "kepler"), odds["basic"])}
    if seen.any():
        parts |= {
            "with views": (resolved & seen, full),
            "the same without views": (resolved & seen, odds[NO_CURVE]),
            "with views, without DR25": (resolved & seen, odds["basic"]),
        }
    out = {}
    for population, (here, score) in parts.items():
        truth, fold = (data.label[here] == 0).astype(float), data.fold[here]
        probability = np.empty(len(truth))
        for f in np.unique(fold):
            map_ = Calibrator.fit("platt", score[here][fold != f], truth[fold != f])
            probability[fold == f] = map_(score[here][fold == f])
        out[str(population)] = (here, probability)
    return out


def mean_metrics(truth: np.ndarray, trained: Sequence[np.ndarray], weights: np.ndarray) -> dict[str, np.ndarray]:
    """Figures of a variant: the means over its trainings, a vector of probabilities each."""
    each = [binary_metrics(truth, probability, weights) for probability in trained]
    return {metric: np.mean([one[metric] for one in each], axis=0) for metric in SHOWN}


def figures(told: Told, found: Sequence[Found], first: Sequence[Found]) -> Iterator[dict[str, object]]:
    """A row per population and figure, of trainings by seed; `less` is the difference to the first variant."""
    stars = told.rows["star_id"].to_numpy()
    for population, (here, _) in found[0].items():
        truth = (told.data.label[here] == 0).astype(float)
        trained = [[one[population][1] for one in variant] for variant in (found, first)]
        now, before = (partial(mean_metrics, truth, t) for t in trained)
        intervals = bootstrap_by_star(stars[here], now, seed=0)
        differences = paired_difference(stars[here], now, before, seed=0)
        by_seed = [
            {m: float(a[m][0] - b[m][0]) for m in SHOWN}
            for a, b in zip(
                *([mean_metrics(truth, [p], np.ones((1, len(truth)))) for p in t] for t in trained), strict=True
            )
        ]
        for metric in SHOWN:
            value, less = intervals[metric], differences[metric]
            yield {
                "seeds": len(found),
                "population": population,
                "n": len(truth),
                "metric": metric,
                **{"value": value.value, "low": value.low, "high": value.high},
                **{"less": less.value, "less_low": less.low, "less_high": less.high},
                "less_least": min(seed[metric] for seed in by_seed),
                "less_most": max(seed[metric] for seed in by_seed),
            }


def _compared(
    told: Told, trained: Iterable[tuple[str, Sequence[tuple[dict[str, np.ndarray], int]]]], csv: Path | None
) -> Iterator[dict[str, object]]:
    """The figures of each variant as it comes, told of and written at once."""
    done: list[dict[str, object]] = []
    first: list[Found] = []
    for name, seeds in trained:
        found, seconds = [probabilities(told, odds) for odds, _ in seeds], sum(s for _, s in seeds)
        first = first or found
        new = [{"variant": name, "cpu_s": seconds, **row} for row in figures(told, found, first)]
        done += new
        shown = next(row for row in new if row["population"] == "kepler" and row["metric"] == "average_precision")
        print(f"{name}: {seconds} s, Kepler AP {shown['value']:.4f}, less the first {shown['less']:+.4f}", flush=True)
        if csv:
            pl.DataFrame(done).write_csv(csv, float_precision=5)
        yield from new


_LAKE: list[Told] = []
"""What a process of the pool has opened."""


def _opened(lake: str) -> None:
    import torch

    torch.set_num_threads(1)
    _LAKE[:] = [table(Lake(lake))]


def _trained(name: str, seed: int) -> tuple[dict[str, np.ndarray], int]:
    began = time.process_time()
    odds = odds_of(_LAKE[0].of(VARIANTS[name]), VARIANTS[name], TrainingSettings().seed + seed)
    return odds, round(time.process_time() - began)


def main() -> None:
    """Print the table; write it when asked to."""
    parser = argparse.ArgumentParser(description="Sizes, layers and branches of the network, side by side.")
    parser.add_argument("--lake", required=True, help="a finished lake")
    parser.add_argument("--csv", type=Path, help="write the table there too")
    parser.add_argument("--at-once", type=int, default=2, help="variants trained side by side, a processor each")
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), help="these variants alone")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each variant")
    given = parser.parse_args()
    told = table(Lake(given.lake))
    names = given.only or list(VARIANTS)
    # A forked process would wait for ever for threads that it does not have.
    new = get_context("spawn")
    with ProcessPoolExecutor(given.at_once, new, initializer=_opened, initargs=(given.lake,)) as pool:
        n = given.seeds
        each = pool.map(_trained, [name for name in names for _ in range(n)], list(range(n)) * len(names))
        done = list(_compared(told, ((name, list(islice(each, n))) for name in names), given.csv))
    out = pl.DataFrame(done)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=200, fmt_str_lengths=60, float_precision=4):
        print(out.pivot(on="metric", index=["variant", "cpu_s", "population", "n"], values="value"))


if __name__ == "__main__":
    main()
