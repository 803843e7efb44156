"""What is logged beside a trained vetter: figures and pictures of its out-of-fold predictions.

Belongs here: turning predictions into flat metrics and PNG files. Does not belong here: where they are logged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from exo_assets.catalogs.contracts import DISPOSITIONS, MISSIONS
from exo_assets.features.transformer import PIPELINE_BLOCK
from exo_assets.training.neural import Epoch
from exo_assets.training.vetter import DISPOSITION_COLUMNS, LAYOUTS, Vetter
from exo_assets.training.vetter_training import Trained

EXPLAINED = 1500
"""Signals that the summary of contributions is drawn from."""


def metrics(out_of_fold: pl.DataFrame) -> dict[str, float]:
    """`oof_<mission>_<layout>_<figure>` for each mission and layout with both classes; undefined figures are absent."""
    from exo_assets.evaluation.metrics import binary_metrics, multiclass_metrics, point

    out: dict[str, float] = {}
    for name, rows in _parts(out_of_fold):
        decided = rows.filter(pl.col("label") != "CANDIDATE")
        truth = (decided["label"] == "CONFIRMED").to_numpy().astype(int)
        if len(np.unique(truth)) == 2:
            found = point(binary_metrics(truth, decided["probability_planet"].to_numpy()))
            out |= {f"oof_{name}_{k}": v for k, v in found.items()}
        label = rows["label"].replace_strict({d: i for i, d in enumerate(DISPOSITIONS)}, return_dtype=pl.Int64)
        if label.n_unique() == len(DISPOSITIONS):
            three = point(multiclass_metrics(label.to_numpy(), rows.select(DISPOSITION_COLUMNS).to_numpy()))
            out |= {f"oof_{name}_three_{k}": v for k, v in three.items()}
    return {k: v for k, v in out.items() if np.isfinite(v)}


def series(epochs: Iterable[Epoch]) -> list[tuple[str, float, int]]:
    """Name, value and step of each figure of each epoch of the networks."""
    return [
        (f"network_{epoch.job}_{figure}", float(getattr(epoch, figure)), epoch.epoch)
        for epoch in epochs
        for figure in ("loss", "validation_loss", "ap", "samples_per_s")
    ]


def _parts(out_of_fold: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    yield "all_as_archived", out_of_fold.filter("as_archived")
    for mission in MISSIONS:
        mine = out_of_fold.filter(mission=mission)
        yield f"{mission}_as_archived", mine.filter("as_archived")
        if mission in PIPELINE_BLOCK:
            for layout in LAYOUTS:
                yield f"{mission}_{layout}", mine.filter(layout=layout)


def plots(trained: Trained, vetter: Vetter, signals: pl.DataFrame, star_counts: pl.DataFrame) -> dict[str, bytes]:
    """PNG files by name: ranking curves, reliability, confusion, and the mean contributions of the features."""
    from exo_assets.evaluation import plots as draw

    rows = trained.out_of_fold.filter("as_archived").rename({"label": "disposition"})
    # Spread over the table and the same every time, so that the picture does not depend on a draw.
    some = signals.gather_every(max(1, signals.height // EXPLAINED))
    contributions = vetter.contributions(some, star_counts)[:, :-1]
    return {
        "precision_recall_and_roc.png": draw.ranking(rows),
        "reliability.png": draw.calibration(rows),
        "confusion.png": draw.confusion(rows),
        "contributions.png": draw.importance(contributions, vetter.contributing),
    }
