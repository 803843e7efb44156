"""The ingress's way to the library.

Belongs here: asking the library's replicas, how many requests may, and what is said when none answers. Does not belong
here: routes (library_routes.py), what the library does (library_work.py).

The vetter answers in the same process: however slow or dead the library is, no more than a part of the ingress's
requests wait for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any, Protocol

from deployments.serve.body import Bodies
from deployments.serve.gate import BusyError, Gate
from deployments.serve.library_refusals import RETRY_SOON_S
from deployments.serve.reply import Reply, refused

AT_ONCE = 32
"""Requests of an ingress replica that may be with the library; the ingress lets in more than that."""
SLOW_BODIES = 16
"""Bodies for the library that are waited for at once, beside these."""
PATIENCE_S = 60.0
"""How long a request waits for a replica's answer; questions, which have a limit of their own, longer."""
ASK_PATIENCE_S = 1800.0
HEALTH_PATIENCE_S = 2.0
UNREACHABLE: dict[str, Any] = {"status": "unreachable", "version": None, "rejected": None, "deployment_id": None}

log = logging.getLogger("ray.serve")


class Door(Protocol):
    """Calls by name of the methods of `LibraryEndpoint`."""

    @property
    def bodies(self) -> Bodies:
        """Where the bodies of requests to the library are read."""

    async def reply(self, method: str, *args: Any, again: bool = True) -> Reply:
        """The library's reply; a refusal when it does not answer. `again`: may be asked twice when a replica dies."""

    def stream(self, method: str, *args: Any) -> AsyncGenerator[Reply | bytes, None]:
        """A reply, and after one that is ok the events."""

    async def state(self) -> dict[str, Any]:
        """What /healthz tells of the library; never raises."""


class LibraryDoor:
    """A door through Serve's handle."""

    def __init__(self, handle: Any) -> None:
        self._handle, self._streaming = handle, handle.options(stream=True)
        self.bodies = Bodies(SLOW_BODIES)
        self._gate = Gate(AT_ONCE, 0)

    async def reply(self, method: str, *args: Any, again: bool = True) -> Reply:
        """As `Door.reply`."""
        patience = ASK_PATIENCE_S if method in ("ask", "chat") else PATIENCE_S
        try:
            async with self._gate, asyncio.timeout(patience):
                try:
                    return await self._call(method, *args)
                except Exception as error:
                    if not (again and _died(error)):
                        raise
                    log.warning("a replica of the library died; %s is asked again", method)
                    return await self._call(method, *args)
        except Exception as error:
            return _silent(error)

    async def _call(self, method: str, *args: Any) -> Reply:
        response = getattr(self._handle, method).remote(*args)
        try:
            return await response  # type: ignore[no-any-return]
        except BaseException:
            response.cancel()
            raise

    async def stream(self, method: str, *args: Any) -> AsyncGenerator[Reply | bytes, None]:
        """As `Door.stream`; a stream that breaks off ends with an event that says so."""
        begun = False
        try:
            async with self._gate:
                items = getattr(self._streaming, method).remote(*args)
                try:
                    async for item in items:
                        yield item
                        begun = True
                finally:
                    items.cancel()
        except Exception as error:
            reply = _silent(error)
            yield b"event: error\ndata: " + reply.body + b"\n\n" if begun else reply

    async def state(self) -> dict[str, Any]:
        """As `Door.state`."""
        try:
            async with asyncio.timeout(HEALTH_PATIENCE_S):
                response = self._handle.state.remote()
                try:
                    return await response  # type: ignore[no-any-return]
                except BaseException:
                    response.cancel()
                    raise
        except Exception:
            return UNREACHABLE


def _died(error: Exception) -> bool:
    from ray.exceptions import RayActorError

    return isinstance(error, RayActorError)


def _silent(error: Exception) -> Reply:
    if isinstance(error, BusyError):
        return refused(503, "the library has enough to do", "ask again later", retry_after_s=RETRY_SOON_S)
    if isinstance(error, TimeoutError):
        why = "it did not answer in time"
    elif _died(error):
        why = "its replica died"
    else:
        log.error("the library cannot be asked", exc_info=error)
        why = type(error).__name__
    remedy = "ask again soon: a replica that died is replaced; `exo serve status` says how it is"
    return refused(503, f"the library does not answer: {why}", remedy, retry_after_s=RETRY_SOON_S)
