"""Assets of simulated signals: their views, and the arrays that the network's training maps.

Belongs here: which tables they take. Does not belong here: what is simulated, or who learns from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import dagster as dg
import polars as pl

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.features.assets import GROUP
from exo_assets.features.from_light_curves import with_diagnostics
from exo_assets.features.plans import by_star
from exo_assets.features.seen_views import SEEN_VIEWS
from exo_assets.features.signal_contracts import FEAT_DIAGNOSTICS, FEAT_SIMULATED_INDEX, FEAT_SIMULATED_VIEWS
from exo_assets.features.simulated_tasks import hosts, simulate_star, simulation_quanta
from exo_assets.features.transformer import seen_missions
from exo_assets.features.view_arrays import SIMULATED_ROOT, keep_arrays
from exo_assets.lightcurves.assets import curves_of, digests
from exo_assets.lightcurves.quantum import Quantum
from exo_assets.lightcurves.star_asset import star_asset
from exo_assets.lightcurves.star_contracts import CORE_LIGHT_CURVES
from exo_assets.table_asset import Table, table_asset


def _plan(resources: Any) -> Callable[[str], Iterable[Quantum]]:
    if not resources.settings.simulated_weight:
        return lambda _bucket: ()
    tables, core = resources.star_tables, resources.lake.read("core_signals", CORE_SIGNALS.schema)
    diagnosed = tables.read(FEAT_DIAGNOSTICS.name, empty=FEAT_DIAGNOSTICS.empty())
    chosen, own = hosts(core, seen_missions(with_diagnostics(core, diagnosed))), by_star(diagnosed)

    def plan(bucket: str) -> Iterable[Quantum]:
        return simulation_quanta(bucket, curves_of(resources, bucket), own, chosen)

    return plan


feat_simulated_views = star_asset(
    FEAT_SIMULATED_VIEWS,
    simulate_star,
    group=GROUP,
    deps=[CORE_LIGHT_CURVES.name, FEAT_DIAGNOSTICS.name, "core_signals"],
    plan=_plan,
    reader="star_tables",
)


@table_asset(
    FEAT_SIMULATED_INDEX,
    group=GROUP,
    kinds=("numpy", "parquet"),
    also_after=[FEAT_SIMULATED_VIEWS.name],
    salt=digests(FEAT_SIMULATED_VIEWS.name),
)
def feat_simulated_index(star_tables: Any, lake: Any, settings: Any) -> Table:
    """Write the views of all simulated signals as arrays, and say which row is whose; arrays of before are deleted."""
    digest = star_tables.digest(FEAT_SIMULATED_VIEWS.name)[:16]
    whole = star_tables.read(FEAT_SIMULATED_VIEWS.name, empty=FEAT_SIMULATED_VIEWS.empty())
    frame = whole.filter(pl.col("reason").is_null()).sort("simulated_id")
    keep_arrays(lake, SIMULATED_ROOT, digest, {name: frame[name].to_numpy() for name in SEEN_VIEWS})
    note = "simulated signals in real light curves of training stars"
    if not settings.simulated_weight:
        note = "nothing was simulated: EXO_SIMULATED_WEIGHT is 0"
    elif whole.is_empty():
        note = "nothing was simulated: no mission has so many labelled light curves that the vetter would see them"
    made = frame.group_by("mission", "kind").len("signals").sort("mission", "kind")
    lost = whole.drop_nulls("reason").group_by("reason").len("signals").sort("signals", descending=True)
    return Table(
        FEAT_SIMULATED_INDEX.conform(frame.with_row_index("row").with_columns(digest=pl.lit(digest))),
        metadata={
            "note": note,
            "simulated": dg.MetadataValue.json(made.to_dicts()),
            "not made": dg.MetadataValue.json(lost.to_dicts()),
        },
    )


ASSETS: list[dg.AssetsDefinition] = [feat_simulated_views, feat_simulated_index]
