"""Requests that wait together are computed together.

Belongs here: the waiting room. Does not belong here: what is computed.

Scoring one signal costs nearly as much as scoring thirty. `ray.serve.batch` holds a request back for a fixed time or
does not gather at all; here the first request starts at once, and those that arrive meanwhile form the next batch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


class Together(Generic[Q, A]):
    """Calls `compute` in a thread, one call at a time, each with all questions asked since the last."""

    def __init__(self, compute: Callable[[list[Q]], Sequence[A]], most: int) -> None:
        self._compute, self._most = compute, most
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """The answer to one question; what `compute` raises is raised to everyone who was in that batch."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            try:
                answers = await asyncio.to_thread(self._compute, [question for question, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():  # the client of a cancelled one has gone
                    future.set_result(answer)
