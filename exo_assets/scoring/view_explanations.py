"""Which part of the light curve argued, for many signals: the batch as a value, and failures of single signals.

Belongs here: who is asked about, from features to rows of `out_view_explanations`, and the pictures of some. Does not
belong here: where batches are computed (assets.py), or occlusion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from exo_assets.catalogs.contracts import RESOLVED
from exo_assets.features.seen_views import VIEWS
from exo_assets.scoring.batch import LONGEST_REASON, ModelFiles, from_arrow, load_model
from exo_assets.scoring.contracts import OUT_VIEW_EXPLANATIONS
from exo_assets.scoring.explain import Explainer
from exo_assets.scoring.score import prepare
from exo_assets.scoring.view_page import page_of
from exo_assets.training.attribution import Occlusion
from exo_assets.training.view_reasons import ViewReasons

_NAMES = ("view", "unit", "centre", "effect", "log_odds_network", "network_weight", "reason")
_TYPES: dict[str, Any] = {"signal_id": pl.String, **{n: OUT_VIEW_EXPLANATIONS.schema[n] for n in _NAMES}}
RESULT = pl.Schema(_TYPES)


@dataclass(frozen=True)
class Asked:
    """Whose views are explained. `signals` [row, signal_id, mission, star_id], `row` as `prepare` numbers the catalogue
    in the order of `signal_id`; `unseen` says by mission why its views are not seen."""

    signals: pl.DataFrame
    unseen: Mapping[str, str]

    def features(self, catalogue: pl.DataFrame, vetter: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Features of those asked about, and RESULT rows of those that have none.

        `catalogue` is all of it, in the order of `signal_id`: features of a signal depend on its star's others.
        """
        rows = pl.col("signal_id").is_in(self.signals["row"].to_list())
        prepared = prepare(catalogue, vetter)
        unusable = prepared.rows.drop_nulls("unusable").select(signal_id="row", reason="unusable").filter(rows)
        return prepared.features.filter(rows), pl.concat([pl.DataFrame(schema=RESULT), unusable], how="diagonal")


def asked_for(core_signals: pl.DataFrame, feat_view_index: pl.DataFrame, vetter: Any) -> Asked:
    """The signals that are not resolved and whose views `vetter` sees."""
    numbered = core_signals.sort("signal_id").with_row_index("row").with_columns(pl.col("row").cast(pl.String))
    open_ = numbered.filter(~pl.col("disposition").is_in(RESOLVED).fill_null(False))
    viewed = open_.join(feat_view_index.select("signal_id"), on="signal_id", how="semi")
    why = {str(mission): vetter.unseen_views(mission) for mission in sorted(viewed["mission"].unique())}
    seen = viewed.filter(pl.col("mission").is_in([mission for mission, reason in why.items() if reason is None]))
    return Asked(
        seen.select("row", "signal_id", "mission", "star_id"), {m: reason for m, reason in why.items() if reason}
    )


def why_empty(vetter: Any, unseen: Mapping[str, str]) -> str:
    """Why nothing is explained."""
    if vetter.network is None:
        return str(vetter.unseen_views(""))
    return "; ".join(unseen.values()) or "no signal that is not resolved has views"


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


def pictures(
    explained: pl.DataFrame, features: pl.DataFrame, names: Mapping[str, str], most: int
) -> Mapping[str, bytes]:
    """PNGs of the signals whose views moved the network most, by name; at most so many. `explained` are rows of RESULT,
    `features` those that they are of, and `names` what a `signal_id` of theirs is called."""
    strength = pl.col("effect").list.eval(pl.element().abs()).list.max().max()
    rows = explained.filter(pl.col("reason").is_null())
    strongest = (
        rows.group_by("signal_id").agg(strength.alias("most")).sort("most", "signal_id", descending=[True, False])
    )
    out = {}
    for row in strongest["signal_id"].head(most):
        shown = rows.filter(pl.col("signal_id") == row).to_dicts()
        views = features.filter(pl.col("signal_id") == row)[VIEWS][0].to_numpy().astype(np.float32)
        found = ViewReasons(
            shown[0]["log_odds_network"],
            shown[0]["network_weight"],
            {r["view"]: Occlusion(np.array(r["centre"]), np.array(r["effect"]), r["unit"]) for r in shown},
            views,
        )
        out[names[row]] = page_of(found, names[row])
    return out
