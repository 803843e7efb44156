"""Pictures of a candidate's predictions, as PNG for the asset metadata.

Belongs here: drawing. Does not belong here: computing what is drawn, and figures with intervals (interval_plots.py).
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.catalogs.contracts import DISPOSITIONS, MISSIONS, RESOLVED
from exo_assets.evaluation.metrics import curves, reliability
from exo_assets.evaluation.report import resolved

_SHORT = ("confirmed", "candidate", "false pos.")


def ranking(predictions: pl.DataFrame) -> bytes:
    """Precision against recall, and ROC, per mission and overall, of one set of predictions."""
    figure, (left, right) = grid(2)
    for name, part in _populations(resolved(predictions)):
        shape = curves(part["is_planet"].to_numpy(), part["probability_planet"].to_numpy())
        left.plot(shape["recall"], shape["precision"], label=f"{name} ({part.height})")
        right.plot(shape["false_positive_rate"], shape["recall"], label=name)
    left.set(xlabel="recall", ylabel="precision", title="planet against false positive", xlim=(0, 1), ylim=(0, 1.02))
    right.set(xlabel="false positive rate", ylabel="recall", title="ROC", xlim=(0, 1), ylim=(0, 1.02))
    left.legend(fontsize=8)
    return as_png(figure)


def calibration(predictions: pl.DataFrame) -> bytes:
    """Reliability diagram (equal-width bins) and the distribution of probabilities."""
    figure, (left, right) = grid(2)
    left.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    for name, part in _populations(resolved(predictions)):
        diagram = reliability(part["is_planet"].to_numpy(), part["probability_planet"].to_numpy())
        left.plot(diagram["predicted"], diagram["observed"], marker="o", markersize=3, label=name)
        right.hist(part["probability_planet"].to_numpy(), bins=30, range=(0, 1), histtype="step", label=name)
    left.set(xlabel="probability given", ylabel="share that are planets", title="reliability")
    right.set(xlabel="probability given", ylabel="signals", title="distribution", yscale="log")
    left.legend(fontsize=8)
    return as_png(figure)


def confusion(predictions: pl.DataFrame) -> bytes:
    """Archive's disposition against the most probable one, row shares and counts."""
    columns = ["disposition_confirmed", "disposition_candidate", "disposition_false_positive"]
    known = predictions.drop_nulls(columns)
    guess = known.select(columns).to_numpy().argmax(axis=1)
    truth = known["disposition"].replace_strict({d: i for i, d in enumerate(DISPOSITIONS)}, return_dtype=pl.Int64)
    table = np.zeros((3, 3), dtype=int)
    np.add.at(table, (truth.to_numpy(), guess), 1)
    figure, (axis,) = grid(1)
    axis.imshow(table / np.maximum(table.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(table):
        axis.text(column, row, str(count), ha="center", va="center")
    axis.set(xticks=range(3), yticks=range(3), xticklabels=_SHORT, yticklabels=_SHORT)
    axis.set(xlabel="most probable", ylabel="archive", title="three dispositions")
    return as_png(figure)


def importance(contributions: npt.NDArray[np.float64], names: tuple[str, ...], top: int = 20) -> bytes:
    """Mean absolute contribution of the strongest features; `contributions` without the expected value."""
    strength = np.abs(contributions).mean(axis=0)
    order = np.argsort(strength)[-top:]
    figure, (axis,) = grid(1, height=5.0)
    axis.barh([names[i] for i in order], strength[order])
    axis.set(xlabel="mean |contribution|, log-odds", title="what moves the probability")
    axis.tick_params(axis="y", labelsize=7)
    return as_png(figure)


def forward(judged: pl.DataFrame) -> bytes:
    """Probability of then, of signals that were candidates then, by what they turned out to be."""
    figure, (axis,) = grid(1)
    for disposition in RESOLVED:
        part = judged.filter(disposition=disposition)["probability_planet"].to_numpy()
        axis.hist(part, bins=25, range=(0, 1), histtype="step", label=f"{disposition.lower()} since ({len(part)})")
    axis.set(xlabel="probability given then", ylabel="candidates of then", title="forward in time")
    axis.legend(fontsize=8)
    return as_png(figure)


def _populations(rows: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    parts = [("overall", rows), *((m, rows.filter(mission=m)) for m in MISSIONS)]
    return [(name, part) for name, part in parts if part["is_planet"].n_unique() == 2]


def grid(count: int, height: float = 3.6) -> tuple[Any, tuple[Any, ...]]:
    """A figure of `count` axes side by side, `height` inches high, and the axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4 * count, height), layout="constrained")
    axes = figure.subplots(1, count, squeeze=False)
    return figure, tuple(axes[0])


def as_png(figure: Any) -> bytes:
    """The figure's bytes, 80 dots per inch."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=80)
    return out.getvalue()
