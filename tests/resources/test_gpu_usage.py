"""Utilisation of a GPU, from a stand-in for the driver's tool."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from exo_resources.gpu_usage import GpuUsage

TOOL = '#!/bin/sh\n[ "$3" = -i ] && [ "$4" = 1 ] && printf \'40\\n[N/A]\\n 60\\n\'\nexec sleep 60\n'


def test_the_mean_of_what_the_tool_says_and_nothing_when_it_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(TOOL, encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    usage = GpuUsage("1")
    assert usage._tool is not None
    while len(usage._samples) < 2 and usage._tool.poll() is None:
        time.sleep(0.01)
    assert usage.share() == pytest.approx(0.5)
    assert math.isnan(usage.share()), "no sample since"
    usage.close()
    assert usage._tool.poll() is not None


def test_without_a_gpu_or_its_tool_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for usage in (GpuUsage(None), GpuUsage("0")):
        assert math.isnan(usage.share())
        usage.close()
