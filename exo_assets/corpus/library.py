"""One version of the corpus, opened: search over its passages.

Belongs here: a question to ranked passages (legs, exact names, filters, fusion, one passage a document, re-ranking).
Does not belong here: where an index lies and how it is loaded (`exo_resources/library_store.py`), answers
(`extractive.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.corpus.contracts import GLOSSARY, SHIPPED
from exo_assets.corpus.designators import Designator, designators, key
from exo_assets.corpus.embedding import Vectors
from exo_assets.corpus.extractive import Words
from exo_assets.corpus.fusion import EQUAL, Floats, Fusion, Rows, best_of_documents, fuse, ranked
from exo_assets.corpus.identifiers import synonyms
from exo_assets.corpus.keyword_index import KeywordIndex

Mask = npt.NDArray[np.bool_]

LONGEST_QUERY = 4_000
"""Characters. A question is a sentence or a title, not a paper."""
RERANKED = 50
"""Passages that a cross-encoder looks at."""


class QueryError(ValueError):
    """A question that cannot be searched for; the message says why."""


@dataclass(frozen=True)
class Filters:
    """Which documents count; an empty field restricts nothing.

    `missions`, `sources`, `documents` (ids) and `targets` (names of stars, planets or signals, in any spelling) are
    alternatives within and together across; `year_from` and `year_to` include their ends.
    """

    missions: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    year_from: int | None = None
    year_to: int | None = None


@dataclass(frozen=True)
class SearchRequest:
    """How to search: at most `limit` results, one a document unless `every_passage`; `glossary`: with its words, which
    would otherwise stand before what explains more whenever a question has one of them in it."""

    limit: int = 10
    filters: Filters = field(default_factory=Filters)
    fusion: Fusion = EQUAL
    every_passage: bool = False
    rerank: bool = False
    glossary: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= 1000:
            raise QueryError(f"limit must be from 1 to 1000, not {self.limit}")


@dataclass(frozen=True)
class Hit:
    """A passage that was found: characters [start, end) of its document's text.

    `score` orders the results (of the fusion, 0 to 1 with weights; of the cross-encoder where `reranked`); `dense` is
    the cosine, `keyword` the BM25, None where that leg did not find it. `names_target`: its document names a star of
    the question.
    """

    chunk_id: str
    document_id: str
    source: str
    title: str
    section: str | None
    page: int | None
    start: int
    end: int
    text: str
    year: int | None
    url: str | None
    score: float
    dense: float | None
    keyword: float | None
    reranked: float | None
    names_target: bool


@dataclass(frozen=True)
class Allowed:
    """What a search may return: passages (passages,) of documents that pass `filters` and name a star of each of
    `stars` (`star_id`; keys of names that no table knows). `stars` has what the targets of `filters` and the query's
    own names come to, for stores that filter by themselves."""

    filters: Filters
    stars: tuple[frozenset[str], ...]
    passages: Mask


class PassageStore(Protocol):
    """The legs. Scores are over all passages, NaN where a passage was not among the best `depth` that are allowed."""

    def dense(self, vector: npt.NDArray[np.float32], depth: int, allowed: Allowed | None) -> Floats:
        """Cosine of passages and a unit vector (dimensions,)."""

    def keyword(self, query: str, also: Collection[str], depth: int, allowed: Allowed | None) -> Floats:
        """BM25 of passages for the terms of `query` and the terms `also`."""

    def status(self) -> dict[str, Any]:
        """How it is, as JSON values: `kind`, `state` (ready, failed), `problem`; it may ask over the network."""


Embed = Callable[[Sequence[str]], Vectors]
Rerank = Callable[[str, Sequence[str]], npt.NDArray[np.float64]]
"""Question and passages to a score of each (passages,), higher is better."""


class Library:
    """One version of the index. Safe to share between threads."""

    def __init__(
        self,
        manifest: Mapping[str, Any],
        *,
        chunks: pl.DataFrame,
        documents: pl.DataFrame,
        aliases: pl.DataFrame,
        store: PassageStore,
        words: Words,
        embed: Embed,
        rerank: Rerank | None = None,
    ) -> None:
        """`chunks` and `documents` are rows of corpus_chunks and corpus_documents (without text), `aliases` what
        `identifiers.aliases` gives; `store` counts passages as `chunks` does."""
        self.manifest, self.chunks, self.documents, self.aliases = manifest, chunks, documents, aliases
        self.store, self.words, self.embed, self._rerank = store, words, embed, rerank
        self.same = lru_cache(maxsize=4096)(self._same)
        self.allowed = lru_cache(maxsize=64)(self._allowed)
        self._stars_of_key: dict[str, set[str]] = {}
        for alias_key, star in aliases.select("alias_key", "star_id").iter_rows():
            self._stars_of_key.setdefault(alias_key, set()).add(star)

    @property
    def version(self) -> str:
        """Name of this version of the index."""
        return str(self.manifest["version"])

    @property
    def can_rerank(self) -> bool:
        """Whether a cross-encoder is there."""
        return self._rerank is not None

    def _same(self, key: str) -> frozenset[str]:
        """All keys of what a key names (`identifiers.synonyms`)."""
        return synonyms(key, self.aliases)

    def stars(self, text: str) -> frozenset[str]:
        """`star_id` of every star that `text` names."""
        found = (self._stars_of_key.get(d.key) or self._stars_of_key.get(d.host, set()) for d in designators(text))
        return frozenset().union(*found)

    def search(self, query: str, request: SearchRequest = SearchRequest()) -> list[Hit]:
        """The passages that are closest to `query`, best first.

        A query that is nothing but names (KOI-351; Kepler-90 h) gives only passages whose document names one of their
        stars. QueryError for a query without text, too long, or re-ranking without a cross-encoder, and for filters
        that name a document that is not there, or what is no name of a star.
        """
        query = " ".join(query.split())
        _checked_text("the query", query)
        if not query or not any(map(str.isalnum, query)):
            raise QueryError("there is nothing to search for: the query has no letter or digit")
        if len(query) > LONGEST_QUERY:
            raise QueryError(f"the query has {len(query):,} characters, over {LONGEST_QUERY:,}; shorten it")
        if request.rerank and self._rerank is None:
            raise QueryError("there is no cross-encoder; name the folder of one with EXO_RERANKER")
        asked = self._asked(query)
        wanted = self._stars_asked(asked)
        named = self._naming(wanted) if asked else None
        allowed = self.allowed(request.filters, wanted if asked and _only_names(query, asked) else None)
        legs = self._legs(query, asked, request.fusion, allowed)
        if not request.glossary:
            legs = {name: np.where(self._of_glossary, np.nan, leg) for name, leg in legs.items()}
        scores = fuse(legs, request.fusion)
        rows = self._best(scores, request)
        reranked: dict[int, float] = {}
        if request.rerank and self._rerank is not None and rows.size:
            texts = self.chunks["text"].gather(rows).to_list()
            reranked = dict(zip(rows.tolist(), self._rerank(query, texts).tolist(), strict=True))
            rows = np.array(sorted(rows.tolist(), key=lambda row: -reranked[row]), dtype=np.intp)
        return self._hits(rows[: request.limit], scores, legs, reranked, named)

    def terms(self, query: str) -> frozenset[str]:
        """The terms that a passage is found by: those of `query`, and all names of what it names."""
        return self.words.terms(query) | self._also(self._asked(query))

    def passage(self, chunk_id: str) -> dict[str, Any]:
        """The row of corpus_chunks with this id; KeyError when this version has none."""
        return self.chunks.row(self._row_of_chunk[chunk_id], named=True)

    def has_document(self, document_id: str) -> bool:
        """Whether this version holds the document."""
        return document_id in self._document_ids

    # -- the parts of a search -------------------------------------------------------------------------------------

    def _asked(self, query: str) -> list[Designator]:
        """The names in `query`; a query that is a known name as a whole counts even where texts would need more signs
        of one ('wasp 18b')."""
        found = [d for d in designators(query) if d.sure or d.key in self._stars_of_key]
        if found:
            return found
        whole = key(query)
        for host in (whole, whole[:-1] if whole[-1:] in "bcdefghi" else whole):
            if host in self._stars_of_key or host in self._documents_of_star:
                return [Designator(whole, host, 0, len(query))]
        return []

    def _legs(
        self, query: str, asked: Sequence[Designator], fusion: Fusion, allowed: Allowed | None
    ) -> dict[str, Floats]:
        also = self._also(asked)
        return {
            "dense": self.store.dense(self.embed([query])[0], fusion.depth, allowed),
            "keyword": self.store.keyword(query, also, fusion.depth, allowed),
        }

    def _also(self, asked: Sequence[Designator]) -> frozenset[str]:
        """Keys of all names of what is named."""
        return frozenset().union(*(self.same(d.key) | self.same(d.host) for d in asked))

    def _best(self, scores: Floats, request: SearchRequest) -> Rows:
        limit = max(request.limit, RERANKED) if request.rerank else request.limit
        if request.every_passage:
            return ranked(scores, limit)
        return best_of_documents(scores, self._document_of_chunk, limit)

    def _stars_asked(self, asked: Sequence[Designator]) -> frozenset[str]:
        """What the targets of a document that names one of `asked` are: stars, keys of names that no table knows."""
        known = (self._stars_of_key.get(d.key) or self._stars_of_key.get(d.host) or {d.host} for d in asked)
        return frozenset().union(*known)

    def _naming(self, stars: Collection[str]) -> Mask:
        """Passages whose document names one of `stars`."""
        return self._documents_naming(stars)[self._document_of_chunk]

    def _documents_naming(self, stars: Collection[str]) -> Mask:
        out = np.zeros(self.documents.height, dtype=bool)
        for star in stars:
            out[self._documents_of_star.get(star, [])] = True
        return out

    def _allowed(self, filters: Filters, only: frozenset[str] | None) -> Allowed | None:
        """What passes `filters` and names one of the stars `only`; None: everything does."""
        for text in (*filters.documents, *filters.targets):
            _checked_text("a filter", text)
        if unknown := [name for name in filters.documents if not self.has_document(name)]:
            raise QueryError(f"there is no document {unknown[0]!r} in the index {self.version}")
        d = self.documents
        passes = np.ones(d.height, dtype=bool)
        for column, values in (
            ("mission", filters.missions),
            ("source", filters.sources),
            ("document_id", filters.documents),
        ):
            if values:
                passes &= d[column].is_in(list(values)).fill_null(False).to_numpy()
        if filters.year_from is not None:
            passes &= (d["year"] >= filters.year_from).fill_null(False).to_numpy()
        if filters.year_to is not None:
            passes &= (d["year"] <= filters.year_to).fill_null(False).to_numpy()
        stars = [self._targets(filters.targets)] if filters.targets else []
        stars += [only] if only is not None else []
        for each in stars:
            passes &= self._documents_naming(each)
        return None if passes.all() else Allowed(filters, tuple(stars), passes[self._document_of_chunk])

    def _targets(self, names: Sequence[str]) -> frozenset[str]:
        """Stars of names; a name that no table knows stands for its own key."""
        out = frozenset[str]()
        for name in names:
            found = designators(name)
            stars = self.stars(name)
            if not found and not stars:
                raise QueryError(
                    f"{name!r} is no name of a star, planet or signal, such as Kepler-90 h or TIC 150428135"
                )
            out |= stars or {d.host for d in found}
        return out

    def _hits(
        self, rows: Rows, scores: Floats, legs: Mapping[str, Floats], reranked: Mapping[int, float], named: Mask | None
    ) -> list[Hit]:
        # Rows are read together: one at a time they cost more than the search.
        shown = self._shown[rows].to_dicts()
        found = {name: pl.Series(leg[rows]).fill_nan(None).to_list() for name, leg in legs.items()}
        return [
            Hit(
                **passage,
                score=reranked.get(row, float(scores[row])),
                dense=found["dense"][at],
                keyword=found["keyword"][at],
                reranked=reranked.get(row),
                names_target=bool(named is not None and named[row]),
            )
            for at, (row, passage) in enumerate(zip(rows.tolist(), shown, strict=True))
        ]

    @cached_property
    def _shown(self) -> pl.DataFrame:
        """What a hit says of each passage and its document (passages,)."""
        documents = self.documents.select("source", "title", "year", "url")[self._document_of_chunk]
        chunks = self.chunks.select("chunk_id", "document_id", "section", "page", "start", "end", "text")
        return chunks.hstack(documents.get_columns())

    @cached_property
    def _document_of_chunk(self) -> Rows:
        """Row of `documents` of each passage (passages,)."""
        rows = self.documents.select("document_id").with_row_index("row")
        joined = self.chunks.select("document_id").join(rows, on="document_id", how="left", maintain_order="left")
        return joined["row"].to_numpy().astype(np.intp)

    @cached_property
    def plain_words(self) -> Words:
        """Words by how rare they are in the documents that ship, the glossary aside: what those of a question weigh
        does not change with the literature that comes in beside them. Those of all documents where none of them is
        there."""
        ships = self.documents.filter(pl.col("source").is_in(SHIPPED))["document_id"]
        explaining = self.chunks.filter(~self.chunks["document_id"].str.starts_with(GLOSSARY))
        texts = explaining.filter(pl.col("document_id").is_in(ships.implode()))["text"].to_list()
        return KeywordIndex.build(texts) if texts else self.words

    @cached_property
    def _of_glossary(self) -> Mask:
        """Passages that are words of the glossary."""
        return self.chunks["document_id"].str.starts_with(GLOSSARY).to_numpy()

    @cached_property
    def _document_ids(self) -> frozenset[str]:
        return frozenset(self.documents["document_id"])

    @cached_property
    def _documents_of_star(self) -> dict[str, list[int]]:
        """Rows of `documents` that name a star."""
        named = self.documents.select("targets").with_row_index("row").explode("targets").drop_nulls()
        grouped = named.group_by("targets").agg("row")
        return dict(zip(grouped["targets"], grouped["row"].to_list(), strict=True))

    @cached_property
    def _row_of_chunk(self) -> dict[str, int]:
        return {chunk: row for row, chunk in enumerate(self.chunks["chunk_id"])}


def _checked_text(what: str, text: str) -> None:
    """QueryError for what came in as bytes that are no UTF-8: neither tokenizer nor index can read that."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise QueryError(f"{what} is not UTF-8 text: {text[:60]!a}") from None


def _only_names(query: str, asked: Sequence[Designator]) -> bool:
    """Whether nothing but names is asked for."""
    left = list(query)
    for d in asked:
        left[d.start : d.end] = " " * (d.end - d.start)
    return not any(map(str.isalnum, "".join(left)))
