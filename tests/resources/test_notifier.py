"""Alerts: the log file always, the webhook when it is set, never an exception."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from exo_resources.notifier import Notifier


class Webhook:
    """A webhook that answers with the given status codes, the last one for ever."""

    def __init__(self, *codes: int) -> None:
        self.codes, self.bodies = list(codes), list[dict[str, Any]]()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(hook.codes.pop(0) if len(hook.codes) > 1 else hook.codes[0])
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/secret-token"


@pytest.fixture
def webhooks() -> Iterator[list[Webhook]]:
    started: list[Webhook] = []
    yield started
    for hook in started:
        hook.server.shutdown()
        hook.server.server_close()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_without_a_webhook_alerts_are_json_lines(tmp_path: Path) -> None:
    notifier = Notifier(tmp_path / "logs" / "alerts.jsonl")
    assert notifier.notify("run_failed", "the night failed", {"run": "r1"})
    assert notifier.notify("check_failed", "a check failed")
    first, second = lines(notifier.log_file)
    assert (first["kind"], first["text"], first["details"]) == ("run_failed", "the night failed", {"run": "r1"})
    assert second["kind"] == "check_failed"


def test_writers_at_the_same_time_never_mix_their_lines(tmp_path: Path) -> None:
    log = tmp_path / "alerts.jsonl"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: Notifier(log).notify("k", "x" * 20_000, {"n": n}), range(64)))
    assert sorted(line["details"]["n"] for line in lines(log)) == list(range(64))


def test_the_webhook_gets_what_the_log_gets(tmp_path: Path, webhooks: list[Webhook]) -> None:
    webhooks.append(Webhook(200))
    notifier = Notifier(tmp_path / "alerts.jsonl", webhooks[0].url)
    assert notifier.notify("run_failed", "the night failed", {"run": "r1"})
    assert webhooks[0].bodies == lines(notifier.log_file)


def test_a_webhook_that_recovers_is_tried_again(tmp_path: Path, webhooks: list[Webhook]) -> None:
    webhooks.append(Webhook(503, 429, 200))
    notifier = Notifier(tmp_path / "alerts.jsonl", webhooks[0].url, pause_s=0.01)
    assert notifier.notify("run_failed", "the night failed")
    assert len(webhooks[0].bodies) == 3
    assert [line["kind"] for line in lines(notifier.log_file)] == ["run_failed"]


@pytest.mark.parametrize(("code", "posts"), [(500, 3), (404, 1)])
def test_a_webhook_that_fails_is_logged_without_its_secret(
    tmp_path: Path, webhooks: list[Webhook], code: int, posts: int
) -> None:
    webhooks.append(Webhook(code))
    notifier = Notifier(tmp_path / "alerts.jsonl", webhooks[0].url, pause_s=0.01)
    assert not notifier.notify("run_failed", "the night failed")
    assert len(webhooks[0].bodies) == posts
    assert [line["kind"] for line in lines(notifier.log_file)] == ["run_failed", "webhook_failed"]
    assert f"HTTP {code}" in lines(notifier.log_file)[1]["text"]
    assert "secret-token" not in notifier.log_file.read_text()


def test_nothing_listening_or_a_bad_address_is_logged_too(tmp_path: Path) -> None:
    for url in ("http://127.0.0.1:9/hook", "no address at all"):
        notifier = Notifier(tmp_path / "alerts.jsonl", url, attempts=2, pause_s=0.01)
        assert not notifier.notify("run_failed", "the night failed")
    assert [line["kind"] for line in lines(notifier.log_file)] == ["run_failed", "webhook_failed"] * 2


def test_an_unwritable_log_file_does_not_raise(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not Notifier(tmp_path / "file" / "alerts.jsonl").notify("run_failed", "the night failed")
