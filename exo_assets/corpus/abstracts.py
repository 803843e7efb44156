"""arXiv's listings as rows of `raw_arxiv__abstracts`, and those rows as documents.

Belongs here: what a listing changes in the table, which records are wanted. Does not belong here: reading listings
(`arxiv.py`, `abstract_files.py`), or when they are asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date
from typing import Any

import polars as pl

from exo_assets.corpus.arxiv import Listing, canonical_name
from exo_assets.corpus.document import Document, Rejected
from exo_assets.corpus.source_contracts import RAW_ARXIV__ABSTRACTS

GONE = "gone"
"""Status in news, never in the table: the record was withdrawn, or is in none of the wanted categories any more."""

NEWS_SCHEMA = RAW_ARXIV__ABSTRACTS.schema


def news(listings: Iterable[Listing], wanted: Collection[str]) -> pl.DataFrame:
    """What `listings`, in order, say last of each record: rows of the table, or of status GONE.

    `wanted`: categories, of which a record has to have one; a record without categories is wanted.
    """
    last = dict[str, dict[str, Any]]()
    for listing in listings:
        for row in _rows(listing, frozenset(wanted)):
            last[row["document_id"]] = row
    rows = [last[name] for name in sorted(last)]
    return pl.DataFrame(rows, schema=NEWS_SCHEMA, orient="row")


def updated(before: pl.DataFrame, *parts: pl.DataFrame) -> pl.DataFrame:
    """The table after `parts` of news, the later ones winning; ordered by id."""
    for part in parts:
        kept = before.join(part, on="document_id", how="anti")
        before = pl.concat([kept, part.filter(pl.col("status") != GONE)])
    return before.sort("document_id")


def of_categories(rows: pl.DataFrame, wanted: Collection[str]) -> pl.DataFrame:
    """The rows of `wanted` categories, and those that have none."""
    categories = pl.col("categories")
    return rows.filter((categories.list.len() == 0) | categories.list.eval(pl.element().is_in(list(wanted))).list.any())


def newest_listed(rows: pl.DataFrame, latest: date) -> date | None:
    """The last day, of those up to `latest`, on which arXiv changed one of the records; None where no row says.

    A record that is dated in the future is news, but says nothing of how far arXiv has come.
    """
    found = rows.filter(pl.col("listed") <= latest)["listed"].max()
    return found if isinstance(found, date) else None


def documents(rows: pl.DataFrame) -> Iterator[Document]:
    """The abstracts that count."""
    for row in rows.filter(pl.col("status") == "kept").iter_rows(named=True):
        yield Document(
            document_id=row["document_id"],
            source="arxiv",
            media="abstract",
            title=row["title"],
            text=row["abstract"],
            authors=tuple(row["authors"]),
            published=row["published"],
            updated=row["updated"],
            url=f"https://arxiv.org/abs/{row['document_id'].removeprefix('arXiv:')}",
            categories=tuple(row["categories"]),
        )


def rejected(rows: pl.DataFrame) -> Iterator[Rejected]:
    """The records that do not."""
    wrong = rows.filter(pl.col("status") == "quarantined").select("document_id", "reason", "message")
    for name, reason, message in wrong.iter_rows():
        yield Rejected(name, "arxiv", reason, message)


def _rows(listing: Listing, wanted: frozenset[str]) -> Iterator[dict[str, Any]]:
    for document in listing.documents:
        if document.categories and wanted.isdisjoint(document.categories):
            yield _gone(document.document_id, listing)
            continue
        yield {
            "document_id": document.document_id,
            "status": "kept",
            "title": document.title,
            "abstract": document.text,
            "authors": list(document.authors),
            "categories": list(document.categories),
            "published": document.published,
            "updated": document.updated,
            "listed": listing.listed.get(document.document_id),
        }
    for one in listing.rejected:
        yield {
            "document_id": canonical_name(one.name),
            "status": "quarantined",
            "reason": one.reason,
            "message": one.message,
            "authors": [],
            "categories": [],
            "listed": listing.listed.get(one.name),
        }
    for name in listing.deleted:
        yield _gone(name, listing)


def _gone(name: str, listing: Listing) -> dict[str, Any]:
    return {
        "document_id": name,
        "status": GONE,
        "authors": [],
        "categories": [],
        "listed": listing.listed.get(name),
    }
