"""Assets of the feature stage.

Belongs here: which table the features are computed from. Does not belong here: a formula.
"""

from __future__ import annotations

import dagster as dg
import polars as pl

from exo_assets.features.contracts import FEAT_SIGNALS
from exo_assets.features.registry import FEATURES
from exo_assets.features.tabular import build_features, count_signals
from exo_assets.table_asset import Table, table_asset


@table_asset(FEAT_SIGNALS, group="features", code=["features", "catalogs/contracts.py"])
def feat_signals(core_signals: pl.DataFrame) -> Table:
    """Features of every signal, as the transformer computes them."""
    features = build_features(core_signals, count_signals(core_signals))
    known = {f.name: round(1 - features[f.name].null_count() / max(1, features.height), 3) for f in FEATURES}
    return Table(FEAT_SIGNALS.conform(features), metadata={"known": dg.MetadataValue.json(known)})


ASSETS: list[dg.AssetsDefinition] = [feat_signals]
