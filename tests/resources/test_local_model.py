"""A model on this machine. llama.cpp itself is not installed: a module of its name stands in for it, in a real process
that serves real HTTP and checks what it is told."""

from __future__ import annotations

import importlib
import os
import time
from pathlib import Path

import pytest

from exo_assets.corpus.generated import GeneratorError, Message
from exo_resources import local_model
from exo_resources.language_model import language_model
from exo_resources.local_model import LocalModel
from exo_resources.openai_call import Patience
from exo_resources.settings import CHECKOUT, Settings

STANDS_IN = """
import http.server, json, pathlib, threading, types

class CommonParams(types.SimpleNamespace):
    def __init__(self):
        super().__init__(model=types.SimpleNamespace(path=""), cache_ram_mib=8192)

class Server:
    def __init__(self, params):
        size = pathlib.Path(params.model.path).stat().st_size
        if size < 100:
            raise RuntimeError("failed to load model")
        key = f"Bearer {params.api_keys[0]}"
        assert params.hostnames == ["127.0.0.1"] and params.cache_ram_mib == 0 and params.n_parallel == 1

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_): pass

            def do_GET(self):
                self.reply({"data": [{"id": next(iter(params.model_alias))}]})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if "crash" in str(body["messages"]):
                    import os
                    print("out of memory", flush=True)
                    os._exit(9)
                delta = {"role": "assistant", "content": f"{params.n_ctx} tokens."}
                chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
                chunk["choices"] = [{"index": 0, "delta": delta, "finish_reason": "stop"}]
                self.reply(f"data: {json.dumps(chunk)}\\n\\ndata: [DONE]\\n\\n")

            def reply(self, value):
                if self.headers.get("authorization") != key:
                    self.send_error(401)
                    return
                data = (value if isinstance(value, str) else json.dumps(value)).encode()
                self.send_response(200)
                self.send_header("content-type", "text/event-stream" if isinstance(value, str) else "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        server = http.server.ThreadingHTTPServer((params.hostnames[0], params.port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.listening_address = f"http://{params.hostnames[0]}:{params.port}"
"""
ASK = [Message("user", "How many tokens?")]
CRASH = [Message("user", "crash")]


@pytest.fixture
def llama(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "xllamacpp.py").write_text(STANDS_IN)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(CHECKOUT)]))
    importlib.invalidate_caches()


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(1000))
    return path


def local(path: Path, tmp_path: Path, **declared) -> LocalModel:  # type: ignore[no-untyped-def]
    patience = Patience(timeout_s=60, attempts=1, context_tokens=declared.pop("context_tokens", 1024))
    return LocalModel(str(path), tmp_path / "logs" / "model.log", patience, **declared)


def test_a_model_loads_when_it_is_asked_and_ends_when_it_is_closed(llama: None, gguf: Path, tmp_path: Path) -> None:
    model = local(gguf, tmp_path, quantisation="4-bit", memory_gb=4.0)
    before = model.status()
    assert (before["state"], before["loaded_at"], before["url"]) == ("not loaded", None, None)
    assert list(model.stream(ASK)) == ["1024 tokens."]
    status = model.status()
    assert (status["kind"], status["model"], status["state"]) == ("local", "model.gguf", "ready")
    assert (status["quantisation"], status["memory_gb"]) == ("4-bit", 4.0)
    assert status["loaded_at"] and status["url"].startswith("http://127.0.0.1:")
    process = model._process
    assert process is not None and process.poll() is None
    assert list(model.stream(ASK)) == ["1024 tokens."] and model._process is process
    model.close()
    assert process.poll() is not None and model.status()["state"] == "not loaded"


def test_the_process_ends_with_the_one_that_started_it(llama: None, gguf: Path, tmp_path: Path) -> None:
    model = local(gguf, tmp_path)
    model.endpoint()
    process = model._process
    assert process is not None and process.stdin is not None
    process.stdin.close()  # as the system does when the parent dies
    assert process.wait(timeout=30) == 0


def test_a_crash_is_told_and_the_next_question_loads_again(llama: None, gguf: Path, tmp_path: Path) -> None:
    model = local(gguf, tmp_path)
    with pytest.raises(GeneratorError) as error:
        list(model.stream(CRASH))
    assert error.value.reason in ("broken", "unreachable")
    deadline = time.monotonic() + 30
    while (status := model.status())["state"] != "unreachable" or "exit code 9" not in str(status["reason"]):
        assert time.monotonic() < deadline, status
    assert "out of memory" in status["reason"] and status["last_error"]["reason"] == error.value.reason
    assert list(model.stream(ASK)) == ["1024 tokens."]
    assert model.status()["state"] == "ready"
    model.close()


def test_a_model_that_cannot_be_loaded_says_why(llama: None, tmp_path: Path) -> None:
    small = tmp_path / "small.gguf"
    small.write_bytes(b"GGUF")
    model = local(small, tmp_path)
    with pytest.raises(GeneratorError, match=r"could not be loaded.*failed to load model") as error:
        list(model.stream(ASK))
    assert "EXO_GENERATOR=extractive" in str(error.value)
    assert model.status()["last_error"]["reason"] == "unreachable"


def test_a_model_beyond_the_declared_memory_is_refused_with_numbers(llama: None, gguf: Path, tmp_path: Path) -> None:
    model = local(gguf, tmp_path, memory_gb=0.4, context_tokens=4096)
    assert model.needed_gb() == pytest.approx(0.3 + 0.15 * 4.096, abs=1e-3)
    with pytest.raises(GeneratorError, match=r"about 0\.9 GB .* 4,096 tokens.* than the 0\.4 GB of EXO_LLM_MEMORY_GB"):
        list(model.stream(ASK))
    status = model.status()
    assert status["state"] == "refused" and "0.4 GB" in status["reason"] and model._process is None


def test_files_that_are_no_models_are_refused(llama: None, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(b"PK\x03\x04")
    for path, why in ((other, "is no GGUF file"), (tmp_path / "none.gguf", "No such file")):
        status = local(path, tmp_path).status()
        assert status["state"] == "refused" and why in status["reason"]


def test_without_the_package_the_command_that_brings_it_is_told(
    gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_model, "PACKAGE", "xllamacpp_that_is_not_here")
    with pytest.raises(GeneratorError, match="pip install xllamacpp") as error:
        list(local(gguf, tmp_path).stream(ASK))
    assert error.value.reason == "refused"


def test_the_settings_name_the_file(gguf: Path, tmp_path: Path) -> None:
    chosen = language_model(Settings(home=tmp_path, generator="local", llm_model=str(gguf), llm_memory_gb=8))
    assert isinstance(chosen, LocalModel) and chosen.path == gguf and chosen.memory_gb == 8
    assert chosen.log == tmp_path / "logs" / "language_model.log"
