"""arXiv's OAI-PMH service as a real HTTP server, with faults that can be switched on.

It answers ListRecords with from, until and set (date granularity, both ends included) in parts of `page` records.
Errors and tokens are those of arXiv's own server (github.com/arXiv/oaipmh): a token is the question that goes on from
the last day listed, and how much of that day to skip, quoted twice.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from tests.corpus.arxiv_answers import oai, oai_answer, oai_deleted, oai_record

EP = "physics:astro-ph:EP"


@dataclass
class Paper:
    """A record as the service has it now."""

    arxiv_id: str
    listed: str
    title: str = "Eight planets"
    abstract: str = "We find one more."
    categories: str = "astro-ph.EP astro-ph.IM"
    deleted: bool = False

    def record(self) -> str:
        if self.deleted:
            return oai_deleted(self.arxiv_id, self.listed)
        return oai_record(self.arxiv_id, self.title, self.abstract, listed=self.listed, categories=self.categories)


@dataclass
class OaiServer:
    """The running service; a context manager. `faults`: what becomes of the next requests, one each, '' for nothing."""

    papers: dict[str, Paper] = field(default_factory=dict)
    page: int = 2
    faults: deque[str] = field(default_factory=deque)
    always: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    megabytes: int = 0

    def __post_init__(self) -> None:
        server = self

        class Handler(_Handler):
            service = server

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/oai"

    def has(self, *papers: Paper) -> None:
        """Papers that the service lists from now on."""
        self.papers |= {paper.arxiv_id: paper for paper in papers}

    def answer(self, asked: dict[str, str]) -> bytes:
        resumed, skip = "resumptionToken" in asked, 0
        if resumed:
            if set(asked) != {"verb", "resumptionToken"}:
                return _error("badArgument", "No other parameters allowed with resumptionToken")
            asked = {name: values[0] for name, values in parse_qs(unquote(asked["resumptionToken"])).items()}
            skip = int(asked.pop("skip"))
        if wrong := _wrong(asked):
            return wrong
        first, last = asked.get("from", ""), asked.get("until", "9999")
        found = sorted(
            (p for p in self.papers.values() if first <= p.listed <= last and "astro-ph.EP" in p.categories),
            key=lambda p: (p.listed, p.arxiv_id),
        )
        part = found[skip : skip + self.page + 1]
        if not part:
            return _error("noRecordsMatch", "nothing")
        shown = [p.record() for p in part[: self.page]]
        if len(part) <= self.page:
            return oai_answer(*shown, token="<resumptionToken/>" if resumed else "")
        day = part[-1].listed
        if day == part[0].listed:
            more = asked | {"skip": str(skip + self.page)}
        else:
            more = asked | {"from": day, "skip": str(sum(p.listed == day for p in part) - 1)}
        token = quote(urlencode(more))
        return oai_answer(*shown, token=f"<resumptionToken expires='2026-03-19T00:00:00Z'>{token}</resumptionToken>")

    def __enter__(self) -> OaiServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _wrong(asked: dict[str, str]) -> bytes:
    """The error that a question is answered with; empty for a good one."""
    if set(asked) - {"verb", "metadataPrefix", "from", "until", "set"}:
        return _error("badArgument", "Unallowed parameter.")
    if asked.get("metadataPrefix") != "arXiv":
        return _error("cannotDisseminateFormat", "Did not recognize requested format")
    if asked.get("set") != EP:
        return _error("badArgument", "Set does not exist")
    return b""


def _error(code: str, said: str) -> bytes:
    return oai(f"<error code='{code}'>{said}</error>")


class _Handler(BaseHTTPRequestHandler):
    service: OaiServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self.service.requests.append(asked)
        fault = self.service.faults.popleft() if self.service.faults else self.service.always
        match fault:
            case "":
                self._send(self.service.answer(asked))
            case "cut":
                self._send(self.service.answer(asked)[:-40])
            case "html":
                self._send(b"<!DOCTYPE html><html><body>Rate exceeded.<br></body></html>")
            case "expired":
                self._send(oai('<error code="badResumptionToken">token expired</error>'))
            case "same_token":
                self._send(oai_answer(oai_record(), token="<resumptionToken>a|b|c|0</resumptionToken>"))
            case "fresh_token" | "fresh_record" | "long_token":
                count = len(self.service.requests)
                token = "x" * 200_000 if fault == "long_token" else str(count)
                paper = oai_record(f"2603.{count:05}" if fault == "fresh_record" else "2603.99999")
                self._send(oai_answer(paper, token=f"<resumptionToken>{token}</resumptionToken>"))
            case "endless":
                self._send_without_end()
            case _:  # a status, and how long to wait
                status, _, wait = fault.partition(" ")
                self._send(b"busy", int(status), {"Retry-After": wait} if wait else {})

    def _send_without_end(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.end_headers()
        with suppress(ConnectionError):
            for _ in range(200):
                self.wfile.write(b" " * 1_000_000)
                self.service.megabytes += 1

    def _send(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
