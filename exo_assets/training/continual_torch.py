"""Elastic weight consolidation: learning from new signals without forgetting the old ones.

Kirkpatrick et al. 2017 (PNAS 114, 3521; arXiv 1612.00796, eq. 3): the loss on new data is joined by
lambda / 2 * sum_i F_i (theta_i - theta*_i)^2, with theta* the weights learned before and F the diagonal of the Fisher
information of the old data at theta*: what the old data were sure of is hard to move.

F is the expectation over the model's own answers, F_i = E_x sum_c p(c|x) (d ln p(c|x) / d theta_i)^2, not over the
labels: that is the Fisher information and not the "empirical" one (Kunstner et al. 2019, arXiv 1905.12558). It is that
of a network whose batch normalisation uses the means and variances of the old data, so those are held, too: with the
new data's, weights that the penalty leaves where they are would compute something else (measured in TRIED.md).

Belongs here: the information and the penalty. Does not belong here: when it is used.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from exo_assets.training.batches import Shown
from exo_assets.training.network_torch import CLASSES, VetterNetwork
from exo_assets.training.neural import Start, below

AT_ONCE = 64


def fisher(network: VetterNetwork, rows: Shown, device: str) -> dict[str, np.ndarray]:
    """Diagonal of the Fisher information per row, by name of a parameter (float32)."""
    network.eval()
    parameters = {name: p.detach() for name, p in network.named_parameters()}
    slot = np.full(len(rows.scalars), -1, dtype=np.int64)
    slot[rows.where] = np.arange(len(rows.where))
    width = rows.views.shape[1]

    def log_probability(weights: dict[str, Tensor], one: tuple[Tensor, Tensor, Tensor], c: Tensor) -> Tensor:
        scalars, views, known = one
        embeddings = functional_call(network.branches, below(weights, "branches."), (views[None],))
        logits = functional_call(network.head, below(weights, "head."), (scalars[None], embeddings, known[None]))
        return torch.log_softmax(logits, dim=1)[0].gather(0, c[None])[0]

    gradient = vmap(grad(log_probability), in_dims=(None, 0, None))
    total = {name: torch.zeros_like(p) for name, p in parameters.items()}
    for begin in range(0, len(rows.scalars), AT_ONCE):
        part = np.arange(begin, min(begin + AT_ONCE, len(rows.scalars)))
        views = np.zeros((len(part), width), dtype=np.float32)
        seen = slot[part] >= 0
        views[seen] = rows.views[slot[part][seen]]
        one = tuple(torch.from_numpy(v).to(device) for v in (rows.scalars[part], views, rows.known[part]))
        with torch.no_grad():
            share = torch.softmax(network.head(one[0], network.branches(one[1]), one[2]), dim=1)
        for c in range(CLASSES):
            found = gradient(parameters, one, torch.tensor(c, device=device))
            for name, g in found.items():
                total[name] += torch.einsum("n,n...->...", share[:, c], g.square())
    return {name: (value / len(rows.scalars)).cpu().numpy() for name, value in total.items()}


Anchors = dict[str, tuple[Tensor, Tensor]]
"""By name of a parameter: half the strength times the Fisher information, and the weight that it is held at."""


def anchors(start: Start, device: str) -> Anchors:
    """What the penalty of `start` is computed from."""

    def there(value: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(value)).to(device)

    return {n: (0.5 * start.strength * there(f), there(start.weights[n])) for n, f in start.fisher.items()}


def hold_statistics(network: nn.Module) -> None:
    """Normalise with the means and variances that were learned before, until the next `network.train()`."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.eval()


def penalty(network: nn.Module, held: Anchors) -> Tensor:
    """strength / 2 times the sum of Fisher information times the squared distance from the weights of the start."""
    return torch.stack([(held[n][0] * (p - held[n][1]).square()).sum() for n, p in network.named_parameters()]).sum()
