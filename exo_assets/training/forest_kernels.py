"""The compiled loops of forest.py, over its arrays.

Belongs here: code that Numba compiles, once per machine. Does not belong here: anything else; importing this module
costs a second, so it is imported inside functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

CATEGORICAL, DEFAULT_LEFT = 1, 2
MISSING_SHIFT, MISSING_ZERO, MISSING_NAN = 2, 1, 2
ZERO = 1e-35
"""LightGBM's kZeroThreshold: what counts as zero where zero means missing."""
BLOCK = 32
"""Rows that go through all trees before the next: so many stay in the processor's cache."""


@njit(cache=True)
def _goes_left(v: float, threshold: float, kind: int, bit_start: Any, bits: Any) -> bool:
    """LightGBM's decision at one node: `kind` is its decision_type."""
    if kind & CATEGORICAL:
        if np.isnan(v) or v < 0:
            return False
        first, category = bit_start[int(threshold)], int(v)
        words = bit_start[int(threshold) + 1] - first
        return category // 32 < words and (bits[first + category // 32] >> np.uint32(category % 32)) & 1 == 1
    missing = (kind >> MISSING_SHIFT) & 3
    if np.isnan(v):
        if missing == MISSING_NAN:
            return kind & DEFAULT_LEFT != 0
        v = 0.0
    if missing == MISSING_ZERO and abs(v) <= ZERO:
        return kind & DEFAULT_LEFT != 0
    return v <= threshold


@njit(cache=True)
def raw_scores(x: Any, roots: Any, nodes: Any, categories: Any, value: Any, out: Any) -> None:
    """Add to `out` (rows, classes) the value of the leaf that each row of `x` ends in, tree i to class i % classes."""
    feature, threshold, kind, left, right = nodes
    bit_start, bits = categories
    for begin in range(0, len(x), BLOCK):
        for t in range(len(roots)):
            c = t % out.shape[1]
            for r in range(begin, min(begin + BLOCK, len(x))):
                n = roots[t]
                while n >= 0:
                    go = _goes_left(x[r, feature[n]], threshold[n], kind[n], bit_start, bits)
                    n = left[n] if go else right[n]
                out[r, c] += value[~n]


@njit(cache=True)
def shap_tables(slot_start: Any, share: Any, value: Any, table_start: Any, table: Any) -> None:
    """Fill `table`: for each leaf, each set of features that a row satisfies (a bit mask), each feature's SHAP value.

    A leaf is a game of its d features: v(S) = value * prod(o_k, k in S) * prod(z_k, k not in S), with o_k = 1 where the
    row satisfies every split on k, and z_k the share of the training rows that do. Shapley's formula over it:
    phi_k = value * (o_k - z_k) * sum over s of s! (d-1-s)! / d! * e_s, where e_s is the coefficient of t^s in
    prod(z_j + o_j t, j != k).
    """
    e = np.empty(64)
    for leaf in range(len(value)):
        first = slot_start[leaf]
        d = slot_start[leaf + 1] - first
        for mask in range(1 << d):
            for k in range(d):
                e[0], size = 1.0, 1
                for j in range(d):
                    if j == k:
                        continue
                    z, o = share[first + j], (mask >> j) & 1
                    e[size] = 0.0
                    for s in range(size, 0, -1):
                        e[s] = e[s] * z + (e[s - 1] if o else 0.0)
                    e[0] *= z
                    size += 1
                weight, total = 1.0 / d, 0.0  # 0! (d-1)! / d!
                for s in range(size):
                    total += weight * e[s]
                    if s < size - 1:
                        weight *= (s + 1) / (d - 1 - s)
                o = (mask >> k) & 1
                table[table_start[leaf] + mask * d + k] = value[leaf] * (o - share[first + k]) * total


