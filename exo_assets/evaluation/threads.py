"""Independent fits in a few threads.

Belongs here: the runners that evaluation hands to pure functions. LightGBM releases the interpreter lock, each fit is
single-threaded and deterministic, and the fits here are small: starting Ray would cost more than it brings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

WORKERS = 2


def in_threads(function: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
    """`function` of each value, in order."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(function, values))


def run_in_threads(function: Callable[[Any, Any], Any], shared: Any, tasks: Sequence[Any]) -> list[Any]:
    """The runner of the training stage: `function(shared, task)` for each task, in order."""
    return in_threads(lambda task: function(shared, task), tasks)
