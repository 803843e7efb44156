"""Reading documents in a process of its own: a hostile file can hang or crash that one only.

Belongs here: the process, its limits of time and memory, and what becomes of a file that breaks them. Does not belong
here: the formats (`exo_assets.corpus.read_document`).

Parent and child speak in frames: eight bytes of length, then JSON; a file's bytes follow its request. The child says so
after every page whose text it recognised, so that a long scan is not taken for a hang.
"""

from __future__ import annotations

import dataclasses
import json
import os
import selectors
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from exo_assets.corpus.document import Document, Rejected
from exo_assets.corpus.plain_text import shown
from exo_assets.corpus.read_document import read_document
from exo_assets.corpus.reading import Limits, Ocr
from exo_resources.ocr import find_tesseract

_LENGTH = struct.Struct(">Q")
START_S = 120.0
"""Longest wait for the process to begin; a busy machine takes its time to load libraries."""


@dataclass(frozen=True)
class Bounds:
    """Longest wait for a sign of life and for a file, and the address space of the process."""

    silence_s: float = 180.0
    file_s: float = 3600.0
    memory_bytes: int = 6 * 2**30


class ReadingProcess:
    """A process that reads one file after the other; it is started when it is needed, and again after it died."""

    def __init__(
        self, bounds: Bounds | None = None, limits: Limits | None = None, module: str = "exo_resources.reading_process"
    ) -> None:
        """`module` is what the process runs: this one; tests name one with readers that misbehave."""
        self.bounds, self.limits, self.module = bounds or Bounds(), limits or Limits(), module
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, name: str, data: bytes) -> Document | Rejected:
        """The document in `data`, as `read_document` gives it; rejected when the process did not survive it.

        `timed_out`: it was silent for too long. `crashed`: it ended, twice; once may be the machine's doing.
        """
        try:
            try:
                return self._read(name, data)
            except _EndedError:
                return self._read(name, data)
        except _SilentError as error:
            said = f"{shown(name)}: reading it took longer than {error.seconds:g} s; print it to a new PDF or split it"
            return Rejected(shown(name), "file", "timed_out", said)
        except _EndedError as error:
            said = f"{shown(name)}: reading it {error}; print it to a new PDF, or give it as text"
            return Rejected(shown(name), "file", "crashed", said)

    def _read(self, name: str, data: bytes) -> Document | Rejected:
        process = self._running()
        _send(process, {"name": name, "bytes": len(data)}, data)
        return _result(self._answer(process))

    def close(self) -> None:
        """End the process. Safe to repeat."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with the program that recognises text, if it runs
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def __enter__(self) -> ReadingProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
            settings = {"limits": dataclasses.asdict(self.limits), "memory_bytes": self.bounds.memory_bytes}
            _send(self._process, settings)
            try:
                self._frame(self._process, START_S)
            except (_EndedError, _SilentError) as error:
                raise RuntimeError(f"the process that reads documents does not start ({error})") from None
        return self._process

    def _answer(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        """The next frame that is no sign of life."""
        ends = time.monotonic() + self.bounds.file_s
        while True:
            left = ends - time.monotonic()
            if left <= 0:
                self.close()
                raise _SilentError(self.bounds.file_s)
            frame = self._frame(process, min(left, self.bounds.silence_s))
            if "alive" not in frame:
                return frame

    def _frame(self, process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
        try:
            return _receive(process, seconds)
        except (_EndedError, _SilentError):
            self.close()
            raise


class _EndedError(Exception):
    """The process ended, or speaks nonsense."""


class _SilentError(Exception):
    """Nothing was heard for `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"silent for {seconds:g} s")
        self.seconds = seconds


def _send(process: subprocess.Popen[bytes], head: dict[str, Any], data: bytes = b"") -> None:
    assert process.stdin is not None
    body = json.dumps(head).encode()
    try:
        process.stdin.write(_LENGTH.pack(len(body)) + body)
        process.stdin.write(data)
        process.stdin.flush()
    except OSError:  # what it died of is found when its answer is waited for
        return


def _receive(process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
    (length,) = _LENGTH.unpack(_exactly(process, _LENGTH.size, seconds))
    try:
        frame = json.loads(_exactly(process, length, seconds))
    except ValueError:
        raise _EndedError("gave an answer that is none") from None
    if not isinstance(frame, dict):
        raise _EndedError("gave an answer that is none")
    return frame


def _exactly(process: subprocess.Popen[bytes], count: int, seconds: float) -> bytes:
    assert process.stdout is not None
    out, ends = bytearray(), time.monotonic() + seconds
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ)
        while len(out) < count:
            if not waiting.select(max(0.0, ends - time.monotonic())):
                raise _SilentError(seconds)
            chunk = os.read(process.stdout.fileno(), min(1 << 20, count - len(out)))
            if not chunk:
                raise _EndedError(_ended(process))
            out += chunk
    return bytes(out)


def _ended(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return "closed its end"
    return f"ended the process (signal {-code})" if code < 0 else f"ended the process (status {code})"


def _result(frame: dict[str, Any]) -> Document | Rejected:
    try:
        if "rejected" in frame:
            return Rejected(**frame["rejected"])
        fields: dict[str, Any] = frame["document"]
        return Document(**{k: _untied(v) for k, v in fields.items()})
    except (KeyError, TypeError, ValueError) as error:
        raise _EndedError(f"gave an answer that is none ({type(error).__name__})") from None


def _untied(value: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    return tuple(value) if isinstance(value, list) else value


# -- the child ---------------------------------------------------------------------------------------------------------


def serve(read: Callable[..., Document | Rejected] = read_document) -> None:
    """Answer requests on stdin until it ends. Nothing else may write to stdout: it is made stderr for libraries."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    settings = _next(requests)
    if settings is None:
        return
    limits = Limits(**settings["limits"])
    _bound_memory(settings["memory_bytes"])
    ocr = _telling(answers)
    _say(answers, {"ready": True})
    while (request := _next(requests)) is not None:
        try:
            result = read(request["name"], requests.read(request["bytes"]), limits=limits, ocr=ocr)
        except MemoryError:
            os._exit(70)
        if isinstance(result, Rejected):
            _say(answers, {"rejected": dataclasses.asdict(result)})
        else:
            # A file's document has no days: all its fields are JSON's.
            fields = {k: v for k, v in dataclasses.asdict(result).items() if v is not None}
            _say(answers, {"document": fields})


def _telling(answers: IO[bytes]) -> Ocr | None:
    """Tesseract with a sign of life after each page; None where it is not installed."""
    tesseract = find_tesseract()
    if tesseract is None:
        return None

    def recognise(picture: bytes) -> str:
        _say(answers, {"alive": True})
        text = tesseract(picture)
        _say(answers, {"alive": True})
        return text

    return recognise


def _next(requests: IO[bytes]) -> dict[str, Any] | None:
    head = requests.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    frame: dict[str, Any] = json.loads(requests.read(_LENGTH.unpack(head)[0]))
    return frame


def _say(answers: IO[bytes], frame: dict[str, Any]) -> None:
    body = json.dumps(frame).encode()
    answers.write(_LENGTH.pack(len(body)) + body)
    answers.flush()


def _bound_memory(limit: int) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


if __name__ == "__main__":
    serve()
