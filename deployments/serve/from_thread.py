"""What a thread makes bit by bit, where it is awaited.

Belongs here: carrying items across, silence, the time limit, and the end of work that nobody waits for. Does not belong
here: the work.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Executor
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Stopped = Callable[[], bool]


class TooLongError(RuntimeError):
    """The work went on beyond its time limit; it was told to stop."""


class FromThread(Generic[T]):
    """Iterates `make` in a thread of `pool`.

    `make` is given a function that says whether it should stop: it does when the iteration here ends before the work,
    by an error or because the client of a cancelled request has gone; the iterator is closed then, too.
    """

    def __init__(self, make: Callable[[Stopped], Iterator[T]], pool: Executor) -> None:
        self._make, self._pool = make, pool

    async def items(self, limit_s: float, silence_s: float) -> AsyncGenerator[T | None, None]:
        """The items in order, and None whenever there was none for `silence_s`. TooLongError after `limit_s` seconds;
        what the work raises is raised here."""
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[Callable[[], T]] = asyncio.Queue()
        stop = threading.Event()

        def tell(item: Callable[[], T]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(arrived.put_nowait, item)

        def work() -> None:
            try:
                self._carry(stop.is_set, tell)
            except Exception as error:
                tell(_raiser(error))
            else:
                tell(_raiser(StopAsyncIteration()))

        deadline = loop.time() + limit_s
        self._pool.submit(work)
        try:
            while True:
                left = deadline - loop.time()
                if left <= 0:
                    raise TooLongError(f"there was no answer within {limit_s:g} s")
                try:
                    # Not wait_for: in Python 3.11 it forgets to be cancelled when an item arrives at the same time.
                    async with asyncio.timeout(min(silence_s, left)):
                        item = await arrived.get()
                except TimeoutError:
                    yield None
                    continue
                try:
                    value = item()
                except StopAsyncIteration:
                    return
                yield value
        finally:
            stop.set()

    def _carry(self, stopped: Stopped, tell: Callable[[Callable[[], T]], None]) -> None:
        made = self._make(stopped)
        try:
            for item in made:
                if stopped():
                    return
                tell(partial(_itself, item))
        finally:
            if close := getattr(made, "close", None):
                close()  # a generator runs what it does at its end


def _itself(item: T) -> T:
    return item


def _raiser(error: BaseException) -> Callable[[], Any]:
    def raise_it() -> Any:
        raise error

    return raise_it
