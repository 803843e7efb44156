"""Simulated signals beside the measured ones that the network learns from.

Belongs here: what is told of them, and where they are left out. Does not belong here: how they are made
(features/simulated.py).

Nothing is told of a simulated signal but its views and its mission: the network can learn from it what planets and
eclipsing binaries look like, and nothing of how often or around which stars they are; that is for measured ones to say.
It is in the fold of its star, of whose noise it is made, and is neither validated on nor predicted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.seen_views import SEEN_VIEWS, Floats
from exo_assets.features.simulated import KINDS
from exo_assets.training.neural import NeuralData
from exo_assets.training.splits import validation_draw

_PLANET, _FALSE_POSITIVE = 0, 2


class Joined:
    """Two arrays one below the other, of which only the rows that are asked for are read."""

    def __init__(self, first: Floats, second: Floats) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> Floats:
        n = len(self._first)
        out = np.empty((len(rows), self._first.shape[1]), dtype=np.float32)
        of_second = rows >= n
        out[~of_second], out[of_second] = self._first[rows[~of_second]], self._second[rows[of_second] - n]
        return out


class JoinedViews(Mapping[str, Any]):
    """Views of measured signals, and below them those of simulated ones."""

    def __init__(self, first: Mapping[str, Floats], second: Mapping[str, Floats]) -> None:
        self.first, self.second = first, second

    def __getitem__(self, name: str) -> Joined:
        return Joined(self.first[name], self.second[name])

    def __iter__(self) -> Any:
        return iter(SEEN_VIEWS)

    def __len__(self) -> int:
        return len(SEEN_VIEWS)


def with_simulated(
    data: NeuralData, signals: pl.DataFrame, index: pl.DataFrame, views: Mapping[str, Floats], weight: float
) -> NeuralData:
    """`data` of `signals` (training stars, with their fold) and the simulated signals of `index` (rows of
    `feat_simulated_index`) whose views are in `views`; as it is when there are none.

    Left out are those whose host is not among the training stars, and of missions of which no views are shown.
    """
    folds = signals.select(host_id="star_id", fold="fold").unique("host_id", keep="first")
    shown = {MISSIONS[i] for i in np.unique(data.x[data.shows, FEATURE_NAMES.index("mission")]).astype(int)}
    rows = index.filter(pl.col("mission").cast(pl.String).is_in(sorted(shown))).join(folds, on="host_id")
    rows = rows.sort("simulated_id")
    n, count = len(data.label), rows.height
    if not count or not weight:
        return data
    x = np.full((count, data.x.shape[1]), np.nan)
    x[:, FEATURE_NAMES.index("mission")] = [MISSIONS.index(m) for m in rows["mission"].cast(pl.String)]
    offset = len(data.views[SEEN_VIEWS[0]])
    told = np.ones(count, dtype=bool)
    return replace(
        data,
        x=np.concatenate([data.x, x]),
        row=np.concatenate([data.row, n + np.arange(count)]),
        weight=np.concatenate([data.weight, np.full(count, weight)]),
        shows=np.concatenate([data.shows, told]),
        plain=np.concatenate([data.plain, told]),
        label=np.concatenate([data.label, np.where(rows["kind"] == KINDS[0], _PLANET, _FALSE_POSITIVE)]),
        fold=np.concatenate([data.fold, rows["fold"].to_numpy()]),
        inner=np.concatenate([data.inner, [validation_draw(star) for star in rows["host_id"]]]),
        view=np.concatenate([data.view, offset + rows["row"].to_numpy()]),
        views=JoinedViews(data.views, views),
        simulated=count,
    )
