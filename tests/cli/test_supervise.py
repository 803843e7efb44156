"""The supervisor of the UI: nothing of it outlives it, however it ends."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from deployments.cli.ui import supervise
from exo_resources.settings import CHECKOUT

FAMILY = """
    import signal, subprocess, sys, time
    {first}
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    open({pids!r}, "w").write(f"{{__import__('os').getpid()}} {{grandchild.pid}}\\n")
    time.sleep(600)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids: list[int], within_s: float = 30) -> bool:
    deadline = time.monotonic() + within_s
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(alive, pids))


def supervisor(tmp_path: Path, *, stubborn: bool) -> tuple["subprocess.Popen[bytes]", list[int]]:
    """A supervisor started as a shell's background job is: with SIGINT ignored. And the pids it watches over."""
    pids = tmp_path / "pids"
    first = (
        "signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)"
        if stubborn
        else ""
    )
    family = textwrap.dedent(FAMILY.format(first=first, pids=str(pids)))
    code = f"""
        import signal, sys
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from deployments.cli.ui import supervise
        sys.exit(supervise([sys.executable, "-c", {family!r}], ".", grace_s=0.5))
    """
    started = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], cwd=CHECKOUT)
    while not (pids.exists() and pids.read_text().endswith("\n")):
        assert started.poll() is None
        time.sleep(0.05)
    return started, [int(pid) for pid in pids.read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stubborn", [False, True])
def test_told_to_end_it_ends_all_of_them(tmp_path: Path, number: signal.Signals, stubborn: bool) -> None:
    started, pids = supervisor(tmp_path, stubborn=stubborn)
    started.send_signal(number)
    assert started.wait(60) == 0
    assert gone(pids)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_killed_its_child_is_told_by_the_kernel(tmp_path: Path) -> None:
    started, pids = supervisor(tmp_path, stubborn=False)
    started.kill()
    started.wait()
    assert gone(pids[:1])
    if alive(pids[1]):
        os.kill(pids[1], signal.SIGKILL)


def test_the_exit_code_of_the_command_is_passed_on(tmp_path: Path) -> None:
    assert supervise([sys.executable, "-c", "import sys; sys.exit(7)"], str(tmp_path)) == 7