@njit(cache=True)
def shap_values(
    x: Any,
    tree_nodes: Any,
    tree_leaves: Any,
    nodes: Any,
    categories: Any,
    slots: Any,
    table_start: Any,
    table: Any,
    out: Any,
) -> None:
    """Add to `out` (rows, features) the SHAP values of every tree.

    A row's decisions in a tree are the bits of one word; it satisfies every split of a leaf on a feature when the bits
    under that slot's mask are the slot's.
    """
    feature, threshold, kind, _, _ = nodes
    bit_start, bits = categories
    slot_start, slot_feature, slot_mask, slot_bits = slots
    for begin in range(0, len(x), BLOCK):
        for t in range(len(tree_nodes) - 1):
            first_node, end_node = tree_nodes[t], tree_nodes[t + 1]
            for r in range(begin, min(begin + BLOCK, len(x))):
                left = _decisions(x[r], first_node, end_node, feature, threshold, kind, bit_start, bits)
                for leaf in range(tree_leaves[t], tree_leaves[t + 1]):
                    first = slot_start[leaf]
                    d = slot_start[leaf + 1] - first
                    mask = 0
                    for k in range(d):
                        mask |= int((left & slot_mask[first + k]) == slot_bits[first + k]) << k
                    at = table_start[leaf] + mask * d
                    for k in range(d):
                        out[r, slot_feature[first + k]] += table[at + k]


@njit(cache=True)
def _decisions(
    row: Any, first_node: int, end_node: int, feature: Any, threshold: Any, kind: Any, bit_start: Any, bits: Any
) -> Any:
    """A word with a bit for each node of a tree: whether the row goes left there."""
    left = np.uint64(0)
    for n in range(first_node, end_node):
        if _goes_left(row[feature[n]], threshold[n], kind[n], bit_start, bits):
            left |= np.uint64(1) << np.uint64(n - first_node)
    return left


@njit(fastmath={"reassoc"}, cache=True)
def shap_differences(
    x: Any,
    sign: Any,
    tree_nodes: Any,
    tree_leaves: Any,
    nodes: Any,
    categories: Any,
    slots: Any,
    share: Any,
    value: Any,
    points: Any,
    weights: Any,
    out: Any,
) -> None:
    """Add to `out` (rows, features) the SHAP values of sum over classes c of sign[row, c] * score c; tree i is of class
    i % classes.

    A leaf is the game of `shap_tables`. Its multilinear extension is value * prod(f_j(t)) on the diagonal, where
    f_j(t) = z_j (1 - t) + o_j t, and the Shapley value is the integral of its gradient (Owen 1972, Management Science
    18, P64): phi_k = value * (o_k - z_k) * integral of prod(f_j(t), j != k) over t from 0 to 1. That is a polynomial of
    degree d - 1, which n >= d / 2 points of Gauss and Legendre on [0, 1] give exactly: row n of `points` and `weights`.
    """
    feature, threshold, kind, _, _ = nodes
    bit_start, bits = categories
    slot_start, slot_feature, slot_mask, slot_bits = slots
    most = points.shape[1]
    after, factor = np.empty((2 * most + 1, most)), np.empty((2 * most, most))
    before, step = np.empty(most), np.empty(2 * most)
    for begin in range(0, len(x), BLOCK):
        for t in range(len(tree_nodes) - 1):
            first_node, end_node = tree_nodes[t], tree_nodes[t + 1]
            for r in range(begin, min(begin + BLOCK, len(x))):
                times = sign[r, t % sign.shape[1]]
                if times == 0:
                    continue
                left = _decisions(x[r], first_node, end_node, feature, threshold, kind, bit_start, bits)
                for leaf in range(tree_leaves[t], tree_leaves[t + 1]):
                    first = slot_start[leaf]
                    d = slot_start[leaf + 1] - first
                    n = (d + 1) // 2
                    after[d] = 1.0
                    for k in range(d - 1, -1, -1):
                        z = share[first + k]
                        step[k] = ((left & slot_mask[first + k]) == slot_bits[first + k]) - z
                        for q in range(n):
                            factor[k, q] = z + step[k] * points[n, q]
                            after[k, q] = after[k + 1, q] * factor[k, q]
                    before[:] = weights[n]
                    for k in range(d):
                        total = 0.0
                        for q in range(n):
                            total += before[q] * after[k + 1, q]
                            before[q] *= factor[k, q]
                        out[r, slot_feature[first + k]] += times * value[leaf] * step[k] * total
