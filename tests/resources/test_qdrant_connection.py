"""What goes wrong with a Qdrant server, in words and without secrets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from exo_resources.passage_server import QdrantServer
from exo_resources.qdrant_connection import QdrantConnection, QdrantServerError
from exo_resources.settings import Settings

KEY = "s3cr3t-key"


class _Answer(BaseHTTPRequestHandler):
    """The server's answer to everything; with status None it does not answer until it is let go."""

    def _answer(self) -> None:
        if self.server.status is None:  # type: ignore[attr-defined]
            self.server.let_go.wait(60)  # type: ignore[attr-defined]
            return
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        headers = {"Content-Length": str(len(self.server.body)), **self.server.headers}  # type: ignore[attr-defined]
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)  # type: ignore[attr-defined]

    do_GET = do_PUT = do_POST = do_DELETE = _answer

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def http() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    server.status, server.body, server.headers, server.let_go = 200, b"", {}, threading.Event()
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.let_go.set()
    server.shutdown()
    thread.join()
    server.server_close()


def _server(http: Any, **more: Any) -> QdrantServer:
    return QdrantServer(f"http://127.0.0.1:{http.server_address[1]}", "exo_corpus", KEY, **more)


def _said(server: QdrantServer) -> str:
    with pytest.raises(QdrantServerError) as caught:
        server.has("v", 1)
    text = str(caught.value)
    assert "(EXO_QDRANT_URL)" in text and KEY not in text and "\n" not in text and len(text) < 900
    assert server.status("v", 1)["problem"] == text
    return text


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Please log in</body></html>",
        b"",
        b"{}",
        b'{"result": null}',
        b'{"result": {"exists": "perhaps"}, "status": "ok", "time": 0}',
        b"\xff\xfe\xfa",
        b"[" * 200_000,
        b'"' + b"x" * 100_000 + b'"',
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_answers_otherwise_than_qdrant_is_said_to(http: Any, body: bytes) -> None:
    http.body = body
    assert "does not answer as Qdrant does" in _said(_server(http))


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(503, "see its log"), (401, "check EXO_QDRANT_API_KEY"), (403, "check EXO_QDRANT"), (404, "corpus_refresh")],
)
def test_a_refusal_is_told_with_the_servers_reason_and_no_secret(http: Any, status: int, remedy: str) -> None:
    http.status, http.body = status, b'{"status": {"error": "Wrong input:\\n s3cr3t-key is odd"}, "time": 0}'
    text = _said(_server(http))
    assert f"refuses: {status} " in text and "(Wrong input: *** is odd)" in text and remedy in text
    http.body = b"[" * 100_000
    said = "does not answer as Qdrant does (404 " if status == 404 else f"refuses: {status} "
    assert said in _said(_server(http))


def test_a_key_at_the_edge_of_what_is_shown_is_not_shown_in_part(http: Any) -> None:
    http.status, http.body = 400, b'{"status": {"error": "' + b"x" * 195 + b' s3cr3t-key"}}'
    assert "s3cr" not in _said(_server(http))


def test_a_redirect_is_told_and_not_followed(http: Any) -> None:
    http.status, http.headers = 307, {"Location": "https://elsewhere.example/login?key=1"}
    assert "redirects to elsewhere.example, which is not followed; correct the setting" in _said(_server(http))


@pytest.mark.parametrize("retry_after", ["7", "soon"])
def test_a_server_that_limits_how_often_it_is_asked_is_named(http: Any, retry_after: str) -> None:
    http.status, http.headers = 429, {"Retry-After": retry_after}
    assert "refuses: too many requests" in _said(_server(http))


def test_a_server_that_does_not_answer_in_time_is_named(http: Any) -> None:
    http.status = None
    assert "does not answer (timed out); start it" in _said(_server(http, timeout_s=1))


@pytest.mark.parametrize("host", ["[v1.x]:9", "a%00b:9", "xn--a:9"])
def test_a_host_that_nobody_can_connect_to_is_no_surprise(host: str) -> None:
    with pytest.raises(QdrantServerError, match="EXO_QDRANT_URL"):
        QdrantServer(f"http://{host}", "exo_corpus").has("v", 1)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host", "http://host:6333"),
        ("https://host/qdrant/", "https://host:6333/qdrant/"),
        ("http://[::1]", "http://[::1]:6333"),
        ("https://host:443", "https://host:443"),
    ],
)
def test_the_port_that_is_connected_to_is_shown(url: str, shown: str) -> None:
    link = QdrantConnection(url, None, 1)
    assert link.url == shown
    assert link.client._client.rest_uri.rstrip("/") == shown.rstrip("/")


@pytest.mark.parametrize("url", ["http://u:hunter2@host:6333", "http://hunter2@host", "http://host?key=hunter2"])
def test_a_url_with_a_secret_in_it_is_refused_without_telling_it(url: str) -> None:
    with pytest.raises(ValidationError, match="EXO_QDRANT_API_KEY has the key") as caught:
        Settings(qdrant_url=url)
    assert "hunter2" not in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize("name", ["qdrant_api_key", "llm_api_key"])
def test_keys_are_what_http_can_send(name: str) -> None:
    made = Settings(**{name: f" {KEY}\r\n"})  # type: ignore[arg-type]
    assert getattr(made, name) == SecretStr(KEY)
    assert getattr(Settings(**{name: "\n"}), name) is None  # type: ignore[arg-type]
    for odd in ("s3cr3t\nkey", "s3cr3t-é", "s3cr3t\0"):
        with pytest.raises(ValidationError, match="no key") as caught:
            Settings(**{name: odd})  # type: ignore[arg-type]
        assert "s3cr3t" not in str(caught.value)
