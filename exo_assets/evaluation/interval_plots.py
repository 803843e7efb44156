"""Pictures of figures with their intervals, from the tables in which they are published.

Belongs here: drawing rows of `ml_vetter_parts`, `ml_continual_learning` and `ml_event_metrics`. Does not belong here:
computing what is drawn, and pictures of predictions (plots.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.evaluation.plots import as_png, grid
from exo_assets.evaluation.published import Published
from exo_assets.evaluation.reliability import BY, METRIC
from exo_assets.evaluation.report import bin_names

MODELS = ("features", "network", "blend")
DIFFERENCES = ("blend - features", "blend - network")
_COLOURS = ("tab:blue", "tab:orange", "tab:green")
_UNITS = {"snr": "SNR", "period": "period, d"}
_ROW_INCHES = 0.42


def reliability_by_bin(parts: pl.DataFrame) -> bytes | None:
    """Share of planets less the mean probability, by SNR and by period, a panel per model and a colour per mission.

    The count of each bin stands at its right. None when `ml_vetter_parts` has no such rows.
    """
    rows = parts.filter(metric=METRIC)
    if rows.is_empty():
        return None
    bins = {name: bin_names(name) for name in BY}
    missions = [m for m in MISSIONS if rows["population"].str.starts_with(f"{m}_").any()]
    lines = sum(len(b) for b in bins.values())
    figure, axes = grid(len(MODELS), height=1.2 + 1.4 * _ROW_INCHES * lines)
    labels = {p: f"{_UNITS[name]}\n{_words(*edges)}" for name, b in bins.items() for p, edges in b.items()}
    for model, axis in zip(MODELS, axes, strict=True):
        series = {
            m: {labels[p]: r for p in labels if (r := _row(rows, model=model, population=f"{m}_{p}"))} for m in missions
        }
        dots(axis, list(labels.values()), series)
        _counts(axis, list(labels.values()), series)
        axis.axhline(len(bins[BY[0]]) - 0.5, color="grey", linewidth=0.6)
        axis.axvline(0, color="black", linewidth=0.8)
        axis.set(title=model, xlabel="share of planets less mean probability")
    _one_scale(axes, room=0.22)
    for axis in axes[1:]:
        axis.set_yticklabels([])
    _legend(figure, axes[0], "every unseen signal; at the right how many are in the bin; 95 % (Wilson)")
    return as_png(figure)


def differences(parts: pl.DataFrame) -> bytes | None:
    """The blend less each of its parts, in pairs on the same unseen signals, a panel per figure.

    None when `ml_vetter_parts` has no such rows.
    """
    rows = parts.filter(pl.col("model").is_in(DIFFERENCES), split="unseen")
    if rows.is_empty():
        return None
    metrics = rows["metric"].unique(maintain_order=True).to_list()
    sizes = {r["population"]: r["n_signals"] for r in rows.iter_rows(named=True)}
    labels = {p: f"{p}\n{n:,}" for p, n in sizes.items()}
    figure, axes = grid(len(metrics), height=1.3 + 1.4 * _ROW_INCHES * len(labels))
    figure.set_figwidth(2.7 * len(metrics))
    for metric, axis in zip(metrics, axes, strict=True):
        series = {
            name: {labels[p]: r for p in labels if (r := _row(rows, model=name, population=p, metric=metric))}
            for name in DIFFERENCES
        }
        dots(axis, list(labels.values()), series)
        axis.axvline(0, color="black", linewidth=0.8)
        better = "below" if metric in ("log_loss", "ece") else "above"
        axis.set(title=metric.replace("_", " "), xlabel=f"{better} 0: the blend is better")
        axis.locator_params(axis="x", nbins=4)
    for axis in axes[1:]:
        axis.set_yticklabels([])
    _legend(figure, axes[0], "unseen signals, paired, 95 % by star")
    return as_png(figure)


def continual(learnt: pl.DataFrame) -> bytes:
    """Accuracy on the old and on the new mission by way of learning, from `ml_continual_learning`."""
    rows = learnt.filter(metric="accuracy")
    ways = rows["way"].unique(maintain_order=True).to_list()
    figure, axes = grid(2, height=1.2 + _ROW_INCHES * len(ways))
    for role, axis, colour in zip(("old", "new"), axes, _COLOURS, strict=False):
        part = rows.filter(role=role)
        mission, count = part["mission"][0], part["n_signals"][0]
        series = {role: {r["way"]: r for r in part.iter_rows(named=True)}}
        dots(axis, ways, series, colours=(colour,))
        best = max(r["value"] for r in series[role].values())
        axis.axvline(best, color="grey", linewidth=0.8, linestyle=":")  # the best way
        axis.set(title=f"{role} mission: {mission}, {count:,} test signals", xlabel="accuracy, 95 % by star")
    axes[1].set_yticklabels([])
    return as_png(figure)


def event_recall(metrics: pl.DataFrame, published: Sequence[Published]) -> bytes | None:
    """Recall at 99 % precision by kind of fold from `ml_event_metrics`; `published` are drawn as lines.

    None when no figure of ours is there.
    """
    models = ("event_vetter", "plain_lightgbm")
    rows = metrics.filter(pl.col("model").is_in(models), metric="recall_at_precision_99")
    if rows.is_empty():
        return None
    kinds = rows.select("split", "labels", "n_events").unique().sort("n_events", "split", "labels", descending=True)
    labels = {
        (r["split"], r["labels"]): f"{r['split'].replace('_', ' ')}, labels: {r['labels']}\n{r['n_events']:,} events"
        for r in kinds.iter_rows(named=True)
    }
    figure, (axis,) = grid(1, height=1.6 + 1.4 * _ROW_INCHES * len(labels))
    figure.set_figwidth(8.0)
    series = {
        model.replace("_", " "): {
            label: r for (s, kind), label in labels.items() if (r := _row(rows, model=model, split=s, labels=kind))
        }
        for model in models
    }
    dots(axis, list(labels.values()), series)
    for paper, style in zip(published, ("--", ":", "-."), strict=False):
        axis.axvline(paper.value, color="black", linewidth=1.0, linestyle=style, label=f"{paper.name}: {paper.value:g}")
    axis.set(xlabel="recall at 99 % precision, 95 % by star", title="planet candidates against all other events")
    _legend(figure, axis, None)
    return as_png(figure)


def _row(rows: pl.DataFrame, **which: str) -> dict[str, Any] | None:
    """The one row that is asked for, if it is there and has a value."""
    found = rows.filter(pl.col("value").is_not_null(), **which)
    return found.row(0, named=True) if found.height else None


def dots(
    axis: Any,
    labels: Sequence[str],
    series: Mapping[str, Mapping[str, Mapping[str, Any]]],
    *,
    colours: Sequence[str] = _COLOURS,
) -> None:
    """Values with intervals, a line of the picture per label, from the top; the series beside each other."""
    for at, ((name, found), colour) in enumerate(zip(series.items(), colours, strict=False)):
        lines = [labels.index(label) + _shift(at, series, label) for label in found]
        value = [r["value"] for r in found.values()]
        # A bootstrap's interval may leave its own value out (calibration error is never below 0).
        below = [max(0.0, r["value"] - r["low"]) if r["low"] is not None else 0.0 for r in found.values()]
        above = [max(0.0, r["high"] - r["value"]) if r["high"] is not None else 0.0 for r in found.values()]
        axis.errorbar(value, lines, xerr=(below, above), fmt="o", markersize=4, linewidth=1.2, color=colour, label=name)
    axis.set(yticks=range(len(labels)), ylim=(len(labels) - 0.5, -0.5))
    axis.set_yticklabels(labels, fontsize=8)
    axis.tick_params(axis="x", labelsize=8)
    axis.grid(axis="x", linewidth=0.3)


def _shift(at: int, series: Mapping[str, Mapping[str, Any]], label: str) -> float:
    """How far from the line of `label` the series number `at` is drawn: those that are there share it evenly."""
    there = [label in found for found in series.values()]
    return 0.24 * (sum(there[:at]) - (sum(there) - 1) / 2)


def _counts(axis: Any, labels: Sequence[str], series: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """How many signals each dot rests on, at the right edge in its colour."""
    for at, (found, colour) in enumerate(zip(series.values(), _COLOURS, strict=False)):
        for label, row in found.items():
            line = labels.index(label) + _shift(at, series, label)
            words = {"x": 0.99, "y": line, "s": f"{row['n_signals']:,}", "color": colour, "fontsize": 7}
            axis.text(**words, ha="right", va="center", transform=axis.get_yaxis_transform())


def _one_scale(axes: Sequence[Any], room: float) -> None:
    """The same horizontal range on all, with `room` (share of it) left free at the right."""
    low = min(axis.get_xlim()[0] for axis in axes)
    high = max(axis.get_xlim()[1] for axis in axes)
    for axis in axes:
        axis.set_xlim(low, high + room * (high - low))


def _legend(figure: Any, axis: Any, title: str | None) -> None:
    handles, names = axis.get_legend_handles_labels()
    figure.legend(handles, names, title=title, loc="outside lower center", ncols=4, fontsize=8, title_fontsize=8)


def _words(low: float, high: float) -> str:
    if low == float("-inf"):
        return f"below {high:g}"
    return f"{low:g} and above" if high == float("inf") else f"{low:g} to {high:g}"
