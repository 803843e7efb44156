"""The graph of an embedding network, as it is run.

Belongs here: what is taken out of a graph when it is loaded. Does not belong here: running it (`embedding.py`).
"""

from __future__ import annotations

from typing import Any


def without_guards(network: Any) -> Any:
    """`network` (an onnx.ModelProto, changed in place) without guards against rows of attention that are all masked.

    Some exporters write attention as `Where(IsNaN(softmax), 0, softmax)`. A text always has its special tokens, so that
    no row is all masked and the guard gives the softmax back, bit by bit; without it a text takes a sixth less time.
    """
    nodes = network.graph.node
    maker = {name: node for node in nodes for name in node.output}
    answers = {out.name for out in network.graph.output}
    guarded: dict[str, str] = {}
    for node in nodes:
        if node.op_type != "Where" or node.output[0] in answers:
            continue
        asked, _, softmax = node.input
        made, test = maker.get(softmax), maker.get(asked)
        if made and made.op_type == "Softmax" and test and (test.op_type, *test.input) == ("IsNaN", softmax):
            guarded[node.output[0]] = softmax
    kept = [node for node in nodes if node.output[0] not in guarded]
    for node in kept:
        node.input[:] = [guarded.get(name, name) for name in node.input]
    wanted = answers.union(*(node.input for node in kept))
    kept = [node for node in kept if node.op_type != "IsNaN" or node.output[0] in wanted]
    del nodes[:]
    nodes.extend(kept)
    return network
