"""What is tried again within a run, and what is not.

Belongs here: telling a hiccup of the world (an archive, a store, a worker that was killed) from what would fail again.
Does not belong here: a client's own retries, which come first, and the retries of whole runs, whose process was killed
(`dagster.yaml`).

A `RetryPolicy` of Dagster's would try everything again: what is deterministic, and also a step that was told to stop,
so that a run could not be cancelled. Heavy libraries are told by the names of their classes: nothing is imported for a
failure that does not happen.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg

RETRIES, WAIT_S = 2, 60
"""A minute later an archive may answer, a database be free, and a busy machine have room for Ray."""

MAY_PASS = frozenset(
    {
        "builtins.ConnectionError",
        "builtins.TimeoutError",
        "exo_resources.ray_runtime.RayStartError",
        "exo_resources.serve_cluster.ServeUnreachableError",
        *(f"ray.exceptions.{name}" for name in ("ActorDiedError", "ActorUnavailableError", "WorkerCrashedError")),
        *(f"ray.exceptions.{name}" for name in ("NodeDiedError", "OutOfMemoryError", "ObjectLostError")),
        *(f"ray.exceptions.{name}" for name in ("GetTimeoutError", "RaySystemError", "LocalRayletDiedError")),
        *(f"httpx.{name}" for name in ("NetworkError", "TimeoutException", "RemoteProtocolError")),
        *(f"requests.exceptions.{name}" for name in ("ConnectionError", "Timeout")),
        *(f"botocore.exceptions.{name}" for name in ("HTTPClientError", "ConnectionError")),
        "psycopg2.OperationalError",
    }
)
"""Failures that another try may not meet: no answer, a broken connection, a lost worker. Beside them count what says of
itself that it is `transient`, and a locked database."""


def may_pass(error: BaseException) -> bool:
    """Whether the same may succeed a minute later; by the error itself, or what it was raised from."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        locked = isinstance(at, sqlite3.OperationalError) and "locked" in str(at)
        if locked or getattr(at, "transient", False) or not MAY_PASS.isdisjoint(_names(type(at))):
            return True
        at = at.__cause__
    return False


OUTDATED = "exo_resources.lake.OutdatedTableError"


@contextmanager
def tried_again(wait_s: Callable[[], float] = lambda: WAIT_S) -> Iterator[None]:
    """Around what an asset does: a hiccup is tried again after `wait_s`; anything else ends it at once, as it is, but
    for a table of before an upgrade: that fails with its remedy alone, as the asset is not at fault."""
    try:
        yield
    except (dg.Failure, dg.RetryRequested):
        raise
    except Exception as error:
        if may_pass(error):
            raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=wait_s()) from error
        if OUTDATED in _names(type(error)):
            raise dg.Failure(str(error), allow_retries=False) from None
        raise


def _names(kind: type) -> Iterator[str]:
    return (f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__)
