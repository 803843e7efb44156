"""The library behind the endpoint: a Ray Serve deployment of its own, beside the vetter's.

Belongs here: the deployment's options, and its methods as the ingress calls them. Does not belong here: what they do
(library_work.py), opening an index (library_opener.py).

A replica of its own, with health of its own: whatever happens to it, signals are judged.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

from ray import serve

from deployments.serve.library_opener import open_library
from deployments.serve.library_request import AskBody, SearchBody
from deployments.serve.library_slot import LibraryPin, LibrarySlot
from deployments.serve.library_work import LibraryWork
from deployments.serve.reply import Reply

NICENESS = 5
"""The vetter, which answers in milliseconds, goes first where both want a processor."""
TRY_AGAIN_S = 30.0


@serve.deployment(
    name="Library",
    num_replicas=1,
    max_ongoing_requests=128,
    health_check_period_s=5,
    health_check_timeout_s=30,
    graceful_shutdown_timeout_s=10,
    graceful_shutdown_wait_loop_s=0.5,
    ray_actor_options={"num_cpus": 0},
)
class LibraryEndpoint:
    """Answers from the pinned version of the index; `reconfigure` puts another in its place while requests go on."""

    def __init__(self) -> None:
        with suppress(OSError):
            os.nice(NICENESS)
        self._slot = LibrarySlot(open_library)
        self._work = LibraryWork(self._slot, serve.get_replica_context().replica_id.unique_id)
        self._trying: asyncio.Task[None] | None = None

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Open the pinned version beside the one in use, then swap. A refused version leaves it in use."""
        await asyncio.to_thread(self._slot.put, LibraryPin.of(user_config))
        if self._trying is None and self._slot.opened is None and self._slot.refused:
            self._trying = asyncio.create_task(self._try_again())

    async def _try_again(self) -> None:
        """A replica that began while the lake could not be read has nothing: it looks again."""
        try:
            while self._slot.opened is None and (pin := self._slot.refused):
                await asyncio.sleep(TRY_AGAIN_S)
                if self._slot.refused == pin:
                    await asyncio.to_thread(self._slot.put, pin)
        finally:
            self._trying = None

    async def search(self, body: SearchBody) -> Reply:
        """POST and GET /v1/search."""
        return await self._work.search(body)

    async def ask(self, body: AskBody) -> Reply:
        """POST /v1/ask."""
        return await self._work.ask(body)

    async def chat(self, session: str, body: AskBody) -> Reply:
        """POST /v1/chat/{session}."""
        return await self._work.chat(session, body)

    async def ask_stream(self, body: AskBody) -> AsyncGenerator[Reply | bytes, None]:
        """POST /v1/ask, as events."""
        items = self._work.ask_stream(body)
        try:
            async for item in items:
                yield item
        finally:
            await items.aclose()

    async def chat_stream(self, session: str, body: AskBody) -> AsyncGenerator[Reply | bytes, None]:
        """POST /v1/chat/{session}, as events."""
        items = self._work.chat_stream(session, body)
        try:
            async for item in items:
                yield item
        finally:
            await items.aclose()

    async def history(self, session: str) -> Reply:
        """GET /v1/chat/{session}."""
        return await self._work.history(session)

    async def forget(self, session: str) -> Reply:
        """DELETE /v1/chat/{session}."""
        return await self._work.forget(session)

    async def dossier(self, signal: str) -> Reply:
        """GET /v1/dossier/{signal}."""
        return await self._work.dossier(signal)

    async def about(self) -> Reply:
        """GET /v1/corpus."""
        return await self._work.about()

    async def state(self) -> dict[str, Any]:
        """The library's part of /healthz."""
        return self._work.state()
