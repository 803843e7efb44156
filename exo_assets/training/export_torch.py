"""From trained weights to graphs that are scored without torch: ONNX.

Belongs here: what of the network is exported, and how. Does not belong here: scoring the graphs (network.py), or
making them smaller (quantize.py).

Batch normalisation is folded into the linear layer before it. The head's graph gives the gradient of the planet's
log-odds beside the logits, written out here (ONNX has no automatic one), so that explanations need no torch either.

The export is torch's TorchScript one: on torch 2.13 it takes 0.3 s and gives the same bytes every time. The one built
on torch.export takes ten, writes to stderr, and puts folders of the machine into the file.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from exo_assets.features.seen_views import VIEWS_WIDTH, Floats
from exo_assets.training.fit_torch import tensors
from exo_assets.training.network import HEAD_INPUTS, HEAD_OUTPUTS, Member, Network
from exo_assets.training.network_torch import Head, VetterNetwork
from exo_assets.training.neural import Ints, Matrix, NeuralFit, NeuralSettings, Scaler, Start

OPSET = 18
TRACED = 3
"""Rows of the example that is traced; the graphs take any number."""


class FoldedHead(nn.Module):
    """The head as it judges (no dropout, normalisation folded), with the gradient of z[planet] - z[false positive].

    (scalars, embeddings, known) -> (logits, and the gradients with respect to each of the three).
    """

    def __init__(self, head: Head, branches: int) -> None:
        super().__init__()
        self.branches, self.embedding = branches, head.embedding
        # Parameters, not buffers: the exporter then keeps one copy for the way forth and back.
        self.layers = nn.ModuleList(folded(block) for block in head.scalars)
        self.fusion = folded(head.fusion)
        self.out = head.out

    def forward(self, scalars: Tensor, embeddings: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Logits (rows, 3) and the gradients, shaped like the inputs."""
        slopes, x = [], scalars
        for layer in self.layers:
            x, slope = _silu(layer(x))
            slopes.append(slope)
        width = x.shape[1]
        apart = embeddings.reshape(-1, self.branches, self.embedding)
        seen = (apart * known.unsqueeze(2)).flatten(1)
        fused, fused_slope = _silu(self.fusion(torch.cat([x, seen, known], dim=1)))
        back = (fused_slope * (self.out.weight[0] - self.out.weight[2])) @ self.fusion.weight
        to_seen = back[:, width : width + self.branches * self.embedding].reshape(-1, self.branches, self.embedding)
        to_known = back[:, width + self.branches * self.embedding :] + (to_seen * apart).sum(2)
        to_embeddings = (to_seen * known.unsqueeze(2)).flatten(1)
        to_scalars = back[:, :width]
        for layer, slope in zip(reversed(self.layers), reversed(slopes), strict=True):
            to_scalars = (to_scalars * slope) @ layer.weight
        return self.out(fused), to_scalars, to_embeddings, to_known


def folded(block: nn.Sequential) -> nn.Linear:
    """One linear layer that does what the block's linear layer and batch normalisation do when they judge."""
    linear: Any = block[0]
    norm: Any = block[1]
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    made = nn.Linear(linear.in_features, linear.out_features)
    with torch.no_grad():
        made.weight.copy_(linear.weight.double() * scale[:, None])
        made.bias.copy_((linear.bias.double() - norm.running_mean.double()) * scale + norm.bias.double())
    return made


def _silu(x: Tensor) -> tuple[Tensor, Tensor]:
    """x sigmoid(x), and its derivative."""
    gate = torch.sigmoid(x)
    return x * gate, gate * (1 + x * (1 - gate))


def trained_network(made: NeuralFit | Start, settings: NeuralSettings) -> VetterNetwork:
    """A network as torch has it, ready to judge. RuntimeError when the weights are of other settings."""
    network = VetterNetwork(made.scaler.width, settings)
    network.load_state_dict(tensors(made.weights))
    return network.eval()


def torch_logits(network: VetterNetwork, scaler: Scaler, x: Matrix, views: Floats, where: Ints) -> Matrix:
    """What torch itself says of the rows: to be compared with `Network.logits`, whose inputs these are."""
    known = torch.zeros(len(x), len(network.settings.branches))
    known[where] = 1.0
    with torch.inference_mode():
        given = (torch.from_numpy(scaler(x)), torch.from_numpy(views), torch.from_numpy(where), known)
        return np.asarray(network(*given).double().numpy())


def export(fits: Sequence[NeuralFit], settings: NeuralSettings) -> Network:
    """The network of float32 graphs that averages the `fits`, all of one architecture. ValueError without any."""
    if not fits:
        raise ValueError("there are no trained networks to export")
    return Network(settings, tuple(_member(fit, settings) for fit in fits))


def _member(fit: NeuralFit, settings: NeuralSettings) -> Member:
    network = trained_network(fit, settings)
    n = len(settings.branches)
    widths = (fit.scaler.width, n * settings.embedding, n)
    return Member(
        scaler=fit.scaler,
        head=_graph(
            FoldedHead(network.head, n).eval(), tuple(torch.zeros(TRACED, w) for w in widths), HEAD_INPUTS, HEAD_OUTPUTS
        ),
        branches=_graph(network.branches, (torch.zeros(TRACED, VIEWS_WIDTH),), ("views",), ("embeddings",)),
        start=Start(fit.scaler, fit.weights, fit.fisher),
    )


def _graph(module: nn.Module, example: tuple[Tensor, ...], inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings():
        # This exporter is to be replaced by the other one some day; see above why that is not yet.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            module,
            example,
            out,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: {0: "rows"} for name in (*inputs, *outputs)},
        )
    return out.getvalue()
