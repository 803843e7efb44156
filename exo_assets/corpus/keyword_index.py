"""The keyword index: BM25 over passages.

Belongs here: building, scoring, and its bytes. Does not belong here: which words a text has (`terms.py`), or how
keyword and vector scores are joined (`fusion.py`).

BM25 as Lucene computes it (Robertson and Zaragoza 2009; Kamphuis et al. 2020), by bm25s (Lù 2024, arXiv 2407.03618),
which scores every term of every passage once, when the index is built.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Collection, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from exo_assets.corpus.terms import TERMS_VERSION, english_stemmer, terms

Scores = npt.NDArray[np.float32]

K1, B = 1.5, 0.75
"""Saturation of repeated terms, and how much long passages are held back."""
_METHOD = "lucene"
_FORMAT = f"exo keyword index 1, terms {TERMS_VERSION}, {_METHOD} k1={K1} b={B}"


class KeywordIndexError(ValueError):
    """Bytes are not a keyword index that this version can read."""


class KeywordIndex:
    """An index over passages, which are named by their place in the list that it was built from."""

    def __init__(self, engine: Any, passages: int) -> None:
        """`engine` is a bm25s.BM25 that has been built; use `build` or `from_bytes`."""
        self._engine, self.passages = engine, passages
        self._stem = english_stemmer()

    @classmethod
    def build(cls, texts: Sequence[str]) -> Self:
        """Index `texts`; one without any term is in it and is never found. ValueError when there is no text."""
        if not texts:
            raise ValueError("no texts to index")
        stem = english_stemmer()
        engine = _engine()
        of_text = {text: terms(text, stem) for text in dict.fromkeys(texts)}
        found = [of_text[text] for text in texts]
        # Sorted, for bytes that do not depend on the process; with the empty word, as there may be no other.
        words = {word: at for at, word in enumerate(sorted({"", *(word for each in found for word in each)}))}
        ids = [[words[word] for word in each] for each in found]
        with np.errstate(invalid="ignore"):  # passages without any term have no mean length
            engine.index((ids, words), create_empty_token=False, show_progress=False)
        return cls(engine, len(texts))

    def scores(self, query: str, also: Collection[str] = ()) -> Scores:
        """BM25 of every passage for `query` (passages,); 0 where they share no term.

        `also` are terms that count as if the query had them, once each: other names of what it asks for.
        """
        asked = terms(query, self._stem)
        asked += sorted(set(also).difference(asked))
        wanted = [term for term in asked if term in self._engine.vocab_dict]
        if not wanted:
            return np.zeros(self.passages, dtype=np.float32)
        return np.asarray(self._engine.get_scores(wanted), dtype=np.float32)

    def found(self, query: str, also: Collection[str] = ()) -> Scores:
        """`scores` with NaN for passages that share no term with it, as `fusion.py` takes them."""
        scores = self.scores(query, also)
        return np.where(scores > 0, scores, np.float32(np.nan))

    def terms(self, text: str) -> frozenset[str]:
        """The terms of `text`, as they are indexed."""
        return frozenset(terms(text, self._stem))

    def idf(self, wanted: Sequence[str]) -> npt.NDArray[np.float64]:
        """Inverse document frequency of terms, ln(1 + (N - n + 0.5) / (n + 0.5)): the rarer, the larger, never 0."""
        starts = np.asarray(self._engine.scores["indptr"])
        place = [self._engine.vocab_dict.get(term) for term in wanted]
        n = np.array([0 if at is None else starts[at + 1] - starts[at] for at in place], dtype=float)
        return np.log1p((self.passages - n + 0.5) / (n + 0.5))

    def to_bytes(self) -> bytes:
        """The index as one zip of arrays and words; the same index gives the same bytes."""
        scores = self._engine.scores
        head = {"format": _FORMAT, "passages": self.passages, "words": sorted(self._engine.vocab_dict)}
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            packed.writestr(_entry("index.json"), json.dumps(head))
            for name in _ARRAYS:
                array = io.BytesIO()
                np.save(array, np.asarray(scores[name]), allow_pickle=False)
                packed.writestr(_entry(f"{name}.npy"), array.getvalue())
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The index that `to_bytes` wrote. KeywordIndexError for anything else, or one of another version."""
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as packed:
                head = json.loads(packed.read("index.json"))
                arrays = {n: np.load(io.BytesIO(packed.read(f"{n}.npy")), allow_pickle=False) for n in _ARRAYS}
        except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
            raise KeywordIndexError(f"not a keyword index: {error}") from error
        if head.get("format") != _FORMAT:
            raise KeywordIndexError(
                f"an index of another version ({head.get('format')!r}): build it again from the texts"
            )
        engine = _engine()
        engine.scores = arrays | {"num_docs": head["passages"]}
        engine.vocab_dict = {word: at for at, word in enumerate(head["words"])}
        engine.unique_token_ids_set = set(engine.vocab_dict.values())
        return cls(engine, head["passages"])


_ARRAYS = ("data", "indices", "indptr")


def _engine() -> Any:
    import bm25s

    engine = bm25s.BM25(method=_METHOD, k1=K1, b=B)
    engine.nonoccurrence_array = None  # of other methods; read before it is set where an index is loaded
    return engine


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # dated 1980: bytes must not depend on the clock
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
