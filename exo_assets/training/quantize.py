"""Graphs in int8, and how far they are from those in float32.

Belongs here: the conversion and the comparison. Does not belong here: what a difference leads to (the gate before
promotion).
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from exo_assets.training.calibration import softmax
from exo_assets.training.network import Network
from exo_assets.training.neural import Matrix

FLOAT32_TOLERANCE = 1e-4
"""Largest difference of a probability, between the float32 graphs and torch, with which the graphs may be served."""
INT8_TOLERANCE = 0.01
"""Largest difference of a probability, between int8 and float32, with which int8 may be served.

A network of the default settings, trained on the archive, does not keep to it: 0.013 for 99 % of 13,586 signals, 0.046
at worst. Nor is it clearly faster with AVX2 (benchmarks/network_serving.py): float32 is what to serve there.
"""


def quantized(network: Network) -> Network:
    """The same network with the weights of its matrix products in int8 and their inputs quantised as they come
    (`onnxruntime.quantization.quantize_dynamic`); convolutions stay in float32.

    Weights are unsigned, a scale for each column: with signed ones sums saturate on processors without VNNI (AVX2: a
    probability was off by 0.13 where it is by 0.017 with these), so that what is served would depend on the machine.
    The scale of the inputs is taken over all rows that are judged together: in int8, but not in float32, what a row
    gets depends on its company.
    """
    members = tuple(replace(m, head=_int8(m.head), branches=_int8(m.branches)) for m in network.members)
    return replace(network, members=members, precision="int8")


def largest_difference(a: Matrix, b: Matrix) -> float:
    """The largest difference of a probability between logits (rows, 3) of the same rows: of the three classes, and of
    planet against false positive. 0 without rows, nan when a logit is."""
    if not len(a):
        return 0.0
    odds = [0.5 * (1 + np.tanh((z[:, 0] - z[:, 2]) / 2)) for z in (a, b)]
    return float(np.max([np.abs(softmax(a) - softmax(b)).max(), np.abs(odds[0] - odds[1]).max()]))


def _int8(graph: bytes) -> bytes:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    model: Any = onnx.load_from_string(graph)
    _unshared(model.graph)
    # The exporter has folded constants already; without this mark the quantiser asks for that on stderr.
    add_pre_process_metadata(model)
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "int8.onnx"
        products = ["MatMul", "Gemm"]
        quantize_dynamic(model, to, op_types_to_quantize=products, weight_type=QuantType.QUInt8, per_channel=True)
        return to.read_bytes()


def _unshared(graph: Any) -> None:
    """Give each Gemm weights of its own: the quantiser turns them round in place, and the head's gradient uses them the
    other way about."""
    import onnx

    stored = {tensor.name: tensor for tensor in graph.initializer}
    for number, node in enumerate(graph.node):
        if node.op_type == "Gemm" and node.input[1] in stored:
            own = onnx.TensorProto()
            own.CopyFrom(stored[node.input[1]])
            own.name = node.input[1] = f"{own.name}.{number}"
            graph.initializer.append(own)
    used = {name for node in graph.node for name in node.input}
    for name in stored.keys() - used:
        graph.initializer.remove(stored[name])
