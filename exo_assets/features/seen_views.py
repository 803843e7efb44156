"""Which folded views the vetter sees, and how they come beside a signal's columns.

Belongs here: the choice, their order in one row of numbers, and the join. Does not belong here: how a view is made
(views.py), or where the arrays are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.features.views import GLOBAL_BINS, LOCAL_BINS

Floats = npt.NDArray[np.float32]

VIEWS = "views"
"""Column of signals that holds all views of a signal in one list; null or absent where it has none."""
BRANCHES: Mapping[str, tuple[str, ...]] = {
    "global": ("global_view",),
    "local": ("local_view",),
    "odd_even": ("odd_view", "even_view"),
    "secondary": ("secondary_view",),
}
"""Branches of the network and the views that each looks at, as channels."""
BINS: Mapping[str, int] = {"global": GLOBAL_BINS, "local": LOCAL_BINS, "odd_even": LOCAL_BINS, "secondary": LOCAL_BINS}
VIEW_BINS: Mapping[str, int] = {name: BINS[branch] for branch, names in BRANCHES.items() for name in names}
SEEN_VIEWS = tuple(VIEW_BINS)
VIEWS_WIDTH = sum(BINS[branch] * len(names) for branch, names in BRANCHES.items())
"""Numbers in all views of a signal, one after the other in the order of `SEEN_VIEWS`."""
CLIP = 3.0
"""Views are cut to this many depths: a flare or a secondary deeper than that says no more."""


def stacked_views(views: Mapping[str, npt.NDArray[Any]], rows: npt.NDArray[np.int64]) -> Floats:
    """The views of `rows`, one signal a row (rows, VIEWS_WIDTH), cut to CLIP depths; unknown bins are flat (0)."""
    if not len(rows):
        return np.zeros((0, VIEWS_WIDTH), dtype=np.float32)
    stacked = np.concatenate([np.asarray(views[name][rows], dtype=np.float32) for name in SEEN_VIEWS], axis=1)
    return np.clip(np.nan_to_num(stacked, nan=0.0, posinf=CLIP, neginf=-CLIP), -CLIP, CLIP)


def stated_views(views: Mapping[str, Sequence[float | None]] | None) -> list[float] | None:
    """The views that a request states by name, in one row of numbers; a bin that is None is unknown."""
    if views is None:
        return None
    # Cut in double precision: 1e300 has no single.
    arrays = {name: np.clip(np.array(views[name], dtype=np.float64), -CLIP, CLIP)[None] for name in SEEN_VIEWS}
    return [float(value) for value in stacked_views(arrays, np.zeros(1, dtype=np.int64))[0]]


def branch_slices() -> dict[str, slice]:
    """Where each branch's views lie in a row of `stacked_views`."""
    out, at = {}, 0
    for branch, names in BRANCHES.items():
        width = BINS[branch] * len(names)
        out[branch] = slice(at, at + width)
        at += width
    return out


def with_views(signals: pl.DataFrame, index: pl.DataFrame, arrays: Mapping[str, npt.NDArray[Any]]) -> pl.DataFrame:
    """`signals`, rows in order, with the column VIEWS; `index` are rows of `feat_view_index` and `arrays` the arrays
    that its rows point into. Signals that are in no row have none."""
    rows = signals.select("signal_id").with_row_index("_at").join(index.select("signal_id", "row"), on="signal_id")
    rows = rows.sort("_at")
    stacked = stacked_views(arrays, rows["row"].to_numpy().astype(np.int64))
    lists = (
        pl.Series(VIEWS, stacked).cast(pl.List(pl.Float32))
        if len(stacked)
        else pl.Series(VIEWS, [], pl.List(pl.Float32))
    )
    beside = rows.select("_at").with_columns(lists)
    return signals.with_row_index("_at").join(beside, on="_at", how="left", maintain_order="left").drop("_at")


def view_rows(signals: pl.DataFrame, index: pl.DataFrame) -> npt.NDArray[np.int64]:
    """Row of each signal in the arrays; -1 where it has no views."""
    joined = signals.select("signal_id").join(
        index.select("signal_id", "row"), on="signal_id", how="left", maintain_order="left"
    )
    return joined["row"].cast(pl.Int64).fill_null(-1).to_numpy()
