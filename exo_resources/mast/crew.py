"""Several things at a time, and a source that does not answer found out early.

Belongs here: threads, and the count of failures in a row. Does not belong here: what the threads do.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from exo_resources.archive.errors import ArchiveError

T = TypeVar("T")
R = TypeVar("R")

MISSES_IN_A_ROW = 8
"""So many transient failures without an answer between them are an outage."""

WAKE_S = 0.2
"""How often a wait looks up for an interrupt, seconds."""


class Outage:
    """Whether a source has stopped answering. Shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._misses = 0
        self.problem: str | None = None
        """What the last failure was, once the source counts as down; None before."""

    def answered(self) -> None:
        """The source gave an answer, whatever it was worth."""
        with self._lock:
            self._misses = 0

    def failed(self, error: ArchiveError) -> None:
        """The source did not answer, or with a failure of its own."""
        if not error.transient:
            return self.answered()
        with self._lock:
            self._misses += 1
            if self._misses >= MISSES_IN_A_ROW:
                self.problem = error.problem


def side_by_side(work: Callable[[T], R], items: Sequence[T], at_once: int) -> Iterator[R]:
    """`work` of every item, by at most `at_once` threads, as they finish. An exception of `work` ends it.

    The threads are daemons and take no new item once the caller is gone: an interrupt waits for none of them.
    """
    waiting: queue.SimpleQueue[T] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[R | None, BaseException | None]] = queue.SimpleQueue()
    stop = threading.Event()
    for item in items:
        waiting.put(item)

    def labour() -> None:
        while not stop.is_set():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((work(item), None))
            except BaseException as error:  # raised where the results are taken
                done.put((None, error))

    for _ in range(min(at_once, len(items))):
        threading.Thread(target=labour, daemon=True, name="exo-mast").start()
    try:
        for _ in items:
            result, error = _next(done)
            if error is not None:
                raise error
            yield result  # type: ignore[misc]
    finally:
        stop.set()


def _next(done: queue.SimpleQueue[T]) -> T:
    """The next item. polars has signals restart what they interrupt: a wait without end would not be interrupted."""
    while True:
        try:
            return done.get(timeout=WAKE_S)
        except queue.Empty:
            continue
