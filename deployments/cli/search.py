"""`exo search`: passages of the corpus.

Belongs here: the command, and how passages are shown. Does not belong here: searching (`exo_assets/corpus/library.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import search_options as options
from deployments.cli.output import USAGE, CliError, err, finite, out, print_json, read_settings

if TYPE_CHECKING:
    from exo_assets.corpus.library import Hit, Library
    from exo_resources.settings import Settings

INDENT = "    "


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A question, words, or names (Kepler-90 h).")],
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many passages.")] = 10,
    mission: options.Missions = None,
    source: options.Sources = None,
    target: options.Targets = None,
    document: options.Documents = None,
    year_from: options.YearFrom = None,
    year_to: options.YearTo = None,
    fusion: Annotated[
        str | None,
        typer.Option(
            "--fusion", help="How vectors and keywords are joined: 0.5/0.5, 0.7/0.3, rrf. Default: EXO_FUSION."
        ),
    ] = None,
    rerank: Annotated[bool, typer.Option("--rerank", help="Let the cross-encoder of EXO_RERANKER order them.")] = False,
    every_passage: Annotated[
        bool, typer.Option("--every-passage", help="Every passage of a document, not its best alone.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Passages with the score of each leg and their places.")] = False,
) -> None:
    """Passages of papers, archive documentation and your own documents that are closest to QUERY, best first."""
    from exo_assets.corpus.fusion import FUSIONS
    from exo_assets.corpus.library import QueryError, SearchRequest

    filters = options.filters(
        missions=mission, sources=source, targets=target, documents=document, year_from=year_from, year_to=year_to
    )
    if fusion is not None and fusion not in FUSIONS:
        raise CliError(f"--fusion {fusion!r} is not known", f"choose from {', '.join(FUSIONS)}", USAGE)
    settings = read_settings()
    library = open_library(settings)
    request = SearchRequest(
        limit=limit,
        filters=filters,
        fusion=FUSIONS[fusion or settings.fusion],
        every_passage=every_passage,
        rerank=rerank,
    )
    try:
        hits = library.search(query, request)
    except QueryError as error:
        raise CliError(str(error), code=USAGE) from error
    except ConnectionError as error:
        raise CliError(str(error)) from error
    if json:
        print_json(finite({"query": query, "version": library.version, "passages": [as_json(hit) for hit in hits]}))
    else:
        _show(hits, query, library)


def open_library(settings: Settings) -> Library:
    """The released index; CliError when there is none, or it cannot be opened."""
    from exo_assets.corpus.embedding import EmbeddingModelError
    from exo_assets.corpus.rerank import RerankerError
    from exo_resources.lake import Lake
    from exo_resources.library_store import DamagedIndexError, LibraryMissingError, LibraryStore

    try:
        return LibraryStore(Lake(settings.lake), settings).open()
    except (LibraryMissingError, DamagedIndexError, EmbeddingModelError, RerankerError, ConnectionError) as error:
        raise CliError(str(error)) from error


def as_json(hit: Hit) -> dict[str, Any]:
    """A passage as plain values."""
    return {
        "document_id": hit.document_id,
        "title": hit.title,
        "passage": hit.text,
        "score": hit.score,
        "scores": {"dense": hit.dense, "keyword": hit.keyword, "reranked": hit.reranked},
        "source": hit.source,
        "section": hit.section,
        "page": hit.page,
        "start": hit.start,
        "end": hit.end,
        "year": hit.year,
        "url": hit.url,
        "names_target": hit.names_target,
        "chunk_id": hit.chunk_id,
    }


def _show(hits: Sequence[Hit], query: str, library: Library) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from exo_assets.corpus.excerpt import excerpt

    if not hits:
        err().print("no passage was found; fewer filters or other words may find one", markup=False)
        return
    console, wanted = out(), library.terms(query)
    for number, hit in enumerate(hits, start=1):
        title = Text(f"{number:>2}  ").append(hit.title, style="bold").append(f"  {hit.score:.3f}", style="cyan")
        console.print(title)
        console.print(Text(INDENT + _place(hit), style="dim"))
        shown = excerpt(hit.text, wanted, library.words)
        passage = Text(shown.text)
        for start, end in shown.matches:
            passage.stylize("bold", start, end)
        console.print(Padding(passage, (0, 0, 1, len(INDENT))))


def _place(hit: Hit) -> str:
    """Where a passage is, on one line."""
    page = f"page {hit.page}" if hit.page is not None else None
    year = str(hit.year) if hit.year is not None else None
    return " · ".join(filter(None, (hit.document_id, year, hit.section, page, address(hit.source, hit.url))))


def address(source: str, url: str | None) -> str | None:
    """Where more is to be read; of columns, whose descriptions are Exo's own words, the archive's page."""
    return f"in Exo's words, after {url}" if source == "archive_columns" and url else url
