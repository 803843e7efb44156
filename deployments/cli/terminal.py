"""Keeping the terminal readable while a run talks.

Belongs here: sending everything that libraries print during a run to a log file, and a console that still reaches the
terminal. Does not belong here: what is shown.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.cli.output import console_on

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def quiet(log: Path) -> Iterator[Console]:
    """Send this process's stdout and stderr, its children's included, to `log`; yield a console on the real stderr.

    Dagster, Ray and LightGBM write to the file descriptors themselves, so those are exchanged, not Python's streams.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if not (_on(sys.stdout, 1) and _on(sys.stderr, 2)):
        yield console_on(sys.stderr)  # already captured, by a test for one
        return
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {number: os.dup(number) for number in (1, 2)}
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        with os.fdopen(os.dup(saved[2]), "w", encoding="utf-8", errors="replace") as terminal:
            for number in saved:
                os.dup2(target, number)
            try:
                yield console_on(terminal)
            finally:
                try:
                    _leave_ray()
                finally:
                    sys.stdout.flush()
                    sys.stderr.flush()
                    for number, copy in saved.items():
                        os.dup2(copy, number)
    finally:
        for copy in (*saved.values(), target):
            os.close(copy)


def _leave_ray() -> None:
    """Leave the Ray of this process, if there is one: what it holds back, errors that came again, it prints at its end,
    which would else be behind what the command has to say."""
    if (ray := sys.modules.get("ray")) is not None:
        ray.shutdown()


def _on(stream: Any, number: int) -> bool:
    try:
        return bool(stream.fileno() == number)
    except (AttributeError, OSError, ValueError):
        return False
