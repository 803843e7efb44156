"""A library over a handful of documents, in memory: real chunks, vectors and keywords, no lake and no Qdrant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.corpus.chunks import ChunkSettings, chunk_table
from exo_assets.corpus.designators import designators, key
from exo_assets.corpus.document import Document, documents_table
from exo_assets.corpus.embedding import Embedder, Vectors, load_tokenizer
from exo_assets.corpus.fusion import Floats, deepest
from exo_assets.corpus.identifiers import ALIAS_SCHEMA
from exo_assets.corpus.keyword_index import KeywordIndex
from exo_assets.corpus.library import Allowed, Library
from exo_assets.corpus.tokens import Offsets

Star = tuple[str, Sequence[str], Sequence[tuple[str, Sequence[str]]]]
"""A star's id, its names, and of each signal on it the id and the names."""

KEPLER_90: Star = (
    "kic:11442793",
    ("KIC 11442793", "KOI-351", "Kepler-90", "TIC 267667145"),
    (("kepler:K00351.01", ("K00351.01", "Kepler-90 h")), ("kepler:K00351.02", ("K00351.02", "Kepler-90 g"))),
)


@dataclass(frozen=True)
class MemoryStore:
    """Both legs over arrays: vectors (passages, dimensions) of unit length, and a keyword index of the passages."""

    vectors: Vectors
    keywords: KeywordIndex

    def dense(self, vector: npt.NDArray[np.float32], depth: int, allowed: Allowed | None) -> Floats:
        return self._best(self.vectors @ vector, depth, allowed)

    def keyword(self, query: str, also: Collection[str], depth: int, allowed: Allowed | None) -> Floats:
        return self._best(self.keywords.found(" ".join([query, *sorted(also)])), depth, allowed)

    def status(self) -> dict[str, Any]:
        return {"kind": "in memory", "state": "ready", "problem": None}

    @staticmethod
    def _best(scores: npt.NDArray[np.float32], depth: int, allowed: Allowed | None) -> Floats:
        found = scores.astype(float)
        return deepest(found if allowed is None else np.where(allowed.passages, found, np.nan), depth)


def small_library(
    documents: Iterable[Document],
    stars: Iterable[Star] = (KEPLER_90,),
    *,
    missions: Mapping[str, str] | None = None,
    version: str = "small-1",
    chunks: ChunkSettings | None = None,
) -> Library:
    """`documents` cut, embedded by the packaged model and indexed; `stars` are the catalogue that names them.

    `missions` says of which mission a document is (by id).
    """
    aliases = alias_table(stars)
    table = documents_table(documents)
    table = table.with_columns(
        targets=pl.Series([_targets(text, aliases) for text in table["text"]], dtype=pl.List(pl.String)),
        mission=pl.Series([(missions or {}).get(name) for name in table["document_id"]], dtype=pl.String),
    )
    passages = chunk_table(table, offsets(), chunks)
    texts = passages["text"].to_list()
    keywords = KeywordIndex.build(texts)
    return Library(
        {"version": version},
        chunks=passages,
        documents=table.drop("text"),
        aliases=aliases,
        store=MemoryStore(embed(texts), keywords),
        words=keywords,
        embed=embed,
    )


def document(document_id: str, text: str, title: str | None = None, **more) -> Document:  # type: ignore[no-untyped-def]
    """A document of text, of `source` and `media` as given, else a user's Markdown file."""
    return Document(
        document_id,
        more.pop("source", "file"),
        more.pop("media", "markdown"),
        title or document_id,
        text,
        **more,
    )


def alias_table(stars: Iterable[Star]) -> pl.DataFrame:
    """What `identifiers.aliases` makes of a catalogue of these stars."""
    rows = [
        (key(name), name, star, signal)
        for star, own, signals in stars
        for signal, names in [(None, own), *signals]
        for name in names
    ]
    return pl.DataFrame(rows, schema=ALIAS_SCHEMA, orient="row").sort("alias_key", "star_id", "signal_id")


@cache
def embedder() -> Embedder:
    """The packaged model, loaded once in a process."""
    return Embedder()


@cache
def offsets() -> Offsets:
    """Token offsets by the packaged model's tokenizer, special tokens left out."""
    tokenizer = load_tokenizer(embedder().files)
    return lambda text: tokenizer.encode(text, add_special_tokens=False).offsets


@cache
def _vector(text: str) -> Vectors:
    return embedder().embed([text])[0]


def embed(texts: Sequence[str]) -> Vectors:
    """Unit vectors of `texts`; each text is embedded once in a process, as tests ask the same again and again."""
    return np.stack([_vector(text) for text in texts])


def _targets(text: str, aliases: pl.DataFrame) -> list[str]:
    """Stars that a text names: their ids, or the key of a name that the catalogue does not know."""
    stars: dict[str, set[str]] = {}
    for alias_key, star in aliases.select("alias_key", "star_id").iter_rows():
        stars.setdefault(alias_key, set()).add(star)
    found: set[str] = set()
    for d in designators(text):
        known = stars.get(d.key) or stars.get(d.host)
        if known or d.sure:
            found |= known or {d.host}
    return sorted(found)
