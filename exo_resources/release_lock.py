"""One publisher at a time, across processes.

Belongs here: the lock on a folder of releases. Does not belong here: what is done under it (`releases.py`).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exo_resources.release_files import ReleaseError


@contextmanager
def publisher_lock(path: Path, timeout_s: float) -> Iterator[None]:
    """Held by one publisher; the kernel frees it when the holder dies.

    ReleaseError, which names the holder, when it is not free within `timeout_s`; OSError where the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
                    raise ReleaseError(
                        f"process {holder} has been publishing in {path.parent} for more than {timeout_s:g} s; "
                        "wait for it or stop it, then publish again"
                    ) from None
                time.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
