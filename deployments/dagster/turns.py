"""Turns: one process at a time writes the tables below EXO_HOME.

Belongs here: the lock, and saying who holds it. Does not belong here: which runs take it (`executor.py`), and the
queue, which lets the daemon start one run at a time (`dagster.yaml`): the lock is for those that pass the queue by.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "writes.lock"


@contextmanager
def turn(home: Path, who: str) -> Iterator[Callable[[], str | None]]:
    """A turn to write, given back at the end; the kernel gives it back when this process dies.

    Yields a function that tries to take it: None when it is taken, else who has it. A process that never got it has
    nothing to give back.
    """
    home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def take() -> str | None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.pread(descriptor, 500, 0).decode(errors="replace").strip() or "another process"
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, who.encode(), 0)
        return None

    try:
        yield take
    finally:
        os.close(descriptor)
