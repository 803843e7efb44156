"""A small HTTP server that plays the OpenAI API: what a request gets is a function of the request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-the-secret-key"
MODEL = "tiny"


@dataclass
class Request:
    """What was asked: path, headers in lower case, and the body as JSON."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def said(self) -> str:
        """All that the messages hold."""
        return "\n".join(str(m["content"]) for m in self.body.get("messages", ()))


@dataclass
class Reply:
    """What is sent back. `pieces` are streamed as chunks; `body` is sent as it is."""

    pieces: list[str] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: bool = False
    """The connection ends behind the pieces, without an end of the stream."""
    hold: bool = False
    """Nothing more comes behind the pieces until the client goes away."""


@dataclass
class OpenAIServer:
    """`url` ends with /v1; `requests` are those for chat completions, which `asked` counts, for those who wait for one;
    `gone`: how many clients went away early."""

    url: str
    requests: list[Request]
    asked: threading.Semaphore
    gone: threading.Semaphore


@contextmanager
def openai_server(answer: Callable[[Request], Reply], models: tuple[str, ...] = (MODEL,)) -> Iterator[OpenAIServer]:
    """A running server that gives each request for a chat completion what `answer` says."""
    requests: list[Request] = []
    asked, gone, end = threading.Semaphore(0), threading.Semaphore(0), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._send(Reply(body=json.dumps({"data": [{"id": m} for m in models]}).encode()))

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            headers = {k.lower(): v for k, v in self.headers.items()}
            request = Request(self.path, headers, json.loads(self.rfile.read(length)))
            requests.append(request)
            asked.release()
            self._send(answer(request))

        def _send(self, reply: Reply) -> None:
            try:
                if reply.body is not None:
                    self._whole(reply)
                else:
                    self._stream(reply)
            except (BrokenPipeError, ConnectionResetError):
                gone.release()
                self.close_connection = True

        def _whole(self, reply: Reply) -> None:
            self.send_response(reply.status)
            kind = reply.headers.get("content-type", "application/json")
            for name, value in {**reply.headers, "content-type": kind, "content-length": str(len(reply.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def _stream(self, reply: Reply) -> None:
            self.send_response(reply.status)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            for piece in reply.pieces:
                self._event(piece, None)
            if reply.hold:
                self._wait_until_gone()
            elif reply.cut:
                self.close_connection = True
                self.connection.shutdown(2)
            else:
                self._event("", "stop")
                self._chunk(b"data: [DONE]\n\n")
                self.wfile.write(b"0\r\n\r\n")

        def _event(self, piece: str, finish: str | None) -> None:
            choice = {"index": 0, "delta": {"role": "assistant", "content": piece}, "finish_reason": finish}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": MODEL, "choices": [choice]}
            self._chunk(f"data: {json.dumps(chunk)}\n\n".encode())

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()

        def _wait_until_gone(self) -> None:
            self.connection.settimeout(0.05)
            while not end.is_set():
                try:
                    if self.connection.recv(1) == b"":
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            self.close_connection = True
            gone.release()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield OpenAIServer(f"http://127.0.0.1:{server.server_port}/v1", requests, asked, gone)
    finally:
        end.set()
        server.shutdown()
        thread.join()
        server.server_close()
