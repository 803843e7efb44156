"""`exo ask`: a question to the corpus, answered with citations.

Belongs here: the command, and how an answer is shown while it is made. Does not belong here: answering
(`exo_assets/corpus/answering.py`), language models (`exo_resources/language_model.py`).

A question that the corpus does not answer is a result, not a failure: it is said and the exit code is 0, as with a
search that finds nothing. It is 1 where a language model failed, whose passages are shown all the same.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import search_options as options
from deployments.cli.output import FAILED, USAGE, CliError, err, finite, out, print_json, read_settings
from deployments.cli.search import INDENT, address, open_library

if TYPE_CHECKING:
    from exo_assets.corpus.library import Filters
    from exo_resources.settings import Settings


def ask(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="A question in plain English.")],
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=50, help="Passages that the answer may rest on.")] = 8,
    mission: options.Missions = None,
    source: options.Sources = None,
    target: options.Targets = None,
    document: options.Documents = None,
    year_from: options.YearFrom = None,
    year_to: options.YearTo = None,
    rerank: Annotated[bool, typer.Option("--rerank", help="Let the cross-encoder of EXO_RERANKER order them.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The answer with sentences, passages and their places.")] = False,
) -> None:
    """Answer QUESTION from the release and the corpus, every sentence with the row or passage [n] that it rests on.

    What is asked of a star, planet or signal is answered from the release's tables, the meaning of a word from the
    glossary. Other sentences are quoted, or worded by the language model of EXO_GENERATOR and kept only where a passage
    bears them. A question that nothing of these answers is declined; filters restrict the answer to documents.
    """
    from exo_assets.corpus.library import QueryError

    filters = options.filters(
        missions=mission, sources=source, targets=target, documents=document, year_from=year_from, year_to=year_to
    )
    try:
        with closing(_events(question, read_settings(), filters, limit, rerank)) as events:
            answer = _last(events) if json else _shown(events)
    except QueryError as error:
        raise CliError(str(error), code=USAGE) from error
    except ConnectionError as error:
        raise CliError(str(error)) from error
    if json:
        print_json(finite(answer))
    if answer["error"] is not None:
        raise typer.Exit(FAILED)


def _events(
    question: str, settings: Settings, filters: Filters, limit: int, rerank: bool
) -> Generator[dict[str, Any], None, None]:
    """The answer's events. CliError without an index or with a generator that cannot be."""
    from exo_assets.corpus.answering import stream_answer
    from exo_assets.corpus.generated import GeneratorError
    from exo_resources.language_model import answer_settings, language_model
    from exo_resources.release_objects import release_objects

    library = open_library(settings)
    how = answer_settings(settings)
    how = replace(how, search=replace(how.search, limit=limit, filters=filters, rerank=rerank))
    try:
        model = language_model(settings)
    except GeneratorError as error:
        raise CliError(str(error), code=USAGE) from error
    try:
        yield from stream_answer(question, library, how, model, objects=release_objects(settings))
    finally:
        if model is not None:
            model.close()


def _last(events: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """The whole answer."""
    answer: dict[str, Any] = {}
    for event in events:
        answer = event.get("answer", answer)
    return answer


def _shown(events: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Show each sentence when it comes, then what it rests on; the whole answer."""
    from rich.text import Text

    answer: dict[str, Any] = {}
    for event in events:
        if event["event"] == "sentence":
            out().print(Text(_flowing(safe(event["text"]))))
        answer = event.get("answer", answer)
    if answer["declined"] is not None:
        out().print(Text(f"Not answered: {safe(answer['declined'])}."))
    if answer["error"] is not None:
        err().print(Text(f"exo: {safe(answer['error']['message'])}", style="red"))
    cited = [s for s in answer["sources"] if s["cited"]]
    if cited or answer["error"] is not None:
        _show_sources(cited or answer["sources"])
    if left := sum(answer["dropped"].values()):
        reasons = "; ".join(f"{reason} ({n})" for reason, n in answer["dropped"].items())
        err().print(f"of {answer['generator']}'s sentences {left} left out: {reasons}", markup=False)
    return answer


def _show_sources(sources: Sequence[dict[str, Any]]) -> None:
    from rich.text import Text

    out().print()
    for source in sources:
        out().print(Text(f"[{source['number']}] ").append(safe(source["title"]), style="bold"))
        page = f"page {source['page']}" if source["page"] is not None else None
        year = str(source["year"]) if source["year"] is not None else None
        place = source["row"] or f"characters {source['start']}-{source['end']}"
        where = (source["document_id"], year, source["section"], page, place, address(source["source"], source["url"]))
        out().print(Text(INDENT + safe(" · ".join(filter(None, where))), style="dim"))


def _flowing(text: str) -> str:
    """`text` without the line breaks of the page that it stood on, but for code."""
    return text if "```" in text else " ".join(text.split())


def safe(text: str) -> str:
    """`text` without characters that would steer a terminal: passages are others' texts."""
    return "".join(c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf") else " " for c in text)
