"""Whether the files that are served say what was trained.

Belongs here: the comparison of a network's graphs with its weights, by torch. Does not belong here: what a difference
leads to (the gates).
"""

from __future__ import annotations

import numpy as np

from exo_assets.features.seen_views import Floats
from exo_assets.training.export_torch import torch_logits, trained_network
from exo_assets.training.network import Network
from exo_assets.training.neural import Ints, Matrix
from exo_assets.training.quantize import largest_difference


def largest_gap(network: Network, x: Matrix, views: Floats, where: Ints) -> float:
    """The largest difference of a probability between the graphs and the weights that they were made from."""
    trained = np.zeros((len(x), 3))
    for member in network.members:
        model = trained_network(member.start, network.settings)
        trained += torch_logits(model, member.scaler, x, views, where) / len(network.members)
    return largest_difference(network.logits(x, views, where), trained)
