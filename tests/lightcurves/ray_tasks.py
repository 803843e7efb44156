"""Tasks that Ray's workers import: some of them end their worker."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def slow_square(factor: int, number: int) -> int:
    """The later ones are quicker."""
    time.sleep(0.05 * (number % 3 == 0))
    return factor * number * number


def dies_once(folder: str, number: int) -> int:
    """Kills its worker the first time that it is asked for a number."""
    mark = Path(folder) / str(number)
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def dies_always(_shared: object, number: int) -> int:
    """Kills its worker when it is asked for zero."""
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number
