"""What a text denies: which characters of it the words not, no, without, excluded and their like bear on.

Belongs here: words that deny, and how far they reach. Does not belong here: comparing denials (`contrasts.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from exo_assets.corpus.terms import STOP_WORDS


@dataclass(frozen=True)
class Denial:
    """Characters [start, end) are denied; `clause` is all that is said in the same breath, what is before it too."""

    start: int
    end: int
    clause: tuple[int, int]


_DENIAL = re.compile(
    r"(?P<alone>\bnot (?=only\b)|\bnot (?=[^.,;]{0,30}\balone\b))"
    r"|(?P<clause>\b(?:not(?! more than\b)|never|cannot|unable|hardly|(?:fail|struggl|refus)(?:s|es?|ed)? to"
    r"|difficult\w* (?:to|in)?|\w+n[’']t)\b)"
    r"|(?P<behind>\b(?:no(?! more than\b| less than\b| fewer than\b)|none|neither|nor|without|nobody|nothing|unless"
    r"|lacks?|lacked|free of|inconsistent|incompatible"
    r"|(?<!is )(?<!are )(?<!was )(?<!be )(?<!both )(?<!were )(?:rul(?:es?|ed|ing) out|exclud(?:es?|ed|ing)))\b)"
    r"|(?P<word>\b(?:rather than|instead of)\b)"
    r"|(?P<ahead>\b(?:ruled out|excluded|absent)\b)",
    re.IGNORECASE,
)
"""What denies: the word only, the clause behind it, some words behind it, the next words, what is before it."""
_REACH = {"behind": 6, "word": 1}
"""How many words that say something are denied at most."""
_VERB = re.compile(r"\b(?:is|are|was|were|be|been|do|does|did|can|could|has|have|had|will|would|should|may|must)\s\Z")
_SCOPE_ENDS = re.compile(
    r"[,;:()]|[.!?](?=\s|$)|\b(?:but|because|since|although|while|whereas|unless|so that|which|if|when)\b"
)
_BACK = re.compile(r"[,;:()]|[.!?](?=\s)|\bbut\b|\bwhereas\b|\bwhile\b")
_NOTHING_BEHIND = re.compile(r"\s*(?:[.,;]|\b(?:at|by|with|to|beyond)\b)")
_ONLY = re.compile(r"\b(?:only|alone)\b")
_AND = re.compile(r"\band\b")
_WORD = re.compile(r"[^\W_]+")


def denials(text: str) -> list[Denial]:
    """All denials of `text`, in order."""
    return [_denial(text, match) for match in _DENIAL.finditer(text)]


def _denial(text: str, match: re.Match[str]) -> Denial:
    kind = str(match.lastgroup)
    stop = _SCOPE_ENDS.search(text, match.end())
    end = stop.start() if stop else len(text)
    before = [m.end() for m in _BACK.finditer(text, 0, match.start())]
    first = before[-1] if before else 0
    if kind == "alone":
        only = _ONLY.search(text, match.end())
        start, end = (only.start(), only.end()) if only else (end, end)
        return Denial(start, end, (first, end))
    if kind == "ahead":
        return Denial(first, match.start(), (first, end))
    if kind == "clause":
        joined = _AND.search(text, match.end(), end)
        end = joined.start() if joined else end
        says = match[0].lower() != "not" or _VERB.search(text, 0, match.start())
        return Denial(match.end(), end, (first if says else match.start(), end))
    if kind == "behind" and _NOTHING_BEHIND.match(text, match.end()) and len(before) > 1:  # ..., which the data exclude
        return Denial(before[-2], match.start(), (before[-2], end))
    reach = [m.end() for m in _WORD.finditer(text, match.end(), end) if m[0].lower() not in STOP_WORDS]
    end = reach[_REACH[kind] - 1] if len(reach) >= _REACH[kind] else end
    return Denial(match.end(), end, (match.start(), end))
