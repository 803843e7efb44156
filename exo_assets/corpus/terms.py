"""Words of a text, as the keyword index counts them.

Belongs here: cutting, stemming, and what is left out. Does not belong here: scores (`keyword_index.py`).

Names that hold a digit or an underscore (koi_fpflag_nt, Kepler-90, 0.5-year) stay whole beside their parts, and every
designator is also counted in the one form that all its spellings share (KOI 351.01 and K00351.01 are koi351.01), for
its star and for itself.
"""

from __future__ import annotations

import re
from typing import Any

from exo_assets.corpus.designators import designators

TERMS_VERSION = 1
"""Raised when an index of before would no longer find what it has: an index holds the one it was made with. A name that
is read only since then is found by its words there."""

_JOINED = re.compile(r"[^\W_]+(?:[._+‐-―−-][^\W_]+)*")
_PARTS = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?")
_HYPHENS = re.compile(r"[‐-―−]")

STOP_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "do", "does", "did", "for", "from", "had", "has", "have",
    "how", "if", "in", "into", "is", "it", "its", "no", "not", "of", "on", "or", "such", "than", "that", "the", "their",
    "then", "there", "these", "they", "this", "to", "was", "we", "were", "what", "when", "where", "which", "who", "why",
    "will", "with",
})  # fmt: skip


def terms(text: str, stem: Any) -> list[str]:
    """The terms of `text` in order; `stem` takes a list of words and gives their stems."""
    words: list[str] = []
    whole: list[str] = []
    for match in _JOINED.finditer(_HYPHENS.sub("-", text)):
        token = match[0].lower()
        parts = _PARTS.findall(token)
        words += [p for p in parts if p not in STOP_WORDS and (len(p) > 1 or p.isdigit())]
        if len(parts) > 1 and ("_" in token or any(c.isdigit() for c in token)):
            whole.append(token)
    names = [name for d in designators(text) if d.sure for name in dict.fromkeys((d.host, d.key))]
    return [*stem(words), *whole, *names]


def english_stemmer() -> Any:
    """Snowball's English stemmer, for lists of words."""
    from Stemmer import Stemmer

    return Stemmer("english").stemWords
