"""Known-item search: an abstract is to be found by its title.

Belongs here: which titles are asked for, and taking a title out of its text. Does not belong here: searching, figures.

A title that stands in its own abstract is not asked for: it would find itself by its words, and taking it out would
leave another passage than the one that is indexed. Such abstracts are few and stay among what is searched.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass

import polars as pl

SOURCE = "arxiv"


@dataclass(frozen=True)
class KnownItem:
    """A query and the one document that is right."""

    title: str
    document_id: str


def without_title(title: str, text: str) -> str:
    """`text` with a blank wherever `title` stands in it."""
    return text.replace(title, " ").strip()


def stands_in(title: str, text: str) -> bool:
    """Whether `title` stands in `text`, white space and capitals aside."""
    return _plain(title) in _plain(text)


def known_items(documents: pl.DataFrame, chunks: pl.DataFrame, most: int) -> list[KnownItem]:
    """At most `most` abstracts with a title of their own, chosen by a hash of their ids: the same ones night after
    night, whatever comes in beside them.

    `documents` are rows of corpus_documents (source, title), `chunks` of corpus_chunks.
    """
    abstracts = documents.filter(pl.col("source") == SOURCE).select("document_id", "title")
    texts = (
        chunks.join(abstracts, on="document_id", how="semi").group_by("document_id").agg(pl.col("text").str.join(" "))
    )
    rows = abstracts.join(texts, on="document_id").iter_rows()
    titles = Counter(_plain(title) for title in abstracts["title"])
    asked = [
        KnownItem(title, name)
        for name, title, text in rows
        if any(map(str.isalnum, title)) and titles[_plain(title)] == 1 and not stands_in(title, text)
    ]
    return sorted(asked, key=lambda item: hashlib.sha256(item.document_id.encode()).digest())[:most]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
