"""Tasks for the tests of the Ray runtime, in a module that workers can import."""

from __future__ import annotations

import os
from typing import Any


def add(shared: int, task: int) -> int:
    return shared + task


def fails_on_three(_shared: None, task: int) -> float:
    if task == 3:
        raise ZeroDivisionError("task 3")
    return 1.0


def threads(_shared: None, _task: int) -> tuple[str | None, str | None]:
    return os.environ.get("OMP_NUM_THREADS"), os.environ.get("NUMBA_NUM_THREADS")


def parabola(shared: float, parameters: Any) -> float:
    return float((parameters["x"] - shared) ** 2 + parameters["n"] + abs(parameters["s"] - 1))


def process(_: object, task: int) -> int:
    """The worker's process."""
    return os.getpid()
