"""Publish again and again, killed before the first filesystem operation, then the second, and so on, until one lives.

A program of its own (`python -m tests.warehouse.kill_points FOLDER`), because every publisher is a fork of a process
that has imported everything and opened nothing. Prints how many points there were.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import pandas  # noqa: F401  (DuckDB imports it with the first table; a fork should not have to)
import pyarrow  # noqa: F401

from exo_resources.releases import ReleaseStore
from tests.warehouse.release_tables import tables

CHANGES = {"open", "os.chmod", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "shutil.rmtree"}
MOST = 200


def killed_at(folder: str, point: int) -> bool:
    """Publish in a fork that is killed before its `point`-th operation in `folder`; False if it lived."""

    def publish() -> None:
        left = point

        def hook(event: str, args: tuple[object, ...]) -> None:
            nonlocal left
            if event in CHANGES and args and str(args[0]).startswith(folder):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        ReleaseStore(folder, keep=2).publish(tables(point, rows=50), {"seed": point})

    status = _fork(publish)
    assert status in (0, signal.SIGKILL), f"point {point}: the publisher ended with {status}"
    return status == signal.SIGKILL


def inspect(folder: str, point: int) -> None:
    """The current release is whole and is one that was published."""

    def look() -> None:
        store = ReleaseStore(folder, keep=2)
        seed = store.verify().manifest.info["seed"]
        assert seed <= point, seed
        connection = store.open_current()
        assert connection.execute("SELECT min(seed), max(seed) FROM core_a").fetchone() == (seed, seed)

    assert _fork(look) == 0, f"after a kill at point {point} the current release was not whole"


def _fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


def main(folder: str) -> None:
    """Walk through the points."""
    assert _fork(lambda: ReleaseStore(folder, keep=2).publish(tables(0, rows=50), {"seed": 0}) and None) == 0
    for point in range(1, MOST):
        killed = killed_at(folder, point)
        inspect(folder, point)
        if not killed:
            print(point - 1)
            return
    raise SystemExit(f"no publication lived through {MOST} operations")


if __name__ == "__main__":
    main(sys.argv[1])
