"""Assets of the corpus: what the sources have, all documents in one table, and their passages.

Belongs here: which tables and resources the stage takes. Does not belong here: how documents are read, joined and cut.
The index, its evaluation and dossiers have files of their own.

No postponed annotations here: Dagster reads those of the asset functions at definition time.
"""

import hashlib
import logging
from typing import Any

import dagster as dg
import polars as pl

from exo_assets.code_version import code_version
from exo_assets.corpus.contracts import CORPUS_CHUNKS, CORPUS_DOCUMENTS, CORPUS_QUARANTINE
from exo_assets.corpus.source_contracts import RAW_ARXIV__ABSTRACTS, RAW_DOCUMENTS__FILES
from exo_assets.table_asset import Table, table_asset
from exo_resources.arxiv import ArxivSource

GROUP = "corpus"
POOL = "arxiv"
"""Concurrency pool of what asks arXiv, which wants one connection at a time."""


@table_asset(RAW_ARXIV__ABSTRACTS, group=GROUP, kinds=("xml", "parquet"), always=True, pool=POOL)
def raw_arxiv__abstracts(context: dg.AssetExecutionContext, arxiv: ArxivSource) -> Table:
    """What arXiv lists of the wanted categories; only what changed since the last time is asked for."""
    found = arxiv.fetch()
    context.log.log(
        logging.WARNING if found.attempts else logging.INFO,
        "arXiv: source %s, %d records, as of %s%s",
        found.source,
        found.frame.height,
        found.state.as_of or "never",
        f" ({found.reason})" if found.reason else "",
    )
    return Table(found.frame, metadata={"asked": dg.MetadataValue.json(dict(found.asked))}, notes=found.notes)


@table_asset(RAW_DOCUMENTS__FILES, group=GROUP, kinds=("pdf", "ray", "parquet"), always=True)
def raw_documents__files(context: dg.AssetExecutionContext, lake: Any, documents: Any, ray_runtime: Any) -> Table:
    """The files of the watched folder; only what is new or changed is read."""
    from exo_assets.corpus.read_document import read_document
    from exo_resources.document_reading import refreshed

    found = refreshed(documents, lake, ray_runtime, code_version(read_document))
    if reason := found.notes.get("reason"):
        context.log.warning("documents: %s", reason)
    return Table(found.frame, metadata={"done": dg.MetadataValue.json(found.did)}, notes=found.notes)


def _own_digest(_resources: Any) -> str:
    """What the package's own documents are now: they are made from texts and code outside this stage."""
    from exo_assets.corpus.own_documents import own_documents

    return hashlib.sha256("".join(document.digest for document in own_documents()).encode()).hexdigest()


@table_asset(CORPUS_DOCUMENTS, group=GROUP, salt=_own_digest)
def corpus_documents(
    *,
    context: dg.AssetExecutionContext,
    raw_arxiv__abstracts: pl.DataFrame,
    raw_documents__files: pl.DataFrame,
    core_signals: pl.DataFrame,
    core_stars: pl.DataFrame,
    core_planet_identity: pl.DataFrame,
    lake: Any,
) -> Table:
    """Every document that counts, with the mission that it is about and the stars that it names."""
    from exo_assets.corpus import abstracts, folder_files
    from exo_assets.corpus.identifiers import aliases
    from exo_assets.corpus.merging import merged, names_digest, with_subjects
    from exo_assets.corpus.own_documents import own_documents

    names = aliases(core_signals, core_stars, core_planet_identity)
    looked_for = names_digest(names, code_version(with_subjects))
    present = lake.version(CORPUS_DOCUMENTS.name)
    before = lake.read(CORPUS_DOCUMENTS.name) if present and present.notes.get("names") == looked_for else None
    found = merged(
        abstracts.documents(raw_arxiv__abstracts), folder_files.documents(raw_documents__files), own_documents()
    )
    found = with_subjects(found, names, before)
    counts = dict(found.group_by("source").len().sort("source").iter_rows())
    context.log.info("corpus_documents: %s", counts)
    return Table(found, notes={"names": looked_for, "sources": counts})


@table_asset(CORPUS_QUARANTINE, group=GROUP)
def corpus_quarantine(raw_arxiv__abstracts: pl.DataFrame, raw_documents__files: pl.DataFrame) -> Table:
    """Every document that does not count, with the reason and what to do."""
    from exo_assets.corpus import abstracts, folder_files
    from exo_assets.corpus.merging import quarantined

    found = quarantined(abstracts.rejected(raw_arxiv__abstracts), folder_files.rejected(raw_documents__files))
    return Table(found, notes={"reasons": dict(found.group_by("reason").len().sort("reason").iter_rows())})


def _chunking(resources: Any) -> str:
    """What passages are made with besides the documents: sizes, and the tokenizer that counts."""
    from exo_assets.corpus.chunking import chunking_digest, tokenizer_files
    from exo_assets.corpus.chunks import ChunkSettings

    s = resources.settings
    return chunking_digest(ChunkSettings(s.chunk_tokens, s.chunk_overlap), tokenizer_files(s.embedding_model))


@table_asset(CORPUS_CHUNKS, group=GROUP, salt=_chunking)
def corpus_chunks(context: dg.AssetExecutionContext, corpus_documents: pl.DataFrame, lake: Any, settings: Any) -> Table:
    """The documents cut into passages; those of documents that did not change stay."""
    from exo_assets.corpus.chunking import chunked, chunking_digest, offsets_of, tokenizer_files
    from exo_assets.corpus.chunks import ChunkSettings

    sizes, files = (
        ChunkSettings(settings.chunk_tokens, settings.chunk_overlap),
        tokenizer_files(settings.embedding_model),
    )
    cut_by = f"{code_version(chunked)} {chunking_digest(sizes, files)}"
    present = lake.version(CORPUS_CHUNKS.name)
    before = lake.read(CORPUS_CHUNKS.name) if present and present.notes.get("cut_by") == cut_by else None
    found, anew = chunked(corpus_documents, offsets_of(files), sizes, before)
    context.log.info("corpus_chunks: %d of %d documents cut anew", anew, corpus_documents.height)
    return Table(found, metadata={"documents_cut_anew": anew}, notes={"cut_by": cut_by})


ASSETS: list[dg.AssetsDefinition] = [
    raw_arxiv__abstracts,
    raw_documents__files,
    corpus_documents,
    corpus_quarantine,
    corpus_chunks,
]
