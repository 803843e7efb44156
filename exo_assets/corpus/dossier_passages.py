"""Passages for dossiers: on a star by its names, or on what is like it.

Belongs here: which passages of a library a dossier quotes, and how much of each. Does not belong here: searching
(`library.py`), what a name is (`identifiers.py`), the rest of a dossier.

Passages on a star are found without a search, by the stars that each document is known to name (`targets`): thousands
of candidates are looked up in one pass. Only literature counts as being about a star, for this package's own texts name
stars as examples.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import polars as pl

from exo_assets.corpus.designators import Designator, designators
from exo_assets.corpus.library import Filters, Library, SearchRequest
from exo_assets.corpus.sentences import sentences

LITERATURE = ("arxiv", "file")
"""Sources that are literature; the others explain the archive and this package."""
EXPLAINING = ("exo:exo_assets/corpus/vetting.md",)
"""Documents that are quoted on a kind of signal while the corpus holds no literature: how such signals are vetted."""

QUOTED = 700
"""Characters of a quotation, about: whole sentences, and a sentence that is longer is quoted whole."""


@dataclass(frozen=True)
class PassageSettings:
    """At most so many passages on the star, and on its like; `least_cosine` is how close the latter must be."""

    about_star: int = 5
    like: int = 3
    least_cosine: float = 0.35


@dataclass(frozen=True)
class Quotation:
    """Characters [start, end) of a document's text, word for word.

    `names`: the star's and the signal's names as they stand in it. `about_star` is False for a passage on its like.
    """

    about_star: bool
    document_id: str
    chunk_id: str
    source: str
    title: str
    url: str | None
    year: int | None
    section: str | None
    page: int | None
    start: int
    end: int
    text: str
    names: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "names": list(self.names)}


@dataclass(frozen=True)
class Star:
    """Whom passages are sought for: the star, and the keys of its names and of the signal's."""

    star_id: str
    star_keys: frozenset[str]
    signal_keys: frozenset[str]

    def is_named(self, name: Designator) -> bool:
        """Whether a name is the signal's, the star's, or of another planet of the star."""
        return name.key in self.signal_keys or name.key in self.star_keys or (name.sure and name.host in self.star_keys)


_PLACE = ("document_id", "chunk_id", "source", "title", "url", "year", "section", "page")


