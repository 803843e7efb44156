"""The routes of the library: search, questions, chats, dossiers.

Belongs here: paths, and requests and replies as HTTP has them. Does not belong here: what they may say
(library_request.py), or who answers (library_work.py, behind library_door.py).
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse

from deployments.serve.library_door import Door
from deployments.serve.library_request import (
    LARGEST_REQUEST,
    AskBody,
    SearchBody,
    body_schema,
    parse_query_string,
    parse_question,
    parse_search,
    query_parameters,
)
from deployments.serve.reply import EVENT_STREAM, Reply

NO_INDEX = {503: {"description": "There is no index yet, or the library is busy or down; `remedy` says what to do"}}
_EVENTS = {
    200: {"content": {EVENT_STREAM: {}}, "description": "The answer, or its events; the last one is `done`, or `error`"}
}
_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

router = APIRouter(tags=["library"], responses=NO_INDEX)  # type: ignore[arg-type]


def door() -> Door:
    """The library, as the ingress of this replica reaches it."""
    from ray import serve

    found: Door = serve.get_replica_context().servable_object.library
    return found


Asked = Annotated[Door, Depends(door)]


def _body(kind: type[Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": body_schema(kind)}}}}


@router.post("/v1/search", summary="Search the corpus", openapi_extra=_body(SearchBody))
async def search(request: Request, library: Asked) -> Response:
    """Passages of papers and documentation, best first, with document, offsets and the score of each leg."""
    return _response(await library.reply("search", parse_search(await library.bodies.json(request, LARGEST_REQUEST))))


@router.get("/v1/search", summary="Search the corpus", openapi_extra={"parameters": query_parameters()})
async def search_by_query(request: Request, library: Asked) -> Response:
    """As POST, with the query as `q`; names of lists repeat (`missions=kepler&missions=k2`)."""
    return _response(await library.reply("search", parse_query_string(request.query_params.multi_items())))


@router.post("/v1/ask", summary="Ask the release and the corpus", openapi_extra=_body(AskBody), responses=_EVENTS)  # type: ignore[arg-type]
async def ask(request: Request, library: Asked) -> Response:
    """An answer in which each sentence cites rows of the release (what is asked of a star, planet or signal; they have
    `table`, `row` and `as_of`) or passages, or why the question is declined. Filters restrict it to documents.

    With `stream` or `Accept: text/event-stream`: as server-sent events; the last is `done` with the whole answer, or
    `error`.
    """
    body = parse_question(await library.bodies.json(request, LARGEST_REQUEST))
    if _wants_events(request, body):
        return await _events(library.stream("ask_stream", body))
    return _response(await library.reply("ask", body))


@router.post(
    "/v1/chat/{session}",
    summary="Ask in a conversation",
    openapi_extra=_body(AskBody),
    responses={**_EVENTS, 409: {"description": "The session is answering another question"}},  # type: ignore[dict-item]
)
async def chat(session: str, request: Request, library: Asked) -> Response:
    """As /v1/ask; names that the question leaves out ('and its radius?') are taken from the questions before.

    `session` is 8 to 64 letters, digits, hyphens and underscores of your choice; whoever knows it can read the session.
    """
    body = parse_question(await library.bodies.json(request, LARGEST_REQUEST))
    if _wants_events(request, body):
        return await _events(library.stream("chat_stream", session, body))
    return _response(await library.reply("chat", session, body, again=False))


@router.get("/v1/chat/{session}", summary="A conversation so far")
async def history(session: str, library: Asked) -> Response:
    """The questions and answers that are kept, oldest first; 404 when there are none."""
    return _response(await library.reply("history", session))


@router.delete("/v1/chat/{session}", summary="Forget a conversation")
async def forget(session: str, library: Asked) -> Response:
    """Delete the session; `deleted` says how many turns it had."""
    return _response(await library.reply("forget", session))


@router.get(
    "/v1/dossier/{signal}",
    summary="All that is known of a candidate",
    responses={404: {"description": "There is no dossier of that name; `remedy` has the nearest names"}},
)
async def dossier(signal: str, library: Asked) -> Response:
    """Catalogue facts, verdict and reasons, nearest planets and false positives, cited passages.

    `signal` is any name of it, in any spelling: K00351.01, KOI-351.01, Kepler-90 h.
    """
    return _response(await library.reply("dossier", signal))


@router.get("/v1/corpus", summary="The index in use")
async def corpus(library: Asked) -> Response:
    """Version, model, documents, passages, who words answers and how busy the library is."""
    return _response(await library.reply("about"))


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, dict(reply.headers), "application/json")


def _wants_events(request: Request, body: AskBody) -> bool:
    accepted = map(_media_type, request.headers.get("accept", "").split(","))
    return body.stream or (EVENT_STREAM, True) in accepted


def _media_type(part: str) -> tuple[str, bool]:
    """A type in an Accept header, and whether it is wanted: with a weight of nothing it is the one that is not."""
    name, *parameters = (text.strip().lower() for text in part.split(";"))
    return name, not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters)


async def _events(items: AsyncGenerator[Reply | bytes, None]) -> Response:
    """A stream, once it is known that there is one."""
    try:
        first = await anext(items)
    except BaseException:
        await items.aclose()
        raise
    if not isinstance(first, Reply) or not first.ok:
        await items.aclose()
        return _response(first if isinstance(first, Reply) else Reply(500))
    return StreamingResponse(_rest(items), headers=_STREAM_HEADERS, media_type=EVENT_STREAM)


async def _rest(items: AsyncGenerator[Reply | bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        async for item in items:
            if isinstance(item, bytes):
                yield item
    finally:
        await items.aclose()
