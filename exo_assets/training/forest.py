"""LightGBM models as flat arrays: raw scores, and exact SHAP values at the cost of looking them up.

Belongs here: reading LightGBM's text, and the arrays that the compiled loops (forest_kernels.py) run over. Does not
belong here: training, calibration, what the values mean.

TreeSHAP (Lundberg et al. 2020, as in LightGBM's `pred_contrib` and in shap) walks every path of every tree for every
row. With trees of bounded depth a leaf involves so few features that its SHAP values can be tabulated once for every
set of them that a row may satisfy; then a row costs one look-up per leaf (Yang 2021, "Fast TreeSHAP", its second
variant). Where paths are too long for a table, each leaf's values are integrated for each row (Owen 1972). The values
are the same; scoring needs neither LightGBM nor shap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MOST_FEATURES = 12
"""Features on one path that can be tabulated: 2^12 sets of 12 are 0.4 MB for a leaf."""
MOST_NODES = 64
"""Splits of a tree whose outcomes fit into one word."""


@dataclass
class _Lists:
    """The arrays while trees are read, one entry per node, leaf or tree."""

    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    count: list[float] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    tree_nodes: list[int] = field(default_factory=lambda: [0])
    tree_leaves: list[int] = field(default_factory=lambda: [0])
    bit_start: list[int] = field(default_factory=lambda: [0])
    bits: list[int] = field(default_factory=list)


class Forest:
    """One head: several LightGBM models (text), averaged. `n_features` and `n_classes` (1 for a binary head)."""

    def __init__(self, models: Sequence[str]) -> None:
        """ValueError when a text is no LightGBM model, or models differ in their shape."""
        shapes = {_shape(text) for text in models}
        if len(shapes) != 1:
            raise ValueError(f"models of one head must have one shape, not {sorted(shapes)}")
        ((self.n_features, self.n_classes),) = shapes
        lists = _Lists()
        for text in models:
            for tree in _trees(text):
                _append(lists, tree, 1.0 / len(models))
        self._value = np.asarray(lists.value)
        self._count = np.asarray(lists.count)
        self._roots = np.asarray(lists.roots, dtype=np.int32)
        self._tree_nodes = np.asarray(lists.tree_nodes, dtype=np.int32)
        self._tree_leaves = np.asarray(lists.tree_leaves, dtype=np.int32)
        self._nodes = (
            np.asarray(lists.feature, dtype=np.int32),
            np.asarray(lists.threshold, dtype=np.float64),
            np.asarray(lists.kind, dtype=np.uint8),
            np.asarray(lists.left, dtype=np.int32),
            np.asarray(lists.right, dtype=np.int32),
        )
        _check_trees(self._nodes, self._roots, len(self._value), self.n_features)
        self._categories = (np.asarray(lists.bit_start, dtype=np.int32), np.asarray(lists.bits, dtype=np.uint32))

    def raw(self, x: Array) -> Array:
        """Raw scores (log-odds, or one per class) of the rows of `x` (rows, n_features): (rows, n_classes)."""
        from exo_assets.training.forest_kernels import raw_scores

        out = np.zeros((len(x), self.n_classes))
        raw_scores(self._checked(x), self._roots, self._nodes, self._categories, self._value, out)
        return out

    def contributions(self, x: Array) -> Array:
        """SHAP values of a binary head (rows, n_features + 1), the expected value last; rows sum to the raw score."""
        from exo_assets.training.forest_kernels import shap_values

        if self.n_classes != 1:
            raise ValueError("SHAP values are given for heads with one score only")
        out = np.zeros((len(x), self.n_features + 1))
        out[:, -1] = self._expected[0]
        (slots, _), (table_start, table) = self._slots, self._tabulated
        shap_values(
            self._checked(x),
            self._tree_nodes,
            self._tree_leaves,
            self._nodes,
            self._categories,
            slots,
            table_start,
            table,
            out,
        )
        return out

    def differences(self, x: Array, sign: Array) -> Array:
        """SHAP values (rows, n_features + 1), the expected value last, of each row's scores added up with its `sign`
        (rows, n_classes): 1, -1 or, for a score that does not count, 0. Rows sum to (sign * raw).sum(axis=1).

        As `contributions`, but for trees whose paths are too long to tabulate; each row costs more.
        """
        from exo_assets.training.forest_kernels import shap_differences

        if sign.shape != (len(x), self.n_classes):
            raise ValueError(f"a sign for each row and score is {(len(x), self.n_classes)}, not {sign.shape}")
        slots, shares = self._slots
        points, weights = _gauss_legendre((1 + int(np.diff(slots[0]).max(initial=1))) // 2)
        out = np.zeros((len(x), self.n_features + 1))
        out[:, -1] = sign @ self._expected
        shap_differences(
            self._checked(x),
            np.ascontiguousarray(sign, dtype=np.float64),
            self._tree_nodes,
            self._tree_leaves,
            self._nodes,
            self._categories,
            slots,
            shares,
            self._value,
            points,
            weights,
            out,
        )
        return out

    def _checked(self, x: Array) -> Array:
        if x.ndim != 2 or x.shape[1] != self.n_features:
            raise ValueError(f"the model has {self.n_features} features; a matrix of shape {x.shape} was given")
        return np.ascontiguousarray(x, dtype=np.float64)

    @cached_property
    def _expected(self) -> Array:
        """The mean of each score over the training rows: each tree's leaves by their share of the rows."""
        total = np.add.reduceat(self._count, self._tree_leaves[:-1])
        weighted = np.add.reduceat(self._count * self._value, self._tree_leaves[:-1])
        means = weighted / np.maximum(total, 1)
        return np.array([means[c :: self.n_classes].sum() for c in range(self.n_classes)])

    @cached_property
    def _slots(self) -> tuple[tuple[Any, ...], Array]:
        """The slots: where those of each leaf begin, the feature of each, and which decisions it takes; and the share
        of the rows that satisfy it."""
        if np.diff(self._tree_nodes).max(initial=0) > MOST_NODES:
            raise ValueError(f"SHAP values are given for trees of at most {MOST_NODES} splits: bound num_leaves")
        feature, starts = self._nodes[0], np.repeat(self._tree_nodes[:-1], np.diff(self._tree_leaves))
        features: list[int] = []
        shares: list[float] = []
        masks: list[int] = []
        decided: list[int] = []
        slot_start = [0]
        for first_node, path in zip(starts.tolist(), self._paths(), strict=True):
            slots: dict[int, int] = {}
            for node, is_left, share in path:
                slot = slots.setdefault(int(feature[node]), len(features))
                if slot == len(features):
                    features.append(int(feature[node]))
                    shares.append(1.0)
                    masks.append(0)
                    decided.append(0)
                shares[slot] *= share
                masks[slot] |= 1 << (node - first_node)
                decided[slot] |= int(is_left) << (node - first_node)
            slot_start.append(len(features))
        slot_arrays = (
            np.asarray(slot_start, dtype=np.int64),
            np.asarray(features, dtype=np.int32),
            np.asarray(masks, dtype=np.uint64),
            np.asarray(decided, dtype=np.uint64),
        )
        return slot_arrays, np.asarray(shares)

    @cached_property
    def _tabulated(self) -> tuple[Any, Any]:
        """Where the values of each leaf begin in the table, and the table."""
        from exo_assets.training.forest_kernels import shap_tables

        (slot_start, *_), shares = self._slots
        d = np.diff(slot_start)
        if d.max(initial=0) > MOST_FEATURES:
            raise ValueError(
                f"SHAP values are tabulated for trees with at most {MOST_FEATURES} features on one path: bound "
                "num_leaves and max_depth"
            )
        table_start = np.concatenate([[0], np.cumsum((1 << d) * d)])
        table = np.zeros(int(table_start[-1]))
        shap_tables(slot_start, shares, self._value, table_start, table)
        return table_start, table

    def _paths(self) -> Iterator[list[tuple[int, bool, float]]]:
        """For each leaf in order, the way to it: node, whether it is left of it, the share of rows that go there."""
        left, right = (side.tolist() for side in self._nodes[3:])
        counts: dict[int, float] = {~i: c for i, c in enumerate(self._count.tolist())}
        for node in reversed(range(len(left))):  # children have higher numbers than their parents
            counts[node] = counts[left[node]] + counts[right[node]]
        up: dict[int, tuple[int, bool]] = {}
        for node in range(len(left)):
            up[left[node]], up[right[node]] = (node, True), (node, False)
        for leaf in range(len(self._value)):
            way, at = [], ~leaf
            while at in up:
                node, is_left = up[at]
                way.append((node, is_left, counts[at] / counts[node] if counts[node] else 0.0))
                at = node
            yield way[::-1]


