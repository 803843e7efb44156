"""Contract of the feature table (`feat_signals`), made from the feature registry."""

from __future__ import annotations

import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.contracts import Column, TableContract
from exo_assets.features.registry import FEATURES
from exo_assets.features.signal_contracts import FEAT_SIGNAL_DIAGNOSTICS, FEAT_VIEW_INDEX

FEAT_SIGNALS = TableContract(
    "feat_signals",
    "Features of every transit signal, before anything is withheld from the vetter; null where unknown.",
    (
        Column("signal_id", pl.String, "Name of the signal", nullable=False),
        Column("mission_star_id", pl.String, "Host in the mission's own naming", nullable=False),
        *(
            Column(f.name, pl.String, f.formula, nullable=False, allowed=MISSIONS)
            if f.categorical
            else Column(f.name, pl.Float64, f"{f.formula} ({f.source})", "" if f.unit == "1" else f.unit)
            for f in FEATURES
        ),
    ),
    key=("signal_id",),
)

CONTRACTS: tuple[TableContract, ...] = (FEAT_SIGNALS, FEAT_SIGNAL_DIAGNOSTICS, FEAT_VIEW_INDEX)
