"""The graph of an embedding network, as it is run.

Belongs here: what is taken out of a graph, and what is joined in it, when it is loaded. Does not belong here: running
it, and checking that it still says the same (`embedding.py`).

onnxruntime joins operations by itself where it knows how an exporter writes them. That of the packaged network it does
not know: joined here, a text takes a third less time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

_DOMAIN = "com.microsoft"
"""Where onnxruntime keeps operations that are no part of ONNX."""


def without_guards(network: Any) -> Any:
    """`network` (an onnx.ModelProto, changed in place) without guards against rows of attention that are all masked.

    Some exporters write attention as `Where(IsNaN(softmax), 0, softmax)`. A text always has its special tokens, so that
    no row is all masked and the guard gives the softmax back, bit by bit.
    """
    graph = _Graph(network)
    guarded: dict[str, str] = {}
    for node in network.graph.node:
        if node.op_type != "Where" or node.output[0] in graph.answers:
            continue
        asked, _, softmax = node.input
        made, test = graph.maker.get(softmax), graph.maker.get(asked)
        if made and made.op_type == "Softmax" and test and (test.op_type, *test.input) == ("IsNaN", softmax):
            guarded[node.output[0]] = softmax
    kept = [node for node in network.graph.node if node.output[0] not in guarded]
    for node in kept:
        node.input[:] = [guarded.get(name, name) for name in node.input]
    return graph.rebuilt(kept)


def joined(network: Any, dimensions: int) -> tuple[Any, int]:
    """`network` (changed in place) with attention and GELU as one operation each, and how many were joined.

    `dimensions` is the width of the network. Attention loses its mask: what is joined is for texts without padding.
    What does not look as expected is left as it is. Whether the mask is that of padding alone is not looked at: the
    caller compares the outcome.
    """
    from onnx import helper

    graph = _Graph(network)
    found = {
        node.output[0]: node
        for node in (*graph.each("Softmax", graph.attention(dimensions)), *graph.each("Erf", graph.gelu))
    }
    if not found:
        return network, 0
    nodes = [found.get(node.output[0], node) for node in network.graph.node]
    if _DOMAIN not in {known.domain for known in network.opset_import}:
        network.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    return graph.rebuilt(nodes), len(found)


class _Graph:
    """A network's graph, walked along its edges."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.maker = {name: node for node in network.graph.node for name in node.output}
        self.answers = {out.name for out in network.graph.output}
        self._constants = {tensor.name: tensor for tensor in network.graph.initializer}
        self._users: dict[str, list[Any]] = {}
        for node in network.graph.node:
            for name in node.input:
                self._users.setdefault(name, []).append(node)

    def rebuilt(self, nodes: Iterable[Any]) -> Any:
        """The network of `nodes`, without those and the constants that nothing needs."""
        needed, kept = set(self.answers), list[Any]()
        for node in reversed(list(nodes)):
            if needed & set(node.output):
                kept.append(node)
                needed |= set(node.input)
        constants = [tensor for tensor in self.network.graph.initializer if tensor.name in needed]
        del self.network.graph.node[:], self.network.graph.initializer[:]
        self.network.graph.node.extend(reversed(kept))
        self.network.graph.initializer.extend(constants)
        return self.network

    def each(self, kind: str, join: Callable[[Any], Any]) -> list[Any]:
        """What `join` makes of each node of a kind, where it makes something."""
        return [made for node in self.network.graph.node if node.op_type == kind and (made := join(node)) is not None]

    def attention(self, dimensions: int) -> Callable[[Any], Any]:
        """softmax(q k / sqrt(width of a head)) v, all heads side by side again; a mask is left out."""

        def join(softmax: Any) -> Any:
            from onnx import helper

            scores = self._made_by(softmax.input[0], "Add") and self.maker.get(self.maker[softmax.input[0]].input[0])
            product = self._only_user(softmax.output[0], "MatMul")
            turned = product and self._only_user(product.output[0], "Transpose")
            merged = turned and self._only_user(turned.output[0], "Reshape")
            if not merged or not scores or scores.op_type != "MatMul" or product.input[0] != softmax.output[0]:
                return None
            (query, width), (key, _), (value, _) = map(self._projected, (*scores.input, product.input[1]))
            if not (query and key and value and width and width > 0 and dimensions % width == 0):
                return None
            return helper.make_node(
                "MultiHeadAttention",
                [query, key, value],
                list(merged.output),
                domain=_DOMAIN,
                num_heads=dimensions // width,
            )

        return join

    def gelu(self, erf: Any) -> Any:
        """x / 2 * (1 + erf(x / sqrt(2)))."""
        from onnx import helper

        divided = self._made_by(erf.input[0], "Div")
        added = self._only_user(erf.output[0], "Add")
        halved = added and self._only_user(added.output[0], "Mul")
        times = halved and self._only_user(halved.output[0], "Mul")
        if not (divided and times and divided.input[0] in times.input):
            return None
        wanted = ((divided.input[1], math.sqrt(2)), (self._other(added, erf), 1.0), (self._other(halved, added), 0.5))
        if not all(math.isclose(self._number(name), value, rel_tol=1e-6) for name, value in wanted):
            return None
        return helper.make_node("Gelu", [divided.input[0]], list(times.output), domain=_DOMAIN)

    def _made_by(self, name: str, kind: str) -> Any:
        node = self.maker.get(name)
        return node if node is not None and node.op_type == kind else None

    def _only_user(self, name: str, kind: str) -> Any:
        users = self._users.get(name, [])
        return users[0] if len(users) == 1 and users[0].op_type == kind and name not in self.answers else None

    def _projected(self, name: str) -> tuple[str | None, int | None]:
        """What was cut into heads, (texts, tokens, dimensions), and the width of a head; None where it is not seen."""
        width = None
        while (node := self.maker.get(name)) is not None and node.op_type in ("Transpose", "Reshape", "Mul"):
            if node.op_type == "Reshape":
                width = self._last(node.input[1])
            name = node.input[0]
        return (name if node is not None and node.op_type == "Add" else None), width

    def _last(self, shape: str) -> int | None:
        """The last number of a shape that is put together of several."""
        node = self._made_by(shape, "Concat")
        number = self._number(node.input[-1] if node else shape)
        return int(number) if math.isfinite(number) else None

    def _number(self, name: str) -> float:
        """The one number of a constant; NaN for anything else."""
        from onnx import numpy_helper

        tensor = self._constants.get(name)
        array = numpy_helper.to_array(tensor) if tensor is not None else None
        return float(array.reshape(-1)[0]) if array is not None and array.size == 1 else math.nan

    @staticmethod
    def _other(node: Any, first: Any) -> str:
        """The input of `node` that `first` did not make."""
        return str(next((name for name in node.input if name not in first.output), ""))
