"""A small real vetter, trained in seconds on part of the table that ships with the package."""

from __future__ import annotations

from functools import cache

import polars as pl

from exo_assets.archive.snapshot.shipped import shipped_frame
from exo_assets.catalogs.harmonise import harmonise_koi
from exo_assets.features.from_light_curves import with_diagnostics
from exo_assets.training.settings import TrainingSettings
from exo_assets.training.vetter import Vetter
from exo_assets.training.vetter_training import train_vetter
from tests.features.synthetic import diagnostics_of


@cache
def koi_table() -> pl.DataFrame:
    """The shipped DR25 KOI table, all text."""
    return shipped_frame("q1_q17_dr25_koi")


@cache
def koi_signals() -> pl.DataFrame:
    """Its rows as core signals."""
    signals = harmonise_koi(koi_table(), source_table="q1_q17_dr25_koi")
    return signals.drop("unreadable").with_columns(star_id=pl.col("mission_star_id"))


@cache
def koi_diagnostics() -> pl.DataFrame:
    """Invented diagnostics of two in three of them, which tell most false positives."""
    return diagnostics_of(koi_signals(), share=0.67, telling=4.0)


@cache
def tiny_vetter(seed: int = 1, *, sees_curves: bool = False) -> Vetter:
    """A vetter of a few trees; another seed gives another model. `sees_curves`: taught `koi_diagnostics` too."""
    labelled = koi_signals().filter(pl.col("disposition").is_not_null(), pl.col("kic_id") % 8 == 0)
    labelled = labelled.with_columns(fold=(pl.col("kic_id") // 8) % 2)
    if sees_curves:
        labelled = with_diagnostics(labelled, koi_diagnostics())
    settings = TrainingSettings(
        seed=seed,
        folds=2,
        bags=1,
        planet_rounds=20,
        archive_rounds=10,
        archive_bags=1,
        other_missions=(0.0,),
        selection_rounds=5,
    )
    return train_vetter(labelled, settings).vetter
