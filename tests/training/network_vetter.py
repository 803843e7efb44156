"""A vetter with a small network, on synthetic signals of which some have invented light curves."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl

from exo_assets.features.from_light_curves import with_diagnostics
from exo_assets.features.seen_views import VIEW_BINS, view_rows, with_views
from exo_assets.features.tabular import count_signals
from exo_assets.features.transformer import SignalTransformer
from exo_assets.training.network_training import jobs_of, learn_network, serial_jobs
from exo_assets.training.neural import NeuralData, NeuralSettings
from exo_assets.training.neural_inputs import neural_data
from exo_assets.training.settings import TrainingSettings
from exo_assets.training.splits import assign_folds, assign_splits
from exo_assets.training.vetter_training import Data, Networked, Trained, train_vetter
from tests.features.synthetic import catalogue, diagnostics_of

NEURAL = NeuralSettings(
    hidden=24, layers=1, fused=12, embedding=3, channels=(3,), epochs=4, batch=128, learning_rate=1e-2, dropout=0.05
)
SMALL = TrainingSettings(
    seed=7, folds=3, planet_rounds=25, archive_rounds=10, selection_rounds=10, other_missions=(0.0,), neural=NEURAL
)


@cache
def signals() -> pl.DataFrame:
    """Disposed synthetic signals with split and fold; most of Kepler's have diagnostics."""
    made = catalogue(900)
    made = with_diagnostics(made, diagnostics_of(made.filter(mission="kepler"), share=0.8, telling=2.0))
    made = made.join(assign_splits(made), on="star_id", how="left")
    return made.join(assign_folds(made.filter(split="train"), SMALL.folds), on="star_id", how="left")


@cache
def index() -> pl.DataFrame:
    """Which signals have views, and in which row."""
    chosen = signals().filter(pl.col("lc_snr_red").is_not_null()).select("signal_id").sort("signal_id")
    return chosen.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64), digest=pl.lit("invented"))


@cache
def arrays() -> dict[str, np.ndarray]:
    """Invented views: noise, and in those of planets a dip in the middle."""
    rng = np.random.default_rng(5)
    told = index().join(signals().select("signal_id", "disposition"), on="signal_id", how="left", maintain_order="left")
    planet = (told["disposition"] == "CONFIRMED").to_numpy()
    out = {}
    for name, bins in VIEW_BINS.items():
        view = rng.normal(0, 0.3, (len(planet), bins))
        if name != "secondary_view":
            view[planet, int(bins * 0.48) : int(bins * 0.52)] -= 1.0
        out[name] = view.astype(np.float32)
    return out


def seen(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with their views."""
    return with_views(rows, index(), arrays())


def network_data(rows: pl.DataFrame, transformer: SignalTransformer, data: Data) -> NeuralData:
    """What the network learns from."""
    return neural_data(rows, data, transformer.curves_of, view_rows(rows, index()), arrays())


@cache
def small() -> Trained:
    """A vetter with its network, made once."""
    rows = signals().filter(split="train").sort("signal_id")

    def learn(transformer: SignalTransformer, data: Data) -> Networked:
        seen_data = network_data(rows, transformer, data)
        return learn_network(seen_data, NEURAL, jobs_of(NEURAL, range(SMALL.folds), SMALL.seed), serial_jobs)

    return train_vetter(rows, SMALL, count_signals(signals()), learn=learn)
