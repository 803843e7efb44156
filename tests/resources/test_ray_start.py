"""A Ray that does not start: it is tried again, and what the failed tries left is ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from exo_resources.ray_runtime import ATTEMPTS, RayRuntime, RayStartError

SLEEP = "import time; time.sleep(600)"


def test_tries_that_failed_leave_no_process_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ray does: its first processes are started, then it waits for them in vain and forgets them."""
    import ray

    runtime, begun = RayRuntime(None, tmp_path), []
    other = subprocess.Popen([sys.executable, "-c", SLEEP, str(tmp_path)])

    def init(**_: Any) -> None:
        begun.append(subprocess.Popen([sys.executable, "-c", SLEEP, f"--log_dir={runtime.temp}/session"]))
        raise RuntimeError("the node timed out during startup")

    monkeypatch.setattr(ray, "init", init)
    # Another test of this process may have started one.
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    try:
        with pytest.raises(RayStartError, match="timed out"):
            runtime.ensure()
        assert len(begun) == ATTEMPTS
        assert not any(psutil.pid_exists(process.pid) for process in begun)
        assert other.poll() is None, "what is not Ray's is left alone"
    finally:
        for process in (other, *begun):
            process.kill()
            process.wait()
