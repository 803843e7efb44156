"""The part of a passage that people are shown of it.

Belongs here: which sentence of a passage a question is about, and a window around it. Does not belong here: finding
passages (`library.py`), quoting sentences as an answer (`extractive.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from exo_assets.corpus.extractive import Words
from exo_assets.corpus.sentences import sentences

_WORD = re.compile(r"[^\W_]+(?:[._-][^\W_]+)*")


@dataclass(frozen=True)
class Excerpt:
    """Text on one line, cut at words, with an ellipsis where more stands; `matches` are (start, end) in it."""

    text: str
    matches: tuple[tuple[int, int], ...]


def excerpt(passage: str, wanted: frozenset[str], words: Words, width: int = 320) -> Excerpt:
    """At most `width` characters of `passage`, from the sentence on that has the rarest of the terms `wanted`."""
    spans = sentences(passage)
    shared = [sorted(wanted & words.terms(passage[a:b])) for a, b in spans]
    worth = [float(words.idf(terms).sum()) if terms else 0.0 for terms in shared]
    start = spans[worth.index(max(worth))][0] if spans else 0
    start = 0 if len(passage) <= width else min(start, _word_start(passage, len(passage) - width))
    said = " ".join(passage[start:].split())
    cut = said if len(said) <= width else said[: width - 1].rsplit(" ", 1)[0] + "…"
    text = ("…" if start else "") + cut
    matches = tuple(m.span() for m in _WORD.finditer(text) if words.terms(m[0]) & wanted)
    return Excerpt(text, matches)


def _word_start(text: str, at: int) -> int:
    """The first character at `at` or behind it that a word begins with."""
    while 0 < at < len(text) and not (text[at - 1].isspace() and not text[at].isspace()):
        at += 1
    return at
