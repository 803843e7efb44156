"""The index as assets: vectors of the passages, a version of the index, its release.

Belongs here: what is read, where it is computed (Ray), what is shown in the UI. Does not belong here: any rule.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
import polars as pl

from exo_assets.corpus import embeddings as rules
from exo_assets.corpus.index_contracts import CORPUS_EMBEDDINGS, CORPUS_INDEX, CORPUS_RELEASE
from exo_assets.table_asset import Table, table_asset
from exo_resources.library_store import LibraryStore

GROUP = "corpus"
CATALOGUE = ("core_signals", "core_stars", "core_planet_identity")
"""Tables that names of stars come from."""


def _model(resources: Any) -> str:
    """Vectors are made again when another model is in use."""
    return str(resources.library_store.models.in_use().digest)


@table_asset(
    CORPUS_EMBEDDINGS,
    group=GROUP,
    kinds=("ray", "onnx", "parquet"),
    also_after=("ml_embedder_champion",),
    salt=_model,
)
def corpus_embeddings(
    context: dg.AssetExecutionContext,
    *,
    corpus_chunks: pl.DataFrame,
    lake: Any,
    library_store: LibraryStore,
    ray_runtime: Any,
) -> Table:
    """Embed the passages whose text has no vector by the model in use; all others keep theirs."""
    from exo_resources.embedding_run import embed_texts
    from exo_resources.vector_parts import VectorParts

    models = library_store.models
    model = models.in_use()
    models.keep(model)
    parts = VectorParts(lake, model.digest)
    before = [lake.read(CORPUS_EMBEDDINGS.name)] if lake.version(CORPUS_EMBEDDINGS.name) else []
    known = pl.concat([rules.vectors_of(model.digest, before), parts.read()]).unique("text_digest", maintain_order=True)
    missing = rules.without_vector(corpus_chunks, known)
    made = embed_texts(missing, model, ray_runtime=ray_runtime, models=models, parts=parts, tell=context.log.info)
    table = rules.embeddings_table(corpus_chunks, pl.concat([known, made.vectors]), model.digest)
    rate = missing.height / made.seconds if made.seconds else None
    return Table(
        table,
        metadata={"device": made.device, "seconds": made.seconds, **({"texts_per_second": rate} if rate else {})},
        notes={"model": model.name, "embedded": missing.height, "reused": table.height - missing.height},
    )


def _unbuilt(resources: Any) -> str:
    """Empty while the version that the table names is whole, in the lake and on the server."""
    if resources.lake.version(CORPUS_INDEX.name) is None:
        return ""
    version = resources.lake.read(CORPUS_INDEX.name)["version"][0]
    return str(resources.library_store.missing(version))


@table_asset(
    CORPUS_INDEX,
    group=GROUP,
    kinds=("qdrant", "parquet"),
    also_after=CATALOGUE,
    salt=_unbuilt,
)
def corpus_index(
    context: dg.AssetExecutionContext,
    *,
    corpus_documents: pl.DataFrame,
    corpus_chunks: pl.DataFrame,
    corpus_embeddings: pl.DataFrame,
    lake: Any,
    library_store: LibraryStore,
) -> Table:
    """Build a version of the index beside the released one, unless the same is there. Nobody reads it yet."""
    from exo_assets.corpus.index_version import IndexContent, IndexContentError
    from exo_resources.vector_parts import VectorParts

    model = library_store.models.in_use()
    try:
        content = IndexContent.of(corpus_chunks, corpus_documents, corpus_embeddings, _aliases(context, lake), model)
    except IndexContentError as wrong:
        raise dg.Failure(str(wrong), allow_retries=False) from wrong
    manifest = library_store.build(content, context.log.info)
    VectorParts(lake, model.digest).clear()  # the table that took them in is in the lake
    row = {name: manifest[name] for name in ("version", "documents", "chunks", "names", "bytes", "built_at")}
    frame = pl.DataFrame(
        {
            **row,
            "model_name": model.name,
            "model_digest": model.digest,
            "dimensions": model.dimensions,
            "collection": library_store.collection(manifest["version"]),
        }
    )
    return Table(CORPUS_INDEX.conform(frame), notes={name: row[name] for name in ("version", "documents", "chunks")})


def _aliases(context: dg.AssetExecutionContext, lake: Any) -> pl.DataFrame:
    """Names of stars and signals; none, and a warning, before there is a catalogue."""
    from exo_assets.corpus.identifiers import ALIAS_SCHEMA, NAMED_IN, aliases

    absent = [table for table in CATALOGUE if lake.version(table) is None]
    if absent:
        context.log.warning("no names of stars: %s not in the lake yet; `exo run` makes them", ", ".join(absent))
        return pl.DataFrame(schema=ALIAS_SCHEMA)
    return aliases(*(lake.read(table, columns) for table, columns in NAMED_IN.items()))


def _moved(resources: Any) -> str:
    """Empty while the table tells what the pointer says."""
    if resources.lake.version(CORPUS_RELEASE.name) is None:
        return ""
    said = resources.lake.read(CORPUS_RELEASE.name)["version"][0]
    status = resources.library_store.status()
    return "" if status["version"] == said else status["problem"] or f"the pointer is at {status['version']}"


@table_asset(CORPUS_RELEASE, group=GROUP, salt=_moved)
def corpus_release(*, corpus_index: pl.DataFrame, corpus_gates: pl.DataFrame, library_store: LibraryStore) -> Table:
    """Let every reader open the version that was built, if the gates in the lake let exactly it pass."""
    from exo_assets.corpus.evaluation_gates import GATE_NAMES
    from exo_assets.corpus.release import ReleaseRefused, refusals

    version = corpus_index["version"][0]
    if problems := refusals(version, corpus_gates, GATE_NAMES):
        refusal = ReleaseRefused(version, problems)
        raise dg.Failure(f"ReleaseRefused: {refusal}", metadata={"problems": problems}, allow_retries=False)
    released = library_store.release(version)
    frame = pl.DataFrame(
        {
            **{name: released[name] for name in ("version", "released_at", "documents", "chunks")},
            "previous_version": released["previous"],
            "model_name": released["model"]["name"],
            "model_digest": released["model"]["digest"],
        }
    )
    notes = {"version": version, "previous": released["previous"], "documents": released["documents"]}
    return Table(CORPUS_RELEASE.conform(frame), notes={**notes, "chunks": released["chunks"]})


ASSETS: list[dg.AssetsDefinition] = [corpus_embeddings, corpus_index, corpus_release]
