"""What is wrong with a request, field by field.

Belongs here: the error of an invalid request, and what every JSON body is held against. Does not belong here: what a
request may say (request.py, library_request.py).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

LONGEST_SHOWN = 80
MOST_PROBLEMS = 50


class InvalidRequestError(ValueError):
    """A request that cannot be answered; `problems` has one entry per field."""

    def __init__(self, problems: list[dict[str, str]]) -> None:
        super().__init__("; ".join(f"{p['field']}: {p['problem']}" for p in problems))
        self.problems = problems


def refuse_repeated(body: bytes) -> None:
    """InvalidRequestError when the JSON object `body`, or one within it, names a field more than once."""
    if twice := sorted(_twice(json.loads(body, object_pairs_hook=_Pairs))):
        told = [
            {"field": name[:LONGEST_SHOWN], "problem": "is given more than once", "remedy": "give it once"}
            for name in twice[:MOST_PROBLEMS]
        ]
        raise InvalidRequestError([*told, *not_told(len(twice) - len(told))])


def not_told(count: int) -> list[dict[str, str]]:
    """The last entry, when there are `count` problems more than are told."""
    return [{"field": "(body)", "problem": f"has {count} problems more", "remedy": "mend these first"}] if count else []


class _Pairs(list[tuple[str, object]]):
    """A JSON object as its pairs, repeated names and all."""


def _twice(pairs: object, before: str = "") -> Iterator[str]:
    """Names that are given more than once, in the object and in those within."""
    if not isinstance(pairs, _Pairs):
        return
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            yield f"{before}{name}"
    for name, value in pairs:
        if isinstance(value, _Pairs):
            yield from _twice(value, f"{before}{name}.")
