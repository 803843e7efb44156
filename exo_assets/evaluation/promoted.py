"""Which models were ever promoted, and how well they ranked: a candidate is held against the best of them.

Belongs here: the record in the lake, and the choice of the best. Does not belong here: promotion (`champion.py`), or
the comparison with the best (`gates.py`). Held against the champion alone, every model may be a little worse than the
one before it, and after many nights much worse than the first.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from exo_assets.training.model_ref import ModelRef

ROOT = "evaluation/promoted"


class Blobs(Protocol):
    """What the record needs of the lake."""

    def put(self, key: str, data: bytes) -> None:
        """Write bytes under `key`, atomically."""

    def get(self, key: str) -> bytes:
        """Bytes under `key`."""

    def keys(self, prefix: str) -> list[str]:
        """Keys that begin with `prefix`."""


@dataclass(frozen=True)
class Promoted:
    """A model that was promoted; `average_precision` is that on the test stars of its day."""

    ref: ModelRef
    average_precision: float


def record(lake: Blobs, promoted: Promoted) -> None:
    """Remember a promotion, by the model's digest."""
    told = {**promoted.ref.as_row(), "average_precision": promoted.average_precision}
    lake.put(_key(promoted.ref), json.dumps(told, sort_keys=True).encode())


def best(lake: Blobs, candidate: ModelRef, is_withdrawn: Callable[[ModelRef], bool]) -> Promoted | None:
    """The promoted model of `candidate`'s name that ranked best, other than itself and those that were rolled back."""
    found = (_read(lake.get(key)) for key in lake.keys(f"{ROOT}/{candidate.name}/"))
    others = [one for one in found if one.ref.digest != candidate.digest and not is_withdrawn(one.ref)]
    return max(others, key=lambda one: (one.average_precision, one.ref.digest), default=None)


def _read(data: bytes) -> Promoted:
    told = json.loads(data)
    return Promoted(ModelRef.from_row(told), float(told["average_precision"]))


def _key(ref: ModelRef) -> str:
    return f"{ROOT}/{ref.name}/{ref.digest}.json"
