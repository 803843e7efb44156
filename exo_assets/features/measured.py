"""How a measured quantity says what it is: beside its field, once, for table contracts and readers alike.

Belongs here: the note on a field, and columns made of such fields. Does not belong here: any quantity.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_type_hints

import polars as pl

from exo_assets.contracts import Column


@dataclass(frozen=True)
class About:
    """What a field of a result is: `Annotated[float, About(...)]`. `low` and `high` are what it can be at all."""

    text: str
    unit: str = ""
    low: float | None = None
    high: float | None = None


def columns_of(results: Iterable[type]) -> tuple[Column, ...]:
    """One column for each annotated field of the result classes, in order; null where it could not be measured."""
    out = []
    for result in results:
        for name, hint in get_type_hints(result, include_extras=True).items():
            about = next(note for note in hint.__metadata__ if isinstance(note, About))
            dtype = pl.Int64 if hint.__origin__ is int else pl.Float64
            out.append(Column(name, dtype, about.text, about.unit, low=about.low, high=about.high))
    return tuple(out)
