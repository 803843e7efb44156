"""From labelled signals to what the network is trained on.

Belongs here: joining the masked copies of the features with the views, and who validates. Does not belong here: how
copies or views are made.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.features.from_light_curves import has_curve
from exo_assets.features.seen_views import Floats
from exo_assets.training.neural import NeuralData
from exo_assets.training.splits import validation_draw
from exo_assets.training.vetter_training import NO_CURVE, Data


def neural_data(
    signals: pl.DataFrame,
    data: Data,
    curves_of: tuple[str, ...],
    view: npt.NDArray[np.int64],
    views: Mapping[str, Floats],
) -> NeuralData:
    """What the network learns from: `signals` and `data` as `vetter_training.prepare` has them (rows alike), `view`
    the row of `views` of each signal (-1: none).

    Views are shown where the features of the light curve are: in missions `curves_of`, and of both classes alike.
    """
    seen = has_curve(signals).to_numpy() & np.isin(data.mission, curves_of) & (view >= 0)
    stars = signals["star_id"].unique(maintain_order=True)
    inner = dict(zip(stars, (validation_draw(star) for star in stars), strict=True))
    nothing = np.zeros(len(view), dtype=bool)
    return NeuralData(
        x=data.copies.x,
        row=data.copies.row,
        weight=data.copies.weight,
        shows=data.copies.shows & seen[data.copies.row],
        plain=data.copies.plain.astype(bool),
        label=data.label,
        fold=data.fold,
        inner=signals["star_id"].replace_strict(inner, return_dtype=pl.Float64).to_numpy(),
        view=np.where(seen, view, -1),
        views=views,
        judged=data.x,
        judged_shows={layout: nothing if layout == NO_CURVE else seen for layout in data.x},
    )


def without_views(signals: pl.DataFrame, data: Data) -> NeuralData:
    """As `neural_data`, of features alone."""
    return neural_data(signals, data, (), np.full(signals.height, -1), {})
