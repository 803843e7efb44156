"""The evaluation of an index as assets: figures by query, answers, means, latency, gates.

Belongs here: which version is opened, what is read, what is shown in the UI. Does not belong here: any figure or rule.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
import polars as pl

from exo_assets.corpus import evaluation_gates as gates
from exo_assets.corpus.evaluation_contracts import (
    CORPUS_ANSWER_METRICS,
    CORPUS_ANSWERS,
    CORPUS_GATES,
    CORPUS_LATENCY,
    CORPUS_RELEASED_FIGURES,
    CORPUS_RETRIEVAL_FIGURES,
    CORPUS_RETRIEVAL_METRICS,
)
from exo_assets.table_asset import Table, table_asset
from exo_resources.library_store import LibraryStore

GROUP = "corpus"


def _asked(resources: Any) -> str:
    """The questions, and how the index is searched for people."""
    from exo_assets.corpus.questions import questions_digest

    settings = resources.settings
    return f"{questions_digest()} {settings.fusion} {settings.reranker}"


@table_asset(
    CORPUS_RETRIEVAL_FIGURES,
    group=GROUP,
    salt=_asked,
)
def corpus_retrieval_figures(
    context: dg.AssetExecutionContext, *, corpus_index: pl.DataFrame, library_store: LibraryStore, settings: Any
) -> Table:
    """Search the version that was built in every way, for every query."""
    from exo_assets.corpus.query_sets import query_sets
    from exo_assets.corpus.questions import questions
    from exo_assets.corpus.retrieval_evaluation import retrieval_figures

    library = library_store.open(corpus_index["version"][0])
    sets = query_sets(library, questions())
    figures = retrieval_figures(library, sets, settings.fusion, context.log.info)
    return Table(figures, notes={"version": library.version, "queries": {s.name: len(s.queries) for s in sets}})


@table_asset(
    CORPUS_RETRIEVAL_METRICS,
    group=GROUP,
    salt=lambda resources: str(resources.settings.fusion),
)
def corpus_retrieval_metrics(*, corpus_retrieval_figures: pl.DataFrame, settings: Any) -> Table:
    """Means of the figures, with intervals, and the searches compared."""
    from exo_assets.corpus.evaluation_plots import searches
    from exo_assets.corpus.retrieval_evaluation import retrieval_metrics

    metrics = retrieval_metrics(corpus_retrieval_figures, settings.fusion)
    return Table(metrics, metadata={"searches": _picture(searches(metrics), "nDCG@10 by search")})


@table_asset(CORPUS_ANSWERS, group=GROUP, salt=_asked)
def corpus_answers(*, corpus_index: pl.DataFrame, library_store: LibraryStore, settings: Any) -> Table:
    """Answer every judged question from the version that was built."""
    from exo_assets.corpus.answer_evaluation import answers
    from exo_assets.corpus.questions import questions
    from exo_assets.corpus.retrieval_evaluation import FUSIONS

    library = library_store.open(corpus_index["version"][0])
    return Table(answers(library, questions(), FUSIONS[settings.fusion]), notes={"version": library.version})


@table_asset(CORPUS_ANSWER_METRICS, group=GROUP)
def corpus_answer_metrics(corpus_answers: pl.DataFrame) -> Table:
    """Means of what the answers are worth, with intervals."""
    from exo_assets.corpus.answer_evaluation import answer_metrics
    from exo_assets.corpus.evaluation_plots import answers

    metrics = answer_metrics(corpus_answers)
    return Table(metrics, metadata={"answers": _picture(answers(metrics), "what quoted answers are worth")})


@table_asset(
    CORPUS_LATENCY,
    group=GROUP,
    salt=lambda resources: f"{resources.settings.fusion}",
)
def corpus_latency(
    *, corpus_index: pl.DataFrame, corpus_embeddings: pl.DataFrame, library_store: LibraryStore, settings: Any
) -> Table:
    """Time whole searches over passages held in the process, as readers without a server do."""
    from exo_assets.corpus import search_latency as latency
    from exo_assets.corpus.library import SearchRequest
    from exo_assets.corpus.questions import questions
    from exo_assets.corpus.retrieval_evaluation import FUSIONS
    from exo_assets.pictures import rows_shown
    from exo_resources.passage_store import EmbeddedStore

    library = library_store.open(corpus_index["version"][0])
    of_chunk = library.chunks.select("chunk_id").join(
        corpus_embeddings.select("chunk_id", "vector"), on="chunk_id", how="left", maintain_order="left"
    )
    vectors = of_chunk["vector"].list.to_array(corpus_index["dimensions"][0]).to_numpy()
    request = SearchRequest(fusion=FUSIONS[settings.fusion])
    asked = [q.text for q in questions()]
    table = latency.search_latency(library, vectors, asked, EmbeddedStore, request, sizes=latency.SIZES)
    shown = table.select("passages", "p50_ms", "p99_ms", "cpu_p50_ms", "cpu_p99_ms", "load")
    return Table(
        table, metadata={"latency": dg.MetadataValue.md(rows_shown(shown))}, notes={"version": library.version}
    )


def _released(resources: Any) -> str:
    """The figures that the index is compared with, and the search that people are served by."""
    version = resources.lake.version(CORPUS_RELEASED_FIGURES.name)
    return f"{version.digest if version else 'nothing'} {resources.settings.fusion}"


@table_asset(CORPUS_GATES, group=GROUP, salt=_released)
def corpus_gates(
    *, corpus_retrieval_figures: pl.DataFrame, corpus_answers: pl.DataFrame, lake: Any, settings: Any
) -> Table:
    """Hold the version that was built against the thresholds and against the released one."""
    from exo_assets.pictures import rows_shown

    name = CORPUS_RELEASED_FIGURES.name
    released = lake.stored(name)
    judged = gates.judge(corpus_retrieval_figures, corpus_answers, released, settings.fusion)
    shown = judged.select("gate", "value", "low", "high", "lowest", "status")
    return Table(
        judged,
        metadata={"gates": dg.MetadataValue.md(rows_shown(shown))},
        notes={"version": judged["version"][0], "failed": judged.filter(status="failed")["gate"].to_list()},
    )


@table_asset(CORPUS_RELEASED_FIGURES, group=GROUP)
def corpus_released_figures(
    *,
    corpus_release: pl.DataFrame,
    corpus_retrieval_figures: pl.DataFrame,
    corpus_answers: pl.DataFrame,
    lake: Any,
    settings: Any,
) -> Table:
    """Keep the figures of the version that was released; those at hand may be of one that was refused since."""
    released = corpus_release["version"][0]
    figures = gates.served_figures(corpus_retrieval_figures, corpus_answers, settings.fusion)
    if set(figures["version"]) != {released}:
        name = CORPUS_RELEASED_FIGURES.name
        figures = lake.read(name) if lake.version(name) else figures.clear()
    return Table(figures, notes={"version": figures["version"][0] if figures.height else None})


def _picture(png: bytes, caption: str) -> dg.MarkdownMetadataValue:
    from exo_assets.pictures import image

    return dg.MetadataValue.md(image(png, caption))


ASSETS: list[dg.AssetsDefinition] = [
    corpus_retrieval_figures,
    corpus_retrieval_metrics,
    corpus_answers,
    corpus_answer_metrics,
    corpus_latency,
    corpus_gates,
    corpus_released_figures,
]
