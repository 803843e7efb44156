"""The network: convolutions over folded views, a branch for scalars, late fusion, three classes.

In the line of AstroNet (Shallue & Vanderburg 2018, arXiv 1712.05044: convolutions over a global and a local view) and
ExoMiner (Valizadegan et al. 2022, arXiv 2111.10009: a branch per diagnostic, each squeezed to a few numbers, then fused
with scalars). A branch whose views are unknown gives zeros and says so, so one network serves signals with and without
each input.

Belongs here: the layers. Does not belong here: training, or files.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from exo_assets.features.seen_views import BINS, BRANCHES, branch_slices
from exo_assets.training.neural import NeuralSettings

CLASSES = 3
POOLED: dict[str, int] = {"global": 8, "local": 3, "odd_even": 3, "secondary": 3}
"""Neighbouring bins that are averaged first: what is left resolves a transit in some ten bins."""


class ViewBranch(nn.Module):
    """One branch: (rows, views * bins) -> (rows, embedding)."""

    def __init__(self, name: str, settings: NeuralSettings) -> None:
        super().__init__()
        self.views, self.bins, self.pool = len(BRANCHES[name]), BINS[name], POOLED[name]
        layers: list[nn.Module] = []
        width, before = self.bins // self.pool, self.views
        for channels in settings.channels:
            layers += [
                nn.Conv1d(before, channels, 5, padding=2),
                nn.SiLU(),
                nn.Conv1d(channels, channels, 5, padding=2),
                nn.SiLU(),
                nn.MaxPool1d(3, 3),
            ]
            width, before = width // 3, channels
        self.layers = nn.Sequential(*layers)
        self.squeeze = nn.Linear(before * width, settings.embedding)

    def forward(self, views: Tensor) -> Tensor:
        """Embedding of the views of each row."""
        shaped = functional.avg_pool1d(views.reshape(-1, self.views, self.bins), self.pool)
        return functional.silu(self.squeeze(self.layers(shaped).flatten(1)))


class Branches(nn.Module):
    """All branches: (rows, VIEWS_WIDTH) -> (rows, branches * embedding)."""

    def __init__(self, settings: NeuralSettings) -> None:
        super().__init__()
        slices = branch_slices()
        self.slices = [slices[name] for name in settings.branches]
        self.branches = nn.ModuleList(ViewBranch(name, settings) for name in settings.branches)

    def forward(self, views: Tensor) -> Tensor:
        """Embeddings side by side."""
        return torch.cat([b(views[:, s]) for b, s in zip(self.branches, self.slices, strict=True)], dim=1)


class Head(nn.Module):
    """Scalars and embeddings -> logits of the three classes.

    `known` (rows, branches) is 1 where a branch's views are known; the embeddings of the others count as zeros.
    """

    def __init__(self, scalars: int, settings: NeuralSettings) -> None:
        super().__init__()
        self.embedding = settings.embedding
        n = len(settings.branches)
        sizes = (scalars, *[settings.hidden] * settings.layers)
        self.scalars = nn.Sequential(*(_dense(a, b, settings) for a, b in pairwise(sizes)))
        self.fusion = _dense(sizes[-1] + n * (settings.embedding + 1), settings.fused, settings)
        self.out = nn.Linear(settings.fused, CLASSES)

    def forward(self, scalars: Tensor, embeddings: Tensor, known: Tensor) -> Tensor:
        """Logits (rows, 3)."""
        seen = embeddings * known.repeat_interleave(self.embedding, 1)
        return self.out(self.fusion(torch.cat([self.scalars(scalars), seen, known], dim=1)))


def _dense(before: int, after: int, settings: NeuralSettings) -> nn.Sequential:
    return nn.Sequential(nn.Linear(before, after), nn.BatchNorm1d(after), nn.SiLU(), nn.Dropout(settings.dropout))


class VetterNetwork(nn.Module):
    """The whole network, for training."""

    def __init__(self, scalars: int, settings: NeuralSettings) -> None:
        super().__init__()
        self.settings = settings
        self.branches = Branches(settings)
        self.head = Head(scalars, settings)

    def forward(self, scalars: Tensor, views: Tensor, where: Tensor, known: Tensor) -> Tensor:
        """Logits; `views` are those of the rows `where` only, for most signals have none."""
        width = len(self.settings.branches) * self.settings.embedding
        embeddings = scalars.new_zeros(len(scalars), width)
        # One flat row is always there: every parameter then has a gradient on every worker.
        seen = self.branches(torch.cat([views, views.new_zeros(1, views.shape[1])]))[:-1].to(embeddings.dtype)
        embeddings = embeddings.index_copy(0, where, seen)
        return self.head(scalars, embeddings, known)


def parameter_count(network: nn.Module) -> int:
    """Number of weights."""
    return sum(p.numel() for p in network.parameters())