def _gauss_legendre(most: int) -> tuple[Array, Array]:
    """Points and weights on [0, 1] of the rules of 1 to `most` points: row n holds those of n."""
    points, weights = np.zeros((2, most + 1, most))
    for n in range(1, most + 1):
        x, w = np.polynomial.legendre.leggauss(n)
        points[n, :n], weights[n, :n] = (x + 1) / 2, w / 2
    return points, weights


def _check_trees(nodes: tuple[Any, ...], roots: Any, n_leaves: int, n_features: int) -> None:
    """ValueError unless every node and leaf but the roots is the child of exactly one earlier node."""
    feature, _, _, left, right = nodes
    below = np.concatenate([left, right])
    wanted = np.setdiff1d(np.arange(-n_leaves, len(left)), roots)
    forward = (below < 0) | (below > np.tile(np.arange(len(left)), 2))
    known = (feature >= 0) & (feature < n_features)
    if not np.array_equal(np.sort(below), wanted) or not forward.all() or not known.all():
        raise ValueError("the model's trees are damaged: their nodes do not form trees over its features")


def _shape(text: str) -> tuple[int, int]:
    """Number of features and of scores, from the head of a model's text."""
    head = _fields(text.partition("\nTree=")[0])
    try:
        return int(head["max_feature_idx"]) + 1, int(head["num_tree_per_iteration"])
    except (KeyError, ValueError):
        raise ValueError("this is no LightGBM model in text form") from None


