"""All sources' documents in one table, with what each is about.

Belongs here: putting sources together, year, mission and targets, and what can be kept of last time. Does not belong
here: the sources, how names are found (`subjects.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import polars as pl

from exo_assets.corpus.arxiv import year_of
from exo_assets.corpus.document import Document, Rejected, documents_table, quarantine_table
from exo_assets.corpus.subjects import mission_of, targets_of


def merged(*sources: Iterable[Document]) -> pl.DataFrame:
    """Rows of `corpus_documents`, ordered by id; mission and targets null. ContractError when an id occurs twice.

    The year of an abstract whose first day is not known is the one in its id.
    """
    found = documents_table(document for source in sources for document in source).sort("document_id")
    unknown = found.filter(pl.col("year").is_null() & (pl.col("source") == "arxiv"))["document_id"]
    years = pl.DataFrame({"document_id": unknown, "_year": [year_of(name) for name in unknown]}, schema_overrides=_YEAR)
    return (
        found.join(years, on="document_id", how="left", maintain_order="left")
        .with_columns(pl.coalesce("year", "_year").alias("year"))
        .drop("_year")
    )


_YEAR = {"document_id": pl.String, "_year": pl.Int64}


def quarantined(*sources: Iterable[Rejected]) -> pl.DataFrame:
    """Rows of `corpus_quarantine`, ordered by source and name."""
    return quarantine_table(one for source in sources for one in source).sort("source", "document")


def names_digest(aliases: pl.DataFrame, code: str) -> str:
    """What targets depend on besides the texts: the names of the catalogue and the code that finds them."""
    rows = aliases.select("alias_key", "star_id").unique().sort("alias_key", "star_id")
    said = [code, *(f"{key}\t{star}" for key, star in rows.iter_rows())]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:32]


def with_subjects(documents: pl.DataFrame, aliases: pl.DataFrame, before: pl.DataFrame | None = None) -> pl.DataFrame:
    """`documents` with mission and targets.

    `before`: rows of last time in which the same names were looked for; a document with the same digest keeps its own.
    """
    known = documents.clear() if before is None else before
    keys = ["document_id", "digest"]
    known = known.select(*keys, "mission", "targets").filter(pl.col("targets").is_not_null())
    new = documents.join(known, on=keys, how="anti").select(*keys, "title", "text")
    titles, texts = new["title"].to_list(), new["text"].to_list()
    subjects = new.select(keys).with_columns(
        pl.Series("mission", [mission_of(a, b) for a, b in zip(titles, texts, strict=True)], dtype=pl.String),
        pl.Series("targets", targets_of(_joined(titles, texts), aliases), dtype=pl.List(pl.String)),
    )
    columns = documents.columns
    return (
        documents.drop("mission", "targets")
        .join(pl.concat([subjects, known]), on=keys, how="left", maintain_order="left")
        .select(columns)
    )


def _joined(titles: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Title and text of each document; a blank line keeps a name from running over from one to the other."""
    return [f"{title}\n\n{text}" for title, text in zip(titles, texts, strict=True)]
