"""A language model on this machine: a GGUF file, served by llama.cpp in a process of its own.

Belongs here: whether it may and can be loaded, starting and ending its process. Does not belong here: what that process
does (`llama_process.py`), asking the model (`openai_call.py`).

llama.cpp comes with the optional package xllamacpp. Its server listens on the loopback interface only, on a free port,
with a key that nobody else has; it ends with the process that started it.
"""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from exo_assets.corpus.generated import GeneratorError
from exo_resources.language_model import NOT_LOADED, READY, REFUSED, UNREACHABLE, LanguageModel, asked_state, now
from exo_resources.llama_process import LOADED
from exo_resources.openai_call import REMEDY, Patience
from exo_resources.openai_endpoint import Endpoint
from exo_resources.settings import CHECKOUT

PACKAGE = "xllamacpp"
PROGRAM = "exo_resources.llama_process"
MAGIC = b"GGUF"
WEIGHTS_FACTOR, FIXED_GB, GB_A_1000_TOKENS = 1.1, 0.3, 0.15
"""Memory of a model by the size of its file: weights and buffers, the rest of the process, and the keys and values of a
context (0.03 GB per 1,000 tokens for models of 0.5 billion parameters, 0.13 for those of 8 billion)."""
LOAD_TIMEOUT_S = 600.0
END_TIMEOUT_S = 10.0
POLL_S = 0.2
LINES_SHOWN = 3


class LocalModel(LanguageModel):
    """A GGUF file, loaded when it is first asked. After a crash the next question loads it again."""

    kind = "local"

    def __init__(self, path: str, log: Path, patience: Patience, **declared: Any) -> None:
        """`declared`: quantisation and memory_gb, beyond which it is not loaded. The process writes to `log`."""
        super().__init__(Path(path).name, patience, **declared)
        self.path, self.log = Path(path).expanduser(), log
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._endpoint: Endpoint | None = None
        self._loaded_at: str | None = None
        self._ended: str | None = None

    @property
    def loaded_at(self) -> str | None:
        """When the model was loaded; None while it is not."""
        return self._loaded_at

    def needed_gb(self) -> float:
        """An estimate of the memory that the loaded model takes, GB."""
        context = GB_A_1000_TOKENS * self.patience.context_tokens / 1000
        return self.path.stat().st_size / 1e9 * WEIGHTS_FACTOR + FIXED_GB + context

    def check(self) -> None:
        """GeneratorError (refused) when the model may not or cannot be loaded here."""
        if find_spec(PACKAGE) is None:
            raise _refused(f"the package {PACKAGE} (llama.cpp) is not installed: pip install {PACKAGE}")
        try:
            with self.path.open("rb") as file:
                magic = file.read(len(MAGIC))
        except OSError as error:
            raise _refused(f"EXO_LLM_MODEL: {self.path} cannot be read ({error.strerror})") from error
        if magic != MAGIC:
            raise _refused(f"EXO_LLM_MODEL: {self.path} is no GGUF file")
        if self.memory_gb is not None and (needed := self.needed_gb()) > self.memory_gb:
            raise _refused(
                f"{self.name} takes about {needed:.1f} GB ({self.path.stat().st_size / 1e9:.1f} GB of weights, "
                f"{self.patience.context_tokens:,} tokens), more than the {self.memory_gb:g} GB of EXO_LLM_MEMORY_GB; "
                "choose a smaller or more strongly quantised file, or a smaller EXO_LLM_CONTEXT_TOKENS"
            )

    def endpoint(self) -> Endpoint:
        """Where the model answers; loads it unless it is. GeneratorError."""
        with self._lock:
            self._notice()
            if self._endpoint is None:
                self.check()
                self._endpoint = self._load()
                self._loaded_at, self._ended = now(), None
            return self._endpoint

    def state(self) -> tuple[str, str | None, str | None]:
        """Whether the model is loaded, or could be."""
        self._notice()
        if (endpoint := self._endpoint) is not None:
            state, reason = asked_state(endpoint)
            return state, reason, endpoint.url
        try:
            self.check()
        except GeneratorError as error:
            return REFUSED, str(error), None
        if self._ended:
            return UNREACHABLE, self._ended, None
        return NOT_LOADED, "it is being loaded" if self._process else "it loads when it is asked", None

    def close(self) -> None:
        """End the process; the next question loads the model again."""
        with self._lock:
            if self._process is not None:
                _end(self._process)
            self._process, self._endpoint, self._loaded_at = None, None, None

    def _notice(self) -> None:
        """Forget a process that has ended by itself, but not why."""
        process = self._process
        if process is not None and (code := process.poll()) is not None and self._endpoint is not None:
            self._ended = f"the process of the model ended (exit code {code}{self._last_lines()})"
            self._process, self._endpoint, self._loaded_at = None, None, None

    def _load(self) -> Endpoint:
        port, key = _free_port(), secrets.token_urlsafe(24)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        config = {
            "model": str(self.path.resolve()),
            "alias": self.name,
            "port": port,
            "key": key,
            "context_tokens": self.patience.context_tokens,
            "answer_tokens": self.patience.answer_tokens,
        }
        with self.log.open("wb") as log:
            # The open pipe ties the two lives together: its end, by whatever death, ends the model's process.
            process = subprocess.Popen(
                [sys.executable, "-m", PROGRAM], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        self._process = process
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(config).encode() + b"\n")
            process.stdin.flush()
            endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", self.name, key, trust_env=False)
            self._wait(process, endpoint)
        except BaseException:
            _end(process)
            self._process = None
            raise
        return endpoint

    def _wait(self, process: subprocess.Popen[bytes], endpoint: Endpoint) -> None:
        """Until the model answers. GeneratorError when its process ends or takes too long."""
        deadline = time.monotonic() + LOAD_TIMEOUT_S
        while time.monotonic() < deadline:
            if (code := process.poll()) is not None:
                raise GeneratorError(
                    f"{self.name} could not be loaded (exit code {code}{self._last_lines()}; all in {self.log}); "
                    f"{REMEDY}",
                    "unreachable",
                )
            # llama.cpp answers some requests before the model is there: its own word counts too.
            if LOADED.encode() in self.log.read_bytes() and asked_state(endpoint)[0] == READY:
                return
            time.sleep(POLL_S)
        raise GeneratorError(f"{self.name} was not loaded within {LOAD_TIMEOUT_S:g} s; see {self.log}", "timeout")

    def _last_lines(self) -> str:
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            return ""
        return ": " + " / ".join(lines[-LINES_SHOWN:])[-400:] if lines else ""


def _refused(message: str) -> GeneratorError:
    return GeneratorError(f"{message}; {REMEDY}", "refused")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
