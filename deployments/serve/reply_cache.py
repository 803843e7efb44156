"""Replies that are given again.

Belongs here: keeping the last used within a number and a size. Does not belong here: what may be kept, and its key.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock


class ReplyCache:
    """The replies used last: at most `entries` with at most `size` bytes together. Safe to share between threads."""

    def __init__(self, entries: int, size: int) -> None:
        self.entries, self.size = entries, size
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = Lock()
        self._bytes = self.hits = self.misses = 0

    def get(self, key: Hashable) -> bytes | None:
        """The reply under `key`, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                self.misses += 1
                return None
            self.hits += 1
            self._kept.move_to_end(key)
            return found

    def put(self, key: Hashable, reply: bytes) -> None:
        """Keep a reply; one larger than a quarter of all that is kept is not."""
        if len(reply) > self.size // 4:
            return
        with self._lock:
            self._bytes += len(reply) - len(self._kept.pop(key, b""))
            self._kept[key] = reply
            while len(self._kept) > self.entries or self._bytes > self.size:
                self._bytes -= len(self._kept.popitem(last=False)[1])

    def clear(self) -> None:
        """Forget all replies."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def figures(self) -> dict[str, int]:
        """How full it is, and how often it helped."""
        with self._lock:
            return {"entries": len(self._kept), "bytes": self._bytes, "hits": self.hits, "misses": self.misses}
