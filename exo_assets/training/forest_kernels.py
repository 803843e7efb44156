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
    for t in range(len(roots)):
        c = t % out.shape[1]
        for r in range(len(x)):
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
    one = np.uint64(1)
    for t in range(len(tree_nodes) - 1):
        n0 = tree_nodes[t]
        for r in range(len(x)):
            went_left = np.uint64(0)
            for n in range(n0, tree_nodes[t + 1]):
                if _goes_left(x[r, feature[n]], threshold[n], kind[n], bit_start, bits):
                    went_left |= one << np.uint64(n - n0)
            for leaf in range(tree_leaves[t], tree_leaves[t + 1]):
                first = slot_start[leaf]
                d = slot_start[leaf + 1] - first
                mask = 0
                for k in range(d):
                    mask |= int((went_left & slot_mask[first + k]) == slot_bits[first + k]) << k
                at = table_start[leaf] + mask * d
                for k in range(d):
                    out[r, slot_feature[first + k]] += table[at + k]
