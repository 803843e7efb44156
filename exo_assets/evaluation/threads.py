"""Independent fits in a few threads.

Belongs here: the runners that evaluation hands to pure functions. LightGBM and numpy release the
interpreter lock, each value is computed in one thread and deterministically, and the work is small: starting Ray would
cost more than it saves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

WORKERS = 2
Map = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]
"""Computes a function of each of several values, in order; in this thread or in several."""


def in_turn(function: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
    """`function` of each value, here, one after the other."""
    return [function(value) for value in values]


def in_threads(function: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
    """`function` of each value, in order."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(function, values))


def run_in_threads(function: Callable[[Any, Any], Any], shared: Any, tasks: Sequence[Any]) -> list[Any]:
    """The runner of the training stage: `function(shared, task)` for each task, in order."""
    return in_threads(lambda task: function(shared, task), tasks)