def _trees(text: str) -> Iterator[Mapping[str, str]]:
    body = text.partition("\nend of trees")[0]
    for block in body.split("\nTree=")[1:]:
        tree = _fields(block)
        if tree.get("is_linear", "0") != "0":
            raise ValueError("linear trees are not supported")
        yield tree


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _append(lists: _Lists, tree: Mapping[str, str], scale: float) -> None:
    """Add one tree, its nodes, leaves and sets of categories renumbered."""
    node0, leaf0, cat0 = len(lists.feature), len(lists.value), len(lists.bit_start) - 1
    values = [float(v) * scale for v in tree["leaf_value"].split()]
    single = len(values) == 1
    lists.value += values
    lists.count += [1.0] if single else [float(v) for v in tree["leaf_count"].split()]
    lists.roots.append(~leaf0 if single else node0)
    if not single:
        kinds = [int(v) for v in tree["decision_type"].split()]
        thresholds = [float(v) for v in tree["threshold"].split()]
        lists.feature += [int(v) for v in tree["split_feature"].split()]
        lists.kind += kinds
        lists.threshold += [t + cat0 if k & 1 else t for t, k in zip(thresholds, kinds, strict=True)]
        for side, name in ((lists.left, "left_child"), (lists.right, "right_child")):
            side += [node0 + c if c >= 0 else ~(leaf0 + ~c) for c in map(int, tree[name].split())]
        if int(tree["num_cat"]):
            start = lists.bit_start[-1]
            lists.bit_start += [start + int(v) for v in tree["cat_boundaries"].split()[1:]]
            lists.bits += [int(v) for v in tree["cat_threshold"].split()]
    lists.tree_nodes.append(len(lists.feature))
    lists.tree_leaves.append(len(lists.value))
