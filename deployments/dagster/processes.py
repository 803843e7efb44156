"""Which process a run is in, and whether that process is still there.

Belongs here: the tag that a run carries, and reading it. Does not belong here: what is done with a run whose process
is gone.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

PROCESS_TAG = "exo/process"


def this_process(run_id: str) -> str:
    """The tag of a run in this process: host, number and start, so that a number given again is not taken for it.

    With the run's own id, for a retried run inherits the tags of the one that failed.
    """
    return f"{run_id} {socket.gethostname()} {os.getpid()} {_started(os.getpid())}"


def is_gone(run_id: str, tag: str | None) -> bool:
    """Whether the process of a run has ended. False where nobody can tell: without a tag, or on another machine."""
    if not tag or not tag.startswith(f"{run_id} "):
        return False
    _, host, number, started = tag.split(" ")
    return host == socket.gethostname() and _started(int(number)) != started


def _started(number: int) -> str:
    """When a process started, in ticks since the machine did; `gone` when there is none, or it is a zombie."""
    try:
        # The name, in parentheses, may hold anything.
        state, *fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return "gone"
    return "gone" if state in "ZX" else fields[18]
