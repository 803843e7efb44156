"""Passages and questions as sparse vectors, for a store that keeps keywords beside vectors.

Belongs here: numbers for terms, and the weights by which the store's inner product is BM25. Does not belong here: which
terms a text has (`terms.py`), the store.

BM25 is a sum over terms of a part that only the passage knows and the term's rarity. The first is the weight in the
passage's vector; the second the store multiplies in itself (Qdrant: `Modifier.IDF`), so that it is of the whole
collection. Scores are those of `keyword_index.py`, but for passages without any term, which Qdrant does not count.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from exo_assets.corpus.keyword_index import K1, B


@dataclass(frozen=True)
class Sparse:
    """Numbers of terms, rising, and their weights."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


@lru_cache(maxsize=200_000)
def term_number(term: str) -> int:
    """A number below 2**32 that is the term's everywhere and for ever; in 100,000 terms about one pair shares one."""
    return int.from_bytes(hashlib.blake2b(term.encode(), digest_size=4).digest(), "big")


def mean_length(passages: Iterable[Collection[str]]) -> float:
    """Mean number of terms of a passage; 1 where none has any."""
    lengths = [len(terms) for terms in passages]
    return sum(lengths) / max(1, len(lengths)) or 1.0


def of_passage(terms: Sequence[str], mean_length: float) -> Sparse:
    """The vector of a passage with these terms."""
    norm = K1 * (1 - B + B * len(terms) / mean_length)
    return _sparse({term: n / (n + norm) for term, n in Counter(terms).items()})


def of_query(terms: Sequence[str], also: Collection[str] = ()) -> Sparse:
    """The vector of a question with these terms; `also` count as if it had them, once each."""
    return _sparse(Counter([*terms, *set(also).difference(terms)]))


def _sparse(weights: dict[str, float] | Counter[str]) -> Sparse:
    numbered: Counter[int] = Counter()
    for term, weight in weights.items():
        numbered[term_number(term)] += weight  # type: ignore[assignment]
    ordered = sorted(numbered.items())
    return Sparse(tuple(number for number, _ in ordered), tuple(float(weight) for _, weight in ordered))
