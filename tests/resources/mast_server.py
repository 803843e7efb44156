"""MAST on this machine, over real HTTP: files, folder pages and the API, with faults that can be switched on.

`python -m tests.resources.mast_server FOLDER` serves the files of a folder, and prints its address.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = b"<!DOCTYPE html><html><title>Down</title><body>MAST is in maintenance</body></html>"


class MastServer:
    """`files` by path; `rows` are the API's observations. A context manager."""

    def __init__(self, files: Mapping[str, bytes], rows: list[dict[str, Any]] | None = None) -> None:
        self.files, self.rows, self.page_rows = dict(files), rows or [], 1000
        self.asked: Counter[str] = Counter()
        self.questions: list[dict[str, Any]] = []
        self.style = "apache"
        self.delay_s = 0.0
        self.most_at_once = 0
        self.stopping = threading.Event()
        self._faults: dict[str, list[str]] = defaultdict(list)
        self._always: dict[str, str] = {}
        self._now = 0
        self._lock = threading.Lock()
        server = self

        class Handler(_Handler):
            mast = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def fault(self, name: str, *kinds: str, always: str = "") -> None:
        """The next requests for `name` ('' for any, 'invoke' for the API) suffer these, then `always` if given."""
        self._faults[name] = list(kinds)
        self._always[name] = always

    def strikes(self, name: str) -> str:
        with self._lock:
            for who in (name, ""):
                if self._faults.get(who):
                    return self._faults[who].pop(0)
                if self._always.get(who):
                    return self._always[who]
        return ""

    def enter(self, change: int) -> None:
        with self._lock:
            self._now += change
            self.most_at_once = max(self.most_at_once, self._now)

    def __enter__(self) -> MastServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    mast: MastServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = urlsplit(self.path).path.lstrip("/")
        self.mast.asked[path.rpartition("/")[2] or path] += 1
        self.mast.enter(1)
        try:
            time.sleep(self.mast.delay_s)
            if path.endswith("/"):
                self._folder(path)
            else:
                self._file(path)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            self.mast.enter(-1)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        question = json.loads(form["request"][0])
        self.mast.questions.append(question)
        fault = self.mast.strikes("invoke")
        if fault in ("EXECUTING", "ERROR"):
            return self._send(json.dumps({"status": fault, "msg": "Invalid column"}).encode(), "application/json")
        if fault:
            return self._fault(fault, b"")
        self._send(json.dumps(self._answer(question)).encode(), "application/json")

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        filters = {f["paramName"]: f["values"] for f in question["params"]["filters"]}
        rows = [row for row in self.mast.rows if all(row.get(name) in values for name, values in filters.items())]
        size, page = min(question["pagesize"], self.mast.page_rows), question["page"]
        columns = question["params"]["columns"].split(",")
        shown = [{c: row.get(c) for c in columns} for row in rows[(page - 1) * size : page * size]]
        paging = {"page": page, "pageSize": size, "pagesFiltered": -(-len(rows) // size), "rowsFiltered": len(rows)}
        return {"status": "COMPLETE", "msg": "", "data": shown, "fields": [], "paging": paging}

    def _folder(self, path: str) -> None:
        fault = self.mast.strikes(path)
        if fault:
            return self._fault(fault, b"")
        inside = {p.removeprefix(path): len(d) for p, d in self.mast.files.items() if p.startswith(path)}
        names = {name: size for name, size in inside.items() if "/" not in name}
        if not names:
            return self._fault("404", b"")
        row = {
            "apache": '<tr><td><a href="{0}">{0}</a></td><td align="right">2014-01-01 10:00  </td><td>{1}</td></tr>\n',
            "nginx": '<a href="{0}">{0}</a>      19-Nov-2026 10:00      {1}\n',
            "python": '<li><a href="{0}">{0}</a></li>\n',
        }[self.mast.style]
        rows = "".join(row.format(name, size) for name, size in names.items())
        page = f'<html><body><a href="?C=N;O=D">Name</a> <a href="../">up</a>\n{rows}</body></html>'
        self._send(page.encode(), "text/html")

    def _file(self, path: str) -> None:
        data = self.mast.files.get(path)
        fault = self.mast.strikes(path.rpartition("/")[2])
        if data is None and not fault:
            fault = "404"
        if fault:
            return self._fault(fault, data or b"")
        self._send(data or b"", "application/fits")

    def _fault(self, kind: str, data: bytes) -> None:
        if kind.isdigit():
            self._send(b"no", "text/plain", int(kind))
        elif kind == "page":
            self._send(PAGE, "text/html")
        elif kind == "broken":  # the length is right, the body stops before
            self._start("application/fits", len(data))
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
        elif kind == "cut":  # the length agrees with a body that was cut
            self._send(data[: len(data) // 2], "application/fits")
        elif kind == "flipped":
            spoiled = bytearray(data)
            spoiled[-3000] ^= 4
            self._send(bytes(spoiled), "application/fits")
        elif kind == "redirect":
            self.send_response(302)
            self.send_header("Location", f"{self.mast.url}/elsewhere/{self.path.rpartition('/')[2]}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif kind == "drip":
            self._start("application/fits", len(data))
            for i in range(len(data)):
                if self.mast.stopping.wait(0.05):
                    break
                self.wfile.write(data[i : i + 1])
            self.close_connection = True

    def _start(self, kind: str, length: int, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send(self, body: bytes, kind: str, status: int = 200) -> None:
        self._start(kind, len(body), status)
        self.wfile.write(body)


def main() -> None:
    """Command line."""
    folder = Path(sys.argv[1])
    with MastServer({p.name: p.read_bytes() for p in folder.iterdir()}) as server:
        print(server.url, flush=True)
        server.stopping.wait()


if __name__ == "__main__":
    main()
