"""A replica of the archive's TAP service over real HTTP, with faults that can be switched on.

`python -m tests.archive.replica --folder FOLDER --port N [--fault truncated --table toi --times 2]` serves a mirror
folder (tap/<table>.csv.gz) at /TAP/sync as the archive does, and the folder's own files below /, as a mirror on a web
server. In tests: `with Replica(folder) as replica: replica.fault("toi", "html")`.

It knows the queries that Exo asks (`select * from T`, `select count(*)[,max(C)] from T`) and answers anything else as
the archive does: with a VOTable that says ERROR.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from exo_assets.archive.parse import parse_csv

_QUERY = re.compile(r"(?i)^select (?P<what>\*|count\(\*\)(?:,max\((?P<column>\w+)\))?) from (?P<table>\w+)$")

FAULTS = (
    "truncated",  # Content-Length is longer than the body
    "chunk_cut",  # chunked body without its end
    "short",  # a framed, complete answer that lacks its last rows
    "status_500",
    "status_404",
    "drip",  # a few bytes at a time, for ever
    "silent",  # headers, then nothing
    "html",  # an error page with status 200
    "votable",  # the service's own error document with status 200
    "renamed",  # a column has another name
    "duplicated",  # some rows are there twice
    "doubled",  # every row is there twice
    "same_key",  # two rows share their key but differ
    "same_keys",  # every key is there twice, in rows that differ
    "not_utf8",
    "empty",  # a header without rows
    "ragged",  # a row lacks fields
    "garbled",  # zeros became the letter O
    "words",  # words where the numbers were
    "count",  # count(*) disagrees with the rows
    "bad_gzip",  # damaged compressed file (mirror paths)
)

VOTABLE_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?><VOTABLE><RESOURCE type="results">'
    '<INFO name="QUERY_STATUS" value="ERROR">{}</INFO></RESOURCE></VOTABLE>'
)


PAGES: dict[str, tuple[bytes, str, int]] = {
    "status_500": (b"Internal Server Error", "text/plain", 500),
    "status_404": (b"Not Found", "text/plain", 404),
    "html": (
        b"<!DOCTYPE html><html><title>Down</title><body>The archive is in maintenance</body></html>",
        "text/html",
        200,
    ),
    "votable": (VOTABLE_ERROR.format("ORA-00942: no such table").encode(), "application/x-votable+xml", 200),
}

SPOILED: dict[str, Callable[[bytes, list[bytes]], bytes]] = {
    "short": lambda data, lines: b"\n".join(lines[:-6]) + b"\n",
    "renamed": lambda data, lines: re.sub(rb"(koi_period|pl_orbper|tce_period),", b"orbital_period,", data, count=1),
    "duplicated": lambda data, lines: data + b"\n".join(lines[1:3]) + b"\n",
    "doubled": lambda data, lines: data + b"\n".join(lines[1:]),
    "same_key": lambda data, lines: data + lines[1].rpartition(b",")[0] + b",99\n",
    "same_keys": lambda data, lines: data + b"".join(line.rpartition(b",")[0] + b",99\n" for line in lines[1:-1]),
    "not_utf8": lambda data, lines: b"\n".join([*lines[:3], lines[3][:-1] + b"\xe9", *lines[4:]]),
    "empty": lambda data, lines: lines[0] + b"\n",
    "ragged": lambda data, lines: b"\n".join([*lines[:3], lines[3].rpartition(b",")[0], *lines[4:]]),
    "words": lambda data, lines: b"\n".join([lines[0], *(re.sub(rb"[0-9.]+", b"unknown", line) for line in lines[1:])]),
    "garbled": lambda data, lines: b"\n".join([lines[0], *(line.replace(b"0", b"O") for line in lines[1:])]),
    "count": lambda data, lines: data,
}


@dataclass
class _Fault:
    kind: str
    times: int | None  # how often it strikes; None: always


@dataclass
class Replica:
    """The running service; a context manager."""

    folder: Path
    port: int = 0
    requests: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._faults: dict[str, _Fault] = {}
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self.started_body = threading.Event()
        replica = self

        class Handler(_Handler):
            service = replica

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Root URL."""
        return f"http://127.0.0.1:{self.port}"

    def fault(self, table: str, kind: str, times: int | None = None) -> None:
        """Switch a fault on for `table`, for the next `times` requests or for good."""
        if kind not in FAULTS:
            raise ValueError(f"unknown fault {kind!r}; known are {FAULTS}")
        with self._lock:
            self._faults[table] = _Fault(kind, times)

    def heal(self) -> None:
        """Switch every fault off."""
        with self._lock:
            self._faults.clear()

    def strikes(self, table: str) -> str:
        """The fault that this request suffers, '' when none."""
        with self._lock:
            fault = self._faults.get(table)
            if fault is None or fault.times == 0:
                return ""
            if fault.times is not None:
                fault.times -= 1
            return fault.kind

    def pending(self, table: str) -> str:
        """The fault that is switched on, without using it up."""
        with self._lock:
            fault = self._faults.get(table)
            return fault.kind if fault and fault.times != 0 else ""

    def csv(self, table: str) -> bytes | None:
        """The table of the folder as CSV, None when it is not there."""
        packed = self.folder / "tap" / f"{table}.csv.gz"
        plain = self.folder / "tap" / f"{table}.csv"
        if packed.exists():
            return gzip.decompress(packed.read_bytes())
        return plain.read_bytes() if plain.exists() else None

    def __enter__(self) -> Replica:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve_forever(self) -> None:
        """Serve in this thread until interrupted."""
        try:
            self._server.serve_forever()
        except KeyboardInterrupt:
            self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    service: Replica
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        try:
            if address.path == "/TAP/sync":
                self._tap({name: values[0] for name, values in parse_qs(address.query).items()})
            else:
                self._file(address.path)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    # -- TAP ---------------------------------------------------------------------------------------------------

    def _tap(self, parameters: dict[str, str]) -> None:
        query = " ".join(parameters.get("query", "").split())
        asked = _QUERY.match(query)
        table = asked["table"] if asked else ""
        data = self.service.csv(table) if asked else None
        if asked is None or data is None or parameters.get("format") != "csv":
            return self._send(VOTABLE_ERROR.format(f"cannot answer {query}").encode(), "application/xml", 400)
        if asked["what"] == "*":
            self.service.requests[table] += 1
            return self._table(data, "text/csv", self.service.strikes(table))
        self.service.requests[f"count {table}"] += 1
        return self._aggregate(table, data, asked["column"])

    def _aggregate(self, table: str, data: bytes, column: str | None) -> None:
        frame = parse_csv(data)
        fault = self.service.pending(table)
        rows = frame.height
        more = {"count": 7, "empty": -rows, "duplicated": 2, "same_key": 1, "doubled": rows, "same_keys": rows}
        n = rows + more.get(fault, 0)
        if column is None:
            return self._send(f"count(*)\n{n}\n".encode(), "text/csv")
        if column not in frame.columns:
            return self._send(VOTABLE_ERROR.format(f"unknown column {column}").encode(), "application/xml", 400)
        newest = frame[column].max()
        return self._send(f'count(*),max({column})\n{n},"{newest}"\n'.encode(), "text/csv")

    # -- files -------------------------------------------------------------------------------------------------

    def _file(self, path: str) -> None:
        file = (self.service.folder / path.lstrip("/")).resolve()
        if not file.is_relative_to(self.service.folder.resolve()) or not file.is_file():
            return self._send(b"<html><title>404 Not Found</title></html>", "text/html", 404)
        table = file.name.partition(".")[0]
        data, fault = file.read_bytes(), ""
        if self.command == "GET":
            self.service.requests[table] += 1
            fault = self.service.strikes(table)
        headers = {
            "Last-Modified": formatdate(file.stat().st_mtime, usegmt=True),
            "ETag": f'"{hashlib.sha256(data).hexdigest()}"',
        }
        if fault == "bad_gzip":
            return self._send(data[: len(data) // 2], "application/gzip", headers=headers)
        return self._table(data, "application/gzip", fault, headers)

    # -- answers and faults ------------------------------------------------------------------------------------

    def _table(self, data: bytes, kind: str, fault: str, headers: dict[str, str] | None = None) -> None:
        if fault in PAGES:
            self._send(*PAGES[fault])
        elif fault in ("truncated", "chunk_cut"):
            self._cut(data, kind, fault)
        elif fault in ("drip", "silent"):
            self._slowly(data, kind, fault)
        else:
            self._send(SPOILED[fault](data, data.split(b"\n")) if fault else data, kind, headers=headers)

    def _cut(self, data: bytes, kind: str, fault: str) -> None:
        half = data[: len(data) // 2]
        if fault == "truncated":
            self._start(kind, {"Content-Length": str(len(data))})
            self.wfile.write(half)
        else:
            self._start(kind, {"Transfer-Encoding": "chunked"})
            self.wfile.write(f"{len(half):x}\r\n".encode() + half + b"\r\n")
        self.close_connection = True

    def _slowly(self, data: bytes, kind: str, fault: str) -> None:
        self._start(kind, {"Content-Length": str(len(data))})
        self.wfile.flush()
        self.service.started_body.set()
        at = 0
        while not self.service.stopping.wait(0.05):
            if fault == "drip":
                self.wfile.write(data[at : at + 16])
                at += 16
        self.close_connection = True

    def _start(self, kind: str, *headers: dict[str, str] | None, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for several in headers:
            for name, value in (several or {}).items():
                self.send_header(name, value)
        self.end_headers()

    def _send(self, body: bytes, kind: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._start(kind, {"Content-Length": str(len(body))}, headers, status=status)
        if self.command != "HEAD":
            self.wfile.write(body)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Serve a mirror folder as the archive's TAP service.")
    parser.add_argument("--folder", type=Path, required=True, help="holds tap/<table>.csv.gz")
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--table", help="table that suffers the fault")
    parser.add_argument("--fault", choices=FAULTS)
    parser.add_argument("--times", type=int, help="how often; for good when not given")
    arguments = parser.parse_args()
    replica = Replica(arguments.folder, arguments.port)
    if arguments.fault:
        replica.fault(arguments.table, arguments.fault, arguments.times)
    print(f"{replica.url}/TAP/sync (EXO_ARCHIVE_URL={replica.url})", flush=True)
    replica.serve_forever()


if __name__ == "__main__":
    main()
