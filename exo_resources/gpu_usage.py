"""How busy a GPU is while something runs on it, as its driver's own tool says.

Belongs here: sampling. Does not belong here: what runs there.
"""

from __future__ import annotations

import math
import subprocess
import threading
from typing import Any

EVERY_MS = 500


class GpuUsage:
    """Samples the utilisation of a GPU (an index or UUID) until closed; without it or its tool nothing is known."""

    def __init__(self, gpu: str | None) -> None:
        self._lock = threading.Lock()
        self._samples: list[float] = []
        self._tool = _started(gpu) if gpu is not None else None
        if self._tool is not None:
            threading.Thread(target=self._read, args=(self._tool.stdout,), name="gpu-usage", daemon=True).start()

    def share(self) -> float:
        """Mean share of the time since the last call that the GPU computed in, 0 to 1; nan when it is unknown."""
        with self._lock:
            samples, self._samples = self._samples, []
        return sum(samples) / len(samples) / 100 if samples else math.nan

    def close(self) -> None:
        """End sampling."""
        if self._tool is not None:
            self._tool.terminate()
            self._tool.wait()

    def _read(self, lines: Any) -> None:
        for line in lines:
            word = line.strip()
            if word.isdigit():  # "[N/A]" where the GPU does not say
                with self._lock:
                    self._samples.append(float(word))


def _started(gpu: str) -> subprocess.Popen[str] | None:
    # One process for all samples; when this process is killed, the broken pipe ends it.
    query = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-i", gpu, "-lms", str(EVERY_MS)]
    try:
        return subprocess.Popen(
            ["nvidia-smi", *query],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except FileNotFoundError:
        return None
