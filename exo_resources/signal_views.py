"""The views of all signals: arrays in the lake, mapped into memory.

Belongs here: opening the arrays. Does not belong here: making them (features/assets.py) or what is seen of them
(features/seen_views.py).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.features.seen_views import SEEN_VIEWS, VIEW_BINS, with_views
from exo_assets.features.view_arrays import array_key
from exo_resources.lake import Lake

Arrays = dict[str, npt.NDArray[np.float32]]


class SignalViews:
    """Views in the lake at `root`. Those of a bucket are copied to `scratch` once, for only files can be mapped.

    It can be sent to a worker: nothing is open in it.
    """

    def __init__(self, root: str, scratch: Path) -> None:
        self.root = root
        self.scratch = Path(scratch)

    def arrays(self, index: pl.DataFrame) -> Arrays:
        """The seen views by name, in the rows that `index` (of `feat_view_index`) says; without any, empty ones."""
        if index.is_empty():
            return {name: np.zeros((0, bins), dtype=np.float32) for name, bins in VIEW_BINS.items()}
        lake, digest = Lake(self.root), index["digest"][0]
        return {name: np.load(self._file(lake, array_key(digest, name)), mmap_mode="r") for name in SEEN_VIEWS}

    def beside(self, signals: pl.DataFrame, index: pl.DataFrame) -> pl.DataFrame:
        """`signals` with their views (column VIEWS), as `index` (rows of `feat_view_index`) has them; as they are when
        no signal has any."""
        return signals if index.is_empty() else with_views(signals, index, self.arrays(index))

    def _file(self, lake: Lake, key: str) -> Path:
        if lake.is_local:
            return Path(lake.path(key))
        copy = self.scratch / key
        if not copy.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            part = copy.with_suffix(".part")
            part.write_bytes(lake.get(key))
            part.replace(copy)
        return copy
