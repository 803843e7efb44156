"""The graph of an embedding network, as it is run.

Belongs here: what is taken out of a graph when it is loaded. Does not belong here: running it (`embedding.py`).
"""

from __future__ import annotations

from typing import Any


def without_guards(network: Any) -> Any:
    """`network` (an onnx.ModelProto, changed in place) without its guards against rows of attention that are all masked.

    Exporters write attention as `Where(IsNaN(softmax), 0, softmax)`. A text always has its special tokens, so that no
    row is all masked and the guard gives the softmax back, bit by bit; without it onnxruntime joins operations and
    needs a sixth less time.
    """
    nodes = network.graph.node
    maker = {name: node for node in nodes for name in node.output}
    guarded: dict[str, str] = {}
    for node in nodes:
        if node.op_type != "Where":
            continue
        asked, _, softmax = node.input
        made, test = maker.get(softmax), maker.get(asked)
        if made is not None and made.op_type == "Softmax" and test is not None and test.op_type == "IsNaN":
            if list(test.input) == [softmax]:
                guarded[node.output[0]] = softmax
    kept = [node for node in nodes if not set(node.output) & set(guarded)]
    for node in kept:
        node.input[:] = [guarded.get(name, name) for name in node.input]
    wanted = {name for node in kept for name in node.input} | {out.name for out in network.graph.output}
    kept = [node for node in kept if node.op_type != "IsNaN" or set(node.output) & wanted]
    del nodes[:]
    nodes.extend(kept)
    return network
