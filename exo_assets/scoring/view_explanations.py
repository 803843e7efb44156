"""Which part of the light curve argued, for many signals: the batch as a value, and failures of single signals.

Belongs here: from features to rows of `out_view_explanations`, and the pictures of some. Does not belong here: where
batches are computed (assets.py), or occlusion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from exo_assets.features.seen_views import VIEWS
from exo_assets.scoring.batch import LONGEST_REASON, ModelFiles, from_arrow, load_model
from exo_assets.scoring.contracts import OUT_VIEW_EXPLANATIONS
from exo_assets.scoring.explain import Explainer
from exo_assets.scoring.view_page import page_of
from exo_assets.training.attribution import Occlusion
from exo_assets.training.view_reasons import ViewReasons

_NAMES = ("view", "unit", "centre", "effect", "log_odds_network", "network_weight", "reason")
_TYPES: dict[str, Any] = {"signal_id": pl.String, **{n: OUT_VIEW_EXPLANATIONS.schema[n] for n in _NAMES}}
RESULT = pl.Schema(_TYPES)


def explain_batch(files: ModelFiles, batch: pa.Table) -> pl.DataFrame:
    """RESULT rows of a `batch` of features (arrow), by the model in `files`: a task of Ray."""
    return explain_resilient(from_arrow(batch), load_model(files))


def explain_resilient(features: pl.DataFrame, vetter: Explainer) -> pl.DataFrame:
    """RESULT of each row of `features` that has views, in order; a signal that the model fails on gets the reason and
    the others are explained as if it were not there."""
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(features["signal_id"]):
        try:
            (found,) = vetter.occlude_features(features[number : number + 1])
            if found is None:
                continue
            rows += [{"signal_id": name, **row} for row in _rows(found)]
        except Exception as error:
            rows.append({"signal_id": name, "reason": f"{type(error).__name__}: {error}"[:LONGEST_REASON]})
    return pl.DataFrame(rows, schema=RESULT)


def _rows(found: ViewReasons) -> list[dict[str, Any]]:
    effects = [one.effect for one in found.occlusions.values()]
    if not np.isfinite(np.concatenate([*effects, [found.log_odds_network]])).all():
        raise ValueError("the model's answer is not a number")
    known = {"log_odds_network": found.log_odds_network, "network_weight": found.network_weight}
    return [{"view": name, **shown, **known} for name, shown in found.as_json().items()]


def pictures(explained: pl.DataFrame, features: pl.DataFrame, most: int) -> Mapping[str, bytes]:
    """PNGs of the signals whose views moved the network most, by name; at most so many. `explained` are rows of RESULT
    and `features` those that they are of."""
    strength = pl.col("effect").list.eval(pl.element().abs()).list.max().max()
    rows = explained.filter(pl.col("reason").is_null())
    strongest = (
        rows.group_by("signal_id").agg(strength.alias("most")).sort("most", "signal_id", descending=[True, False])
    )
    out = {}
    for name in strongest["signal_id"].head(most):
        shown = rows.filter(pl.col("signal_id") == name).to_dicts()
        views = features.filter(pl.col("signal_id") == name)[VIEWS][0].to_numpy().astype(np.float32)
        found = ViewReasons(
            shown[0]["log_odds_network"],
            shown[0]["network_weight"],
            {r["view"]: Occlusion(np.array(r["centre"]), np.array(r["effect"]), r["unit"]) for r in shown},
            views,
        )
        out[str(name)] = page_of(found, str(name))
    return out
