"""What libraries print during a run goes to its log, and nothing of it comes after what the command says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from exo_resources.settings import CHECKOUT

SCRIPT = """
import sys
from pathlib import Path
from deployments.cli.terminal import quiet
from exo_resources.ray_runtime import RayRuntime
from tests.lightcurves.ray_tasks import dies_always

with quiet(Path(sys.argv[1]) / "log"):
    print("during")
    list(RayRuntime(None, Path(sys.argv[1])).stream(dies_always, None, [0, 2, 0, 2]))
print("after")
"""


@pytest.mark.ray
def test_what_ray_holds_back_does_not_come_behind_the_answer(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "after\n"), done.stderr
    log = (tmp_path / "log").read_text()
    assert "during" in log and "Task dies_always failed" in log
