"""Whether the files that are served say what was trained.

Belongs here: the comparison of a network's graphs with its weights, by torch. Does not belong here: what a difference
leads to (the gates).
"""

from __future__ import annotations

import numpy as np
import torch

from exo_assets.features.seen_views import Floats
from exo_assets.training.calibration import softmax
from exo_assets.training.fit_torch import tensors
from exo_assets.training.network import Network
from exo_assets.training.network_torch import VetterNetwork
from exo_assets.training.neural import Ints, Matrix


def largest_gap(network: Network, x: Matrix, views: Floats, where: Ints) -> float:
    """The largest difference of a class's probability between the graphs and the weights that they were made from."""
    trained = np.zeros((len(x), 3))
    for member in network.members:
        model = VetterNetwork(member.scaler.width, network.settings)
        model.load_state_dict(tensors(member.start.weights))
        model.eval()
        known = np.zeros((len(x), len(network.settings.branches)), dtype=np.float32)
        known[where] = 1.0
        with torch.inference_mode():
            inputs = (member.scaler(x), np.ascontiguousarray(views), np.ascontiguousarray(where), known)
            trained += model(*(torch.from_numpy(v) for v in inputs)).numpy() / len(network.members)
    return float(np.abs(softmax(network.logits(x, views, where)) - softmax(trained)).max()) if len(x) else 0.0
