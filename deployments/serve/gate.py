"""How many requests are worked on at once, and how many may wait.

Belongs here: letting in, letting wait, turning away. Does not belong here: the work.
"""

from __future__ import annotations

import asyncio


class BusyError(RuntimeError):
    """So many are waiting that one more is turned away."""


class Gate:
    """`async with gate`: at most `at_once` inside, at most `waiting` before it; a cancelled one leaves its place."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self.at_once, self.most_waiting = at_once, waiting
        self._places = asyncio.Semaphore(at_once)
        self.inside = self.waiting = 0

    async def __aenter__(self) -> None:
        if self._places.locked() and self.waiting >= self.most_waiting:
            raise BusyError(f"{self.inside} requests are worked on and {self.waiting} wait")
        self.waiting += 1
        try:
            await self._places.acquire()
        finally:
            self.waiting -= 1
        self.inside += 1

    async def __aexit__(self, *_: object) -> None:
        self.inside -= 1
        self._places.release()

    def figures(self) -> dict[str, int]:
        """How many are inside and wait now, and how many may."""
        return {
            "inside": self.inside,
            "at_once": self.at_once,
            "waiting": self.waiting,
            "most_waiting": self.most_waiting,
        }
