"""Assets of the feature stage.

Belongs here: what features, diagnostics and views are computed from. Does not belong here: a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import dagster as dg
import polars as pl

from exo_assets.features.contracts import FEAT_SIGNALS
from exo_assets.features.from_light_curves import with_diagnostics
from exo_assets.features.plans import diagnose_quanta, view_quanta
from exo_assets.features.registry import FEATURES
from exo_assets.features.signal_contracts import (
    FEAT_DIAGNOSTICS,
    FEAT_SIGNAL_DIAGNOSTICS,
    FEAT_VIEW_INDEX,
    FEAT_VIEWS,
)
from exo_assets.features.signal_tasks import diagnose_star, view_star
from exo_assets.features.tabular import build_features, count_signals
from exo_assets.features.view_arrays import ROOT, keep_arrays, view_arrays
from exo_assets.lightcurves.assets import curves_of, digests, known_of
from exo_assets.lightcurves.quantum import Quantum
from exo_assets.lightcurves.star_asset import star_asset
from exo_assets.lightcurves.star_contracts import CORE_LIGHT_CURVES, CORE_SEARCH
from exo_assets.table_asset import Table, table_asset

GROUP = "features"
Planned = Callable[[str], Iterable[Quantum]]


@table_asset(FEAT_SIGNALS, group=GROUP)
def feat_signals(core_signals: pl.DataFrame, feat_signal_diagnostics: pl.DataFrame) -> Table:
    """Features of every signal, as the transformer computes them."""
    signals = with_diagnostics(core_signals, feat_signal_diagnostics)
    features = build_features(signals, count_signals(signals))
    known = {f.name: round(1 - features[f.name].null_count() / max(1, features.height), 3) for f in FEATURES}
    return Table(FEAT_SIGNALS.conform(features), metadata={"known": dg.MetadataValue.json(known)})


def _diagnose_plan(resources: Any) -> Planned:
    known, tables = known_of(resources), resources.star_tables

    def plan(bucket: str) -> Iterable[Quantum]:
        found = tables.partition(CORE_SEARCH.name, bucket, CORE_SEARCH.empty())
        return diagnose_quanta(bucket, curves_of(resources, bucket), found, known(bucket))

    return plan


feat_diagnostics = star_asset(
    FEAT_DIAGNOSTICS,
    diagnose_star,
    group=GROUP,
    deps=[CORE_LIGHT_CURVES.name, CORE_SEARCH.name, "core_signals"],
    plan=_diagnose_plan,
    reader="star_tables",
)


def _view_plan(resources: Any) -> Planned:
    tables = resources.star_tables

    def plan(bucket: str) -> Iterable[Quantum]:
        diagnosed = tables.partition(FEAT_DIAGNOSTICS.name, bucket, FEAT_DIAGNOSTICS.empty())
        return view_quanta(bucket, curves_of(resources, bucket), diagnosed)

    return plan


feat_views = star_asset(
    FEAT_VIEWS,
    view_star,
    group=GROUP,
    deps=[CORE_LIGHT_CURVES.name, FEAT_DIAGNOSTICS.name],
    plan=_view_plan,
    reader="star_tables",
)


@table_asset(
    FEAT_SIGNAL_DIAGNOSTICS,
    group=GROUP,
    also_after=[FEAT_DIAGNOSTICS.name],
    salt=digests(FEAT_DIAGNOSTICS.name),
)
def feat_signal_diagnostics(star_tables: Any) -> pl.DataFrame:
    """All buckets of feat_diagnostics."""
    rows = star_tables.read(FEAT_DIAGNOSTICS.name, empty=FEAT_DIAGNOSTICS.empty())
    return FEAT_SIGNAL_DIAGNOSTICS.conform(rows).sort("signal_id")


@table_asset(
    FEAT_VIEW_INDEX,
    group=GROUP,
    kinds=("numpy", "parquet"),
    also_after=[FEAT_VIEWS.name],
    salt=digests(FEAT_VIEWS.name),
)
def feat_view_index(star_tables: Any, lake: Any) -> pl.DataFrame:
    """Write the views of all signals as arrays, and say which row is whose; arrays of before are deleted."""
    digest = star_tables.digest(FEAT_VIEWS.name)[:16]
    frame = star_tables.read(FEAT_VIEWS.name, empty=FEAT_VIEWS.empty()).filter(pl.col("reason").is_null())
    frame = frame.sort("signal_id")
    keep_arrays(lake, ROOT, digest, view_arrays(frame))
    return FEAT_VIEW_INDEX.conform(frame.with_row_index("row").with_columns(digest=pl.lit(digest)))


ASSETS: list[dg.AssetsDefinition] = [
    feat_signals,
    feat_diagnostics,
    feat_views,
    feat_signal_diagnostics,
    feat_view_index,
]
