"""Bodies over a real connection: prompt ones, slow ones, and those that never end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from deployments.serve import app as endpoint
from deployments.serve import body as body_module
from deployments.serve.app import LARGEST_TABLE
from deployments.serve.body import Bodies, RefusedError
from tests.ports import free_port

SLOW = 2
Scene = Callable[[int], Awaitable[None]]


def _app() -> FastAPI:
    """A route that reads a body, with the error handler of the endpoint."""
    api, bodies = FastAPI(), Bodies(SLOW)
    api.add_exception_handler(RefusedError, endpoint.api.exception_handlers[RefusedError])

    @api.post("/length")
    async def length(request: Request) -> JSONResponse:
        return JSONResponse(len(await bodies.json(request, 1000)))

    return api


def _served(scene: Scene) -> None:
    async def run() -> None:
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(_app(), port=port, log_level="error"))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            await scene(port)
        finally:
            server.should_exit = True
            await serving

    asyncio.run(run())


async def _sent(port: int, body: bytes, size: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request whose body is `size` bytes long, of which `body` is sent. Who forgets the writer hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /length HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    return reader, writer


async def _reply(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Status, and the rest of the first of what comes."""
    text = (await asyncio.wait_for(reader.read(2000), 30)).decode()
    return int(text.split()[1]), text.lower()


def test_a_body_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "PROMPT_S", 0.1)
    monkeypatch.setattr(body_module, "LIMIT_S", 0.3)

    async def scene(port: int) -> None:
        reader, writer = await _sent(port, b"{", 10)
        status, text = await _reply(reader)
        assert status == 408 and "connection: close" in text and "did not arrive" in text and "remedy" in text
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()

    _served(scene)


def test_slow_bodies_are_bounded_and_prompt_ones_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "PROMPT_S", 0.3)

    async def scene(port: int) -> None:
        slow = [await _sent(port, b"{", 10) for _ in range(SLOW)]
        await asyncio.sleep(0.6)
        one_more = await _sent(port, b"{", 10)
        status, text = await _reply(one_more[0])
        assert status == 503 and "slowly" in text and "remedy" in text
        prompt = [await _sent(port, b"1234567890", 10) for _ in range(20)]
        assert {(await _reply(reader))[0] for reader, _ in prompt} == {200}
        # A slow one that arrives after all is answered, and whoever goes away leaves the place to another.
        slow[0][1].write(b"123456789")
        assert (await _reply(slow[0][0]))[0] == 200
        slow[1][1].close()
        again = [await _sent(port, b"{", 10) for _ in range(SLOW)]
        await asyncio.sleep(0.6)
        for reader, writer in again:
            writer.write(b"123456789")
            assert (await _reply(reader))[0] == 200

    _served(scene)


def test_a_large_table_has_the_time_that_a_slow_line_needs() -> None:
    assert body_module.LIMIT_S + LARGEST_TABLE / body_module.SLOWEST > 40
