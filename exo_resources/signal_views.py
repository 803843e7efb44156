"""The views of the catalogue's signals, as the table feat_view_index says.

Belongs here: views beside signals. Does not belong here: opening the arrays (lake_views.py) or what is seen of them
(features/seen_views.py).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from exo_assets.features.seen_views import VIEW_BINS, Floats, with_views
from exo_assets.features.view_arrays import ROOT
from exo_resources.lake import Lake
from exo_resources.lake_views import LakeViews


class SignalViews:
    """Views in `lake`. `index` is always the rows of `feat_view_index`."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    def arrays(self, index: pl.DataFrame, root: str = ROOT) -> Mapping[str, Floats]:
        """The seen views by name, in the rows that `index` says; arrays without rows when it is empty. `root` is where
        they lie: those of signals, or of simulated ones."""
        if index.is_empty():
            return {name: np.zeros((0, bins), dtype=np.float32) for name, bins in VIEW_BINS.items()}
        return LakeViews.of(self.lake, index["digest"][0], root)

    def beside(self, signals: pl.DataFrame, index: pl.DataFrame) -> pl.DataFrame:
        """`signals`, rows in order, with the column VIEWS; as they are when `index` is empty."""
        return signals if index.is_empty() else with_views(signals, index, self.arrays(index))
