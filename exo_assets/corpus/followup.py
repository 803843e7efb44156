"""Questions that only their conversation explains.

Belongs here: which names a question takes over from those before it, and what is then searched for. Does not belong
here: keeping conversations.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from exo_assets.corpus.designators import Designator, designators
from exo_assets.corpus.names import names

REMEMBERED = 6
"""Turns that a question may refer to."""

_REFERS = re.compile(
    r"\b(?:it|its|itself|they|them|their|theirs|he|she|(?:this|that|these|those)(?=\W*\Z|\s+(?:star|planet|signal|system|"
    r"host|column|flag|table|candidate|object|world|one)s?\b)|the (?:star|planet|signal|system|host|column|flag|object)"
    r"|same|former|latter)\b|^\s*(?:and|what about|how about)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Turn:
    """A question of a conversation and the text that answered it; empty where it was declined."""

    question: str
    answer: str = ""


def _planets(question: str) -> list[Designator]:
    """Planets of a question by names that are surely ones only where a table knows them (gj 1214 b)."""
    return [d for d in designators(question) if d.key != d.host]


def standalone(question: str, history: Sequence[Turn] = ()) -> str:
    """`question` with the names that it refers to: those of the last question that names something.

    A question that names a star, planet, signal or column itself, or refers to nothing ('it', 'that planet', 'and the
    radius?'), stays as it is.
    """
    if not history or names(question) or not _REFERS.search(question):
        return question
    for turn in reversed(history[-REMEMBERED:]):
        found = [turn.question[d.start : d.end] for d in names(turn.question) or _planets(turn.question)]
        if found:
            return f"{question.strip()} ({', '.join(dict.fromkeys(found))})"
    return question
