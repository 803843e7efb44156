"""Reading request bodies within limits of size and time, and the CSV inside of them.

Belongs here: size, time, content type, multipart. Does not belong here: what a CSV or a JSON object means.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from deployments.serve.gate import BusyError, Gate
from deployments.serve.problems import LONGEST_SHOWN

JSON = "application/json"
CSV_TYPES = ("text/csv", "application/csv", "application/gzip", "application/x-gzip", "text/plain")
MULTIPART = "multipart/form-data"
PROMPT_S = 1.0
"""Within this time a body arrives that its client has at hand; one that does not is slow."""
LIMIT_S, SLOWEST = 10.0, 1e6
"""How long the start of a body may take, seconds, and at how many bytes a second the largest that is taken follows."""


class RefusedError(ValueError):
    """A request refused with an HTTP status."""

    def __init__(self, status: int, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.status, self.problem, self.remedy = status, problem, remedy


class Bodies:
    """The bodies of an ingress's requests to one part of it: slow ones are waited for, but no more than `slow`.

    Each request whose body is read holds one of the places of Serve's `max_ongoing_requests`. Without a limit, clients
    that send half a body each would hold all of them, and nobody would be answered. Those that send theirs promptly
    need no place here, however many they are.
    """

    def __init__(self, slow: int) -> None:
        self._slow = Gate(slow, 0)

    async def json(self, request: Request, largest: int) -> bytes:
        """The body of a request that says that it is JSON; RefusedError 415 when it says anything else, or nothing.

        A web page may send other types to a local endpoint without asking the endpoint first; JSON it may not.
        """
        kind = _kind(request)
        if kind != JSON and not (kind.startswith("application/") and kind.endswith("+json")):
            raise _other_kind(kind, f"send one JSON object with 'Content-Type: {JSON}'")
        return await self.read(request, largest)

    async def csv(self, request: Request, largest: int) -> tuple[bytes, str]:
        """The bytes of an uploaded CSV and what to call it: the body itself, or the file of a form."""
        kind = _kind(request)
        if kind not in CSV_TYPES and kind != MULTIPART:
            raise _other_kind(
                kind, f"send a CSV file with 'Content-Type: text/csv' (or application/gzip), or as {MULTIPART}"
            )
        body = await self.read(request, largest)
        if kind != MULTIPART:
            return body, "the body"
        return await _only_file(request, body)

    async def read(self, request: Request, largest: int) -> bytes:
        """The body; RefusedError 413 as soon as it is known to be longer than `largest` bytes, 408 when it does not
        arrive in time, 503 when it is slow and too many others are."""
        limit_s = LIMIT_S + largest / SLOWEST
        reading = asyncio.create_task(_read(request, largest))
        try:
            await asyncio.wait([reading], timeout=PROMPT_S)
            if not reading.done():
                async with self._slow:
                    await asyncio.wait([reading], timeout=limit_s - PROMPT_S)
            if not reading.done():
                raise RefusedError(408, f"the body did not arrive within {limit_s:.0f} s", "send it faster, or less")
            return reading.result()
        except BusyError:
            raise RefusedError(
                503, "too many bodies arrive slowly at once", "ask again later, and send the body at once"
            ) from None
        finally:
            reading.cancel()


async def _read(request: Request, largest: int) -> bytes:
    too_large = RefusedError(413, f"the body is larger than {largest / 1e6:g} MB", "send less at once")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > largest:
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            raise too_large
        parts.append(part)
    return b"".join(parts)


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def _other_kind(kind: str, remedy: str) -> RefusedError:
    return RefusedError(415, f"the content type {kind[:LONGEST_SHOWN] or '(none)'!r} is not taken here", remedy)


async def _only_file(request: Request, body: bytes) -> tuple[bytes, str]:
    async def once() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(request.headers, once(), max_files=2, max_fields=20).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise RefusedError(
            400, f"the form cannot be read ({error})", "send one file, as curl -F file=@table.csv does"
        ) from None
    try:
        files = [value for _, value in form.multi_items() if not isinstance(value, str)]
        if len(files) != 1:
            raise RefusedError(400, f"the form holds {len(files)} files", "send exactly one CSV file")
        return await files[0].read(), files[0].filename or "the file"
    finally:
        await form.close()
