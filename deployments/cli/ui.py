"""`exo ui`: the Dagster UI and daemon, under supervision.

Belongs here: starting them, and ending every process of theirs when this one ends. Does not belong here: the instance.

`dagster dev` alone is easily orphaned: started in the background it inherits ignored signals, and when it is killed
its children live on. Here it is started with signals restored, in a process group of its own, and tied to this
process's life.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from types import FrameType

import typer

from deployments.cli.output import CliError, err, read_settings

GRACE_S = 20.0
"""How long the UI and the daemon get to end by themselves."""


def ui(
    host: str = typer.Option("127.0.0.1", help="Interface of the UI."),
    port: int = typer.Option(3000, min=1, max=65535, help="Port of the UI."),
) -> None:
    """The Dagster UI with schedules and sensors running. Ctrl-C or SIGTERM ends all of it."""
    from deployments.cli.execute import tidy
    from deployments.dagster.instance import InstanceError, open_instance
    from exo_resources.settings import CHECKOUT

    settings = read_settings()
    _refuse_taken_port(host, port)
    try:
        with open_instance(settings) as instance:  # installed, valid and reachable before anything is started
            tidy(instance, holding_alone=False)
    except InstanceError as error:
        raise CliError(str(error)) from error
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    os.environ.setdefault("EXO_UI_URL", f"http://{shown}:{port}")  # what alerts link to
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", host, "-p", str(port)]
    err().print(f"UI: http://{host}:{port}  (state in {settings.home}; Ctrl-C ends it)")
    code = supervise(command, cwd=str(CHECKOUT))
    if code:
        raise CliError(f"the UI ended with exit code {code}", "its last lines above say why")


def supervise(command: list[str], cwd: str, grace_s: float = GRACE_S) -> int:
    """Run `command` until it ends or this process is told to end; no process of its group outlives this call.

    The exit code of the command; 0 when it ended because it was told to.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # A handler, even where the signal was ignored: children of this process then start with the default again.
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    child: subprocess.Popen[bytes] | None = None
    try:
        # Only this thread runs here, so preparing the child between fork and exec is safe.
        child = subprocess.Popen(command, cwd=cwd, start_new_session=True, preexec_fn=_die_with_parent)  # noqa: PLW1509
        return child.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave orphans
        if child is not None:
            end(child, grace_s)
        for number, handler in before.items():
            signal.signal(number, handler)


def end(child: subprocess.Popen[bytes], grace_s: float) -> None:
    """End a process and its group: asked to, told to, and at last killed."""
    for number, patience in ((signal.SIGINT, grace_s), (signal.SIGTERM, 5.0)):
        if child.poll() is not None:
            break
        with suppress(ProcessLookupError):
            child.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(patience)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _die_with_parent() -> None:
    """In the child, on Linux: be told to end when the supervisor is killed and cannot tell any more."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def _refuse_taken_port(host: str, port: int) -> None:
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as taken:
            raise CliError(f"cannot listen on {host}:{port}: {taken.strerror}", "name another with --port") from taken
