"""From taught weights to a file that is run without torch: ONNX, its matrices in int8.

Belongs here: the export, the narrowing, and how far what is served is from what was taught. Does not belong here: the
folder of a model (`embedder_candidate.py`), or what a distance leads to (the gates).

As in the packaged file only the weights are int8, in groups with a scale of their own: they are widened when the file
is loaded and all is computed in float32, so a text's vector does not depend on its batch. The export is torch's
TorchScript one (see exo_assets/training/export_torch.py).
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from exo_assets.corpus.embedder_learning import Weights
from exo_assets.corpus.embedder_torch import bert

OPSET = 17
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "last_hidden_state"
GROUP = 32
"""Weights of a row or column that share a scale: the fewer, the nearer to what was taught, and the larger the file."""
NARROWED = 4096
"""Elements from which on a matrix is stored in int8; smaller ones save nothing."""
LEVELS = 117
"""Steps from 0 to the largest weight. The packaged weights lie exactly on a grid of 127 steps: on the same grid
rounding would take back all that was learned in less than half a step (see TRIED.md), on any other it errs either way.
"""


class _Served(nn.Module):
    """A vector for each token, as the packaged network gives."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """(texts, tokens, dimensions)."""
        made = self.network(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        found: Tensor = made.last_hidden_state
        return found


def exported(weights: Weights) -> bytes:
    """The network as an ONNX file with int8 matrices."""
    out = io.BytesIO()
    example = torch.ones(2, 16, dtype=torch.long)
    axes = {name: {0: "texts", 1: "tokens"} for name in (*INPUTS, OUTPUT)}
    with warnings.catch_warnings():
        # Of the exporter, which is to be replaced some day, of sizes that are traced as they should be, and of indices,
        # which are never negative here.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        warnings.filterwarnings("ignore", message="Exporting aten::index operator")
        torch.onnx.export(
            _Served(bert(weights, attention="eager")).eval(),  # the others cannot be written down
            (example, example, torch.zeros_like(example)),
            out,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_axes=axes,
        )
    return narrowed(out.getvalue())


def narrowed(network: bytes) -> bytes:
    """An ONNX file with its float32 matrices in int8, widened by what runtimes do once, on loading."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model: Any = onnx.load_from_string(network)
    graph = model.graph
    looked_up = {node.input[0] for node in graph.node if node.op_type == "Gather"}
    nodes, kept = list[Any](), list[Any]()
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2 or np.prod(tensor.dims) < NARROWED:
            kept.append(tensor)
            continue
        # A row is what a table of embeddings gives, a column what an output of a linear layer is computed from.
        int8, scale = int8_groups(numpy_helper.to_array(tensor), 1 if tensor.name in looked_up else 0)
        name, shape = tensor.name, np.array(tensor.dims, dtype=np.int64)
        stored = {"q": int8, "scale": scale, "shape": shape}
        kept += [numpy_helper.from_array(value, f"{name}_{what}") for what, value in stored.items()]
        nodes += [
            helper.make_node("Cast", [f"{name}_q"], [f"{name}_f"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_f", f"{name}_scale"], [f"{name}_groups"]),
            helper.make_node("Reshape", [f"{name}_groups", f"{name}_shape"], [name]),
        ]
    nodes += list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def int8_groups(matrix: npt.NDArray[np.float32], axis: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """A matrix in int8, its `axis` in groups (of GROUP, or one where that does not fit), and the scale of each group.

    Both have three axes and multiply to the matrix, up to half a step, once its shape is given back.
    """
    length = matrix.shape[axis]
    group = GROUP if length % GROUP == 0 else length
    apart = matrix.reshape(*matrix.shape[:axis], length // group, group, *matrix.shape[axis + 1 :])
    scale = np.maximum(np.abs(apart).max(axis=axis + 1, keepdims=True), 1e-12) / np.float32(LEVELS)
    return np.rint(apart / scale).astype(np.int8), scale.astype(np.float32)