class Literature:
    """The passages of one version of the library, as dossiers need them. Safe to share between threads."""

    def __init__(self, library: Library, settings: PassageSettings = PassageSettings()) -> None:
        self.library, self.settings = library, settings
        documents = library.documents.with_row_index("row").filter(pl.col("source").is_in(LITERATURE))
        self.documents = documents.height
        named = documents.select("row", star_id="targets").explode("star_id").drop_nulls().unique()
        self._rows = dict(named.group_by("star_id").agg(pl.col("row").sort()).iter_rows())
        self._chunks: dict[str, list[dict[str, Any]]] = {}
        self._names: dict[str, list[Designator]] = {}
        self._terms = lru_cache(maxsize=200_000)(library.words.terms)
        wanted = documents.filter(pl.col("row").is_in(named["row"].to_list()))["document_id"]
        for chunk in library.chunks.filter(pl.col("document_id").is_in(wanted.to_list())).iter_rows(named=True):
            self._chunks.setdefault(chunk["document_id"], []).append(chunk)

    @property
    def version(self) -> str:
        """Version of the library."""
        return self.library.version

    def about(self, star: Star) -> list[Quotation]:
        """Passages that name the star, one a document: those that name the signal first, then the newest."""
        found = []
        for row in self._rows.get(star.star_id, ()):
            document = self.library.documents.row(row, named=True)
            best = self._best_chunk(document, star)
            if best is not None:
                chunk, names, signal = best
                newest = (not signal, -(document["year"] or 0), document["document_id"])
                found.append((newest, self._quoted(document, chunk, names)))
        return [quotation for _, quotation in sorted(found, key=lambda f: f[0])[: self.settings.about_star]]

    def like(self, phrase: str) -> list[Quotation]:
        """Passages that are close to a search phrase, one a document; without literature, on vetting such signals."""
        explaining = tuple(filter(self.library.has_document, EXPLAINING))
        if not (self.documents or explaining):
            return []
        filters = Filters(sources=LITERATURE) if self.documents else Filters(documents=explaining)
        request = SearchRequest(limit=self.settings.like, filters=filters, every_passage=not self.documents)
        hits = self.library.search(phrase, request)
        out = []
        for hit in hits:
            if hit.dense is None or hit.dense < self.settings.least_cosine:
                continue
            start, end = _window(hit.text, self._closest(hit.text, phrase))
            out.append(
                Quotation(
                    False,
                    **{name: getattr(hit, name) for name in _PLACE},
                    start=hit.start + start,
                    end=hit.start + end,
                    text=hit.text[start:end],
                )
            )
        return out

    # -- parts ---------------------------------------------------------------------------------------------------

    def _best_chunk(
        self, document: Mapping[str, Any], star: Star
    ) -> tuple[dict[str, Any], list[Designator], bool] | None:
        """The passage that names the signal, else the star, most often, its names and whether it names the signal; the
        document's first where only the title does; None when nothing does."""
        chunks = self._chunks.get(document["document_id"], [])
        best: tuple[tuple[bool, int], dict[str, Any], list[Designator]] | None = None
        for chunk in chunks:
            names = [d for d in self._designators(chunk["chunk_id"], chunk["text"]) if star.is_named(d)]
            if names:
                score = (any(d.key in star.signal_keys for d in names), len(names))
                if best is None or score > best[0]:
                    best = (score, chunk, names)
        if best is not None:
            return best[1], best[2], best[0][0]
        titled = [d for d in designators(document["title"]) if star.is_named(d)]
        return (chunks[0], [], any(d.key in star.signal_keys for d in titled)) if titled and chunks else None

    def _designators(self, chunk_id: str, text: str) -> list[Designator]:
        if chunk_id not in self._names:
            self._names[chunk_id] = designators(text)
        return self._names[chunk_id]

    @staticmethod
    def _quoted(document: Mapping[str, Any], chunk: Mapping[str, Any], names: Sequence[Designator]) -> Quotation:
        start, end = _window(chunk["text"], names[0].start if names else 0)
        text = chunk["text"][start:end]
        inside = [d for d in names if start <= d.start and d.end <= end]
        return Quotation(
            True,
            **{name: document[name] for name in ("document_id", "source", "title", "url", "year")},
            **{name: chunk[name] for name in ("chunk_id", "section", "page")},
            start=chunk["start"] + start,
            end=chunk["start"] + end,
            text=text,
            names=tuple(dict.fromkeys(chunk["text"][d.start : d.end] for d in inside)),
        )

    def _closest(self, text: str, phrase: str) -> int:
        """Where the sentence begins that shares most with the phrase, by how rare its words are."""
        wanted = sorted(self._terms(phrase))
        if not wanted:
            return 0
        weight = dict(zip(wanted, self.library.words.idf(wanted).tolist(), strict=True))
        spans = sentences(text)
        worth = [sum(weight.get(term, 0.0) for term in self._terms(text[a:b])) for a, b in spans]
        return spans[worth.index(max(worth))][0] if spans else 0


def _window(text: str, at: int) -> tuple[int, int]:
    """The sentence that `at` is in, and whole ones behind and before it as long as all are within QUOTED."""
    spans = sentences(text)
    if not spans:
        return 0, len(text)
    first = last = next((i for i, (_, end) in enumerate(spans) if at < end), len(spans) - 1)
    while last + 1 < len(spans) and spans[last + 1][1] - spans[first][0] <= QUOTED:
        last += 1
    while first > 0 and spans[last][1] - spans[first - 1][0] <= QUOTED:
        first -= 1
    return spans[first][0], spans[last][1]


def like_all(
    literature: Literature, phrases: Collection[str], *, threads: int, told: Callable[[int, int], None] | None = None
) -> dict[str, list[Quotation] | Exception]:
    """`like` of each phrase, each once, by several threads; what failed is the exception. `told` is given how many are
    done, and of how many, every TOLD_EVERY."""

    def one(phrase: str) -> list[Quotation] | Exception:
        try:
            return literature.like(phrase)
        except Exception as error:  # one failure costs the dossiers with this phrase, not the table
            return error

    distinct = sorted(set(phrases))
    out: dict[str, list[Quotation] | Exception] = {}
    with ThreadPoolExecutor(threads) as pool:
        for phrase, found in zip(distinct, pool.map(one, distinct), strict=True):
            out[phrase] = found
            if told and (len(out) % TOLD_EVERY == 0 or len(out) == len(distinct)):
                told(len(out), len(distinct))
    return out


TOLD_EVERY = 250
