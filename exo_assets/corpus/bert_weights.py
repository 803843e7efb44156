"""The packaged network's weights, by the names of transformers' BertModel.

Belongs here: reading them out of the ONNX file. Does not belong here: a network that computes (`embedder_torch.py`).

The file holds int8 matrices with their scales, which are widened on the way in; those of the linear layers are turned
round and stand in the order in which the layers use them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from exo_assets.corpus.embedder_learning import Weights
from exo_assets.corpus.embedding import EmbeddingModelError

BERT: dict[str, Any] = {
    "vocab_size": 30522,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
}
"""The shape of all-MiniLM-L6-v2."""

_LINEAR = (
    *("attention.self.query", "attention.self.key", "attention.self.value"),
    *("attention.output.dense", "intermediate.dense", "output.dense"),
)
_PREFIX = "inner."


def packaged_weights(network: Path) -> Weights:
    """Weights (float32) of the packaged ONNX file; EmbeddingModelError when its graph is another one."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(network)).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    values: dict[str, Any] = dict(stored)
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in stored and stored[node.input[0]].dtype == np.int8:
            values[node.output[0]] = stored[node.input[0]].astype(np.float32)
        elif node.op_type == "Mul" and all(name in values for name in node.input):
            values[node.output[0]] = values[node.input[0]] * values[node.input[1]]
    linear = [values[n.input[1]].T for n in graph.node if n.op_type == "MatMul" and n.input[1] in values]
    names = [f"encoder.layer.{layer}.{part}.weight" for layer in range(BERT["num_hidden_layers"]) for part in _LINEAR]
    if len(linear) != len(names):
        raise EmbeddingModelError(f"{network} has {len(linear)} linear layers; all-MiniLM-L6-v2 has {len(names)}")
    found = [*_named(values), *zip(names, linear, strict=True)]
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in found}


def _named(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        is_weight = name.startswith(_PREFIX) and not name.endswith(("_q", "_f", "_scale"))
        if is_weight and value.dtype == np.float32:  # positions are counted, not learned
            yield name.removeprefix(_PREFIX), value
