"""A library that does not work twice for the same question.

Belongs here: a copy of a library whose legs and vectors are kept while one question is searched for in several ways, or
the same sentences are looked at for many questions. Does not belong here: caches of what people ask.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from exo_assets.corpus.embedding import Vectors
from exo_assets.corpus.fusion import Floats
from exo_assets.corpus.library import Allowed, Embed, Library, PassageStore


def remembering(library: Library) -> Library:
    """`library` with a memory: of every text that it embeds, and of the last search of each leg."""
    out = copy.copy(library)
    out.embed, out.store = remembering_embed(library.embed), _RememberingStore(library.store)
    return out


def remembering_embed(embed: Embed) -> Embed:
    """`embed` that works once for each text."""
    known: dict[str, Vectors] = {}

    def embedded(texts: Sequence[str]) -> Vectors:
        if new := list(dict.fromkeys(text for text in texts if text not in known)):
            known.update(zip(new, embed(new), strict=True))
        return np.stack([known[text] for text in texts])

    return embedded


class _RememberingStore:
    """A store's legs, the last result of each kept."""

    def __init__(self, store: PassageStore) -> None:
        self._store = store
        self._last: dict[str, tuple[Hashable, Floats]] = {}

    def dense(self, vector: npt.NDArray[np.float32], depth: int, allowed: Allowed | None) -> Floats:
        """As the store's."""
        asked = (vector.tobytes(), depth, _named(allowed))
        return self._once("dense", asked, lambda: self._store.dense(vector, depth, allowed))

    def keyword(self, query: str, also: Collection[str], depth: int, allowed: Allowed | None) -> Floats:
        """As the store's."""
        asked = (query, frozenset(also), depth, _named(allowed))
        return self._once("keyword", asked, lambda: self._store.keyword(query, also, depth, allowed))

    def status(self) -> dict[str, Any]:
        """As the store's."""
        return self._store.status()

    def _once(self, leg: str, asked: Hashable, search: Callable[[], Floats]) -> Floats:
        if leg not in self._last or self._last[leg][0] != asked:
            self._last[leg] = (asked, search())
        return self._last[leg][1]


def _named(allowed: Allowed | None) -> Hashable:
    """What is allowed, as something that can be compared: its mask follows from the rest."""
    return None if allowed is None else (allowed.filters, allowed.stars)
