"""A tiny network that nobody trained: random weights, and moments of batch normalisation that are not those it is made
with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.seen_views import VIEWS_WIDTH
from exo_assets.training.export_torch import export
from exo_assets.training.fit_torch import arrays
from exo_assets.training.network import Network
from exo_assets.training.network_torch import VetterNetwork
from exo_assets.training.neural import NeuralFit, NeuralJob, NeuralSettings, Scaler

TINY = NeuralSettings(hidden=16, layers=2, fused=12, embedding=3, channels=(4,))
MISSION = FEATURE_NAMES.index("mission")


def matrix(rng: np.random.Generator, rows: int, unknown: float = 0.3) -> Any:
    """Rows of the transformer's matrix; the third feature is never known."""
    x = rng.normal(size=(rows, len(FEATURE_NAMES)))
    x[rng.random(x.shape) < unknown] = np.nan
    x[:, MISSION] = rng.integers(0, len(MISSIONS), rows)
    x[:, 2] = np.nan
    return x


def views(rng: np.random.Generator, rows: int) -> Any:
    """Noise, a row for each."""
    return np.clip(rng.normal(0, 0.5, (rows, VIEWS_WIDTH)), -3, 3).astype(np.float32)


def tiny_fit(seed: int = 0, settings: NeuralSettings = TINY, gain: float = 2.0) -> NeuralFit:
    """What a training could have given; `gain` makes weights larger, and what the network says wilder."""
    rng = np.random.default_rng(seed)
    scaler = Scaler.fit(matrix(rng, 200))
    torch.manual_seed(seed)
    network = VetterNetwork(scaler.width, settings)
    for name, value in network.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(0, 0.3)
        elif name.endswith("running_var"):
            value.uniform_(0.3, 2)
        elif name.endswith("weight"):
            value.mul_(gain)
    weights = arrays(network.state_dict())
    fisher = {name: np.square(weights[name]) for name, _ in network.named_parameters()}
    return NeuralFit(NeuralJob("tiny", seed, None), scaler, weights, np.empty(0, dtype=np.int64), {}, fisher)


def tiny_network(*seeds: int) -> Network:
    """The network of one tiny fit for each seed."""
    return export([tiny_fit(seed) for seed in seeds or (0,)], TINY)
