"""One star's share of a stage: what it is made from, and what became of it.

Belongs here: the fingerprint of a star's inputs, and turning whatever happens to one star into an outcome. Does not
belong here: what is done with a star (`star_tasks.py`), or where (`star_asset.py`).
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from exo_assets.contracts import TableContract

LONGEST_MESSAGE = 500


@dataclass(frozen=True)
class Quantum:
    """The work on one star. `made_from` names everything that its rows depend on but the code."""

    star_id: str
    made_from: str
    work: Any


@dataclass(frozen=True)
class Outcome:
    """Rows, or why there are none. What is `transient` is tried again the next time, unchanged as it is."""

    rows: pa.Table | None
    reason: str = ""
    message: str = ""
    transient: bool = False


Work = Callable[[Any, Any], pl.DataFrame]
"""From a reader and the work on one star to its rows."""


def fingerprint(code: str, quantum: Quantum) -> str:
    """What a star's rows are computed from, as one digest."""
    return hashlib.sha256(f"{code}\n{quantum.made_from}".encode()).hexdigest()[:32]


def run_quantum(shared: tuple[Work, Any, TableContract], quantum: Quantum) -> Outcome:
    """The outcome of one star: an exception is one too.

    An error whose class has a `reason` (a code), or any ValueError, says that the star cannot be processed as it is. An
    OSError is the store's or the network's, and passes; anything else is a fault of the program, with its place.
    """
    work, reader, contract = shared
    try:
        rows = contract.check(work(reader, quantum.work))
    except (OSError, MemoryError) as error:
        return Outcome(None, "unreadable", f"{type(error).__name__}: {error}"[:LONGEST_MESSAGE], transient=True)
    except ValueError as error:
        return Outcome(None, getattr(error, "reason", _code(error)), str(error)[:LONGEST_MESSAGE])
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error} ({place.filename.rpartition('/')[2]}, line {place.lineno})"
        return Outcome(None, "unexpected", said[:LONGEST_MESSAGE])
    return Outcome(rows.to_arrow(compat_level=pl.CompatLevel.oldest()))


def _code(error: Exception) -> str:
    """Reason code of an error that has none: its class in small letters, 'clean' for CleanError."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).strip("_")
