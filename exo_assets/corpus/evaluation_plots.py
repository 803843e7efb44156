"""Pictures of how well an index is searched and answered from, from the tables in which the figures are.

Belongs here: drawing rows of `corpus_retrieval_metrics` and `corpus_answer_metrics`. Does not belong here: computing
what is drawn.
"""

from __future__ import annotations

import polars as pl

from exo_assets.corpus.evaluation_contracts import SEARCHES
from exo_assets.corpus.query_sets import SETS
from exo_assets.evaluation.interval_plots import dots
from exo_assets.evaluation.plots import as_png, grid

_ROW_INCHES = 0.34
_TITLES = {
    "titles": "titles among abstracts",
    "questions": "questions among shipped documents",
    "titles_everywhere": "titles in the whole index",
    "questions_everywhere": "questions in the whole index",
}
"""Sets of queries, as pictures name them."""


def searches(metrics: pl.DataFrame) -> bytes:
    """nDCG@10 of every search with its interval, a panel per set."""
    rows = metrics.filter(metric="ndcg_at_10", half="all")
    sets = [name for name in SETS if rows.filter(set=name).height]
    order = [name for name in SEARCHES if rows.filter(search=name).height]
    figure, axes = grid(len(sets), height=1.4 + _ROW_INCHES * len(order))
    figure.set_figwidth(3.6 * len(sets))
    for name, axis in zip(sets, axes, strict=True):
        part = rows.filter(set=name)
        dots(axis, order, {"nDCG@10": {row["search"]: row for row in part.iter_rows(named=True)}})
        axis.set(title=f"{_TITLES[name]}\n{part['queries'][0]:,} queries", xlabel="nDCG@10, 95 % by query")
    for axis in axes[1:]:
        axis.set_yticklabels([])
    return as_png(figure)


def answers(metrics: pl.DataFrame) -> bytes:
    """Every figure of the answers with its interval, on all questions and on each half."""
    names = metrics["metric"].unique(maintain_order=True).to_list()
    halves = metrics["half"].unique(maintain_order=True).to_list()
    figure, (axis,) = grid(1, height=1.4 + 2 * _ROW_INCHES * len(names))
    figure.set_figwidth(8.0)
    series = {h: {r["metric"]: r for r in metrics.filter(half=h).iter_rows(named=True)} for h in halves}
    dots(axis, names, series)
    axis.set(xlabel="mean over questions, 95 % by question", xlim=(-0.02, 1.02))
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, [label.replace("_", " ") for label in labels], loc="outside lower center", ncols=3)
    return as_png(figure)
