"""What a replica of the library does with a request.

Belongs here: a request to a reply or a stream of events: cache, limits, the chat's turn, errors in words. Does not
belong here: HTTP and Ray (library_routes.py, library.py), searching and answering (exo_assets.corpus), opening an index
(library_opener.py).

Whoever reads a reply has one version of the index in it: each request takes the version in use once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from deployments.serve.dossiers import Dossiers, DossierUnknownError, NoDossiersError
from deployments.serve.from_thread import FromThread, Stopped, TooLongError
from deployments.serve.gate import BusyError, Gate
from deployments.serve.library_refusals import REMEDY, RETRY_LATER_S, RefusalError, refusal
from deployments.serve.library_request import AskBody, SearchBody
from deployments.serve.library_slot import LibraryPin, LibrarySlot
from deployments.serve.reply import STILL_THERE, STREAM_FOLLOWS, Reply, answered, as_event, refused
from deployments.serve.reply_cache import ReplyCache
from exo_assets.corpus.fusion import FUSIONS
from exo_assets.corpus.library import Filters, Library, QueryError, SearchRequest
from exo_resources.chat_store import ChatBusyError, ChatNameError, ChatStore, ChatStoreError, ChatUnknownError, Claim

ANSWER = "answer"
"""The last event of every answer: all of it, as it is given without events."""
FAILED = "error"
SEARCHES_AT_ONCE, SEARCHES_WAITING = 2, 64
ASKS_AT_ONCE, ASKS_WAITING = 4, 16
CACHED_REPLIES, CACHED_BYTES = 1000, 32_000_000
SILENCE_S = 10.0
"""How long a stream says nothing before it shows that it is still there."""
CLAIM_MARGIN_S = 30.0

log = logging.getLogger("ray.serve")
T = TypeVar("T")
Event = tuple[str, Mapping[str, Any]]


class Answerer(Protocol):
    """Who answers questions from a library's passages."""

    @property
    def name(self) -> str:
        """Who it is, with all that its answers depend on beside the index and the question."""

    @property
    def limit_s(self) -> float:
        """Longest time that an answer may take, seconds."""

    def status(self) -> dict[str, Any]:
        """How it is, as JSON values."""

    def events(
        self, question: str, history: Sequence[tuple[str, str]], filters: Filters, library: Library, stopped: Stopped
    ) -> Iterator[Event]:
        """The answer as it comes about; the last event is ANSWER with all of it, `question` and `text` included.

        `history` has earlier questions and answers, oldest first. AnswerError or QueryError.
        """


@dataclass(frozen=True)
class OpenLibrary:
    """A version of the index, opened, and what goes with it. `fusion` is one of FUSIONS."""

    pin: LibraryPin
    library: Library
    answerer: Answerer
    chats: ChatStore
    dossiers: Dossiers
    fusion: str


class LibraryWork:
    """A replica's work. Everything is called in one event loop; what computes does so in threads."""

    def __init__(self, slot: LibrarySlot[OpenLibrary], replica: str, silence_s: float = SILENCE_S) -> None:
        self._slot, self._replica, self._silence_s = slot, replica, silence_s
        self._cache = ReplyCache(CACHED_REPLIES, CACHED_BYTES)
        self._searches = Gate(SEARCHES_AT_ONCE, SEARCHES_WAITING)
        self._asks = Gate(ASKS_AT_ONCE, ASKS_WAITING)
        self._search_threads = ThreadPoolExecutor(SEARCHES_AT_ONCE, "search")
        self._ask_threads = ThreadPoolExecutor(ASKS_AT_ONCE, "ask")

    # -- requests --------------------------------------------------------------------------------------------------

    async def search(self, body: SearchBody) -> Reply:
        """Passages, best first."""
        return await self._replied(self._search(body))

    async def ask(self, body: AskBody) -> Reply:
        """An answer, whole."""
        return await self._replied(self._last(self._answer(self._open(), body)))

    async def chat(self, session: str, body: AskBody) -> Reply:
        """An answer in a session, whole."""
        return await self._replied(self._last(self._turn(session, body)))

    def ask_stream(self, body: AskBody) -> AsyncGenerator[Reply | bytes, None]:
        """STREAM_FOLLOWS and server-sent events, or the reply that says why not."""
        return self._streamed(self._lazily(lambda: self._answer(self._open(), body)))

    def chat_stream(self, session: str, body: AskBody) -> AsyncGenerator[Reply | bytes, None]:
        """As `ask_stream`, in a session."""
        return self._streamed(self._turn(session, body))

    async def history(self, session: str) -> Reply:
        """What is kept of a session."""

        async def look() -> Reply:
            turns = await asyncio.to_thread(self._open().chats.history, session)
            return answered({"session": session, "turns": [turn.as_dict() for turn in turns]})

        return await self._replied(look())

    async def forget(self, session: str) -> Reply:
        """Delete a session."""

        async def drop() -> Reply:
            return answered(
                {"session": session, "deleted": await asyncio.to_thread(self._open().chats.forget, session)}
            )

        return await self._replied(drop())

    async def dossier(self, signal: str) -> Reply:
        """The dossier of a signal."""

        async def look() -> Reply:
            opened = self._open()
            async with self._searches:
                found = await self._computed(partial(opened.dossiers.find, signal, opened.library.aliases))
            return answered(found)

        return await self._replied(look())

    async def about(self) -> Reply:
        """What is in use, and how busy this replica is."""
        opened = self._slot.opened
        library, state = opened.library if opened else None, self._slot.state()
        manifest = dict(library.manifest) if library else {}
        content = {
            **state,
            "documents": library.documents.height if library else 0,
            "chunks": library.chunks.height if library else 0,
            "sources": _counted(library) if library else {},
            "model": manifest.get("model"),
            "built_at": manifest.get("built_at"),
            "fusion": opened.fusion if opened else None,
            "can_rerank": library.can_rerank if library else False,
            "generator": opened.answerer.status() if opened else None,
            "cache": self._cache.figures(),
            "searches": self._searches.figures(),
            "asks": self._asks.figures(),
            "replica": self._replica,
        }
        return answered(content) if opened else Reply(503, answered({**content, **self._missing()}).body)

    def state(self) -> dict[str, Any]:
        """As `LibrarySlot.state`, with the replica's name."""
        return {**self._slot.state(), "replica": self._replica}

    # -- searching and answering -----------------------------------------------------------------------------------

    async def _search(self, body: SearchBody) -> Reply:
        opened = self._open()
        fusion = body.fusion or opened.fusion
        key = ("search", opened.library.version, fusion, body.model_dump_json(exclude={"fusion"}))
        if (kept := self._cache.get(key)) is not None:
            return Reply(200, _flagged(kept, cached=True))
        request = SearchRequest(
            limit=body.limit,
            filters=body.filters(),
            fusion=FUSIONS[fusion],
            every_passage=body.every_passage,
            rerank=body.rerank,
        )
        async with self._searches:
            hits = await self._computed(partial(opened.library.search, body.query, request))
        content = {"query": body.query, "version": opened.library.version, "fusion": fusion}
        found = answered({**content, "hits": [asdict(hit) for hit in hits]}).body
        self._cache.put(key, found)
        return Reply(200, _flagged(found, cached=False))

    async def _answer(
        self, opened: OpenLibrary, body: AskBody, history: Sequence[tuple[str, str]] = ()
    ) -> AsyncGenerator[Event | None, None]:
        """Events of an answer; None for silence. The last is ANSWER. Answers with a history are not kept."""
        asked = body.model_dump_json(exclude={"stream"})
        key = ("ask", opened.library.version, opened.answerer.name, asked)
        if not history and (kept := self._cache.get(key)) is not None:
            yield ANSWER, {"cached": True, **_loaded(kept)}
            return
        version = {"version": opened.library.version}
        async with self._asks:
            make = partial(opened.answerer.events, body.question, history, body.filters(), opened.library)
            work = FromThread(make, self._ask_threads).items(opened.answerer.limit_s, self._silence_s)
            try:
                async for event in work:
                    if event is None or event[0] != ANSWER:
                        yield event
                        continue
                    content = {**event[1], **version}
                    if not history:
                        self._cache.put(key, answered(content).body)
                    yield ANSWER, {"cached": False, **content}
            finally:
                await work.aclose()

    async def _turn(self, session: str, body: AskBody) -> AsyncGenerator[Event | None, None]:
        """As `_answer`, in a session that nobody else answers in meanwhile."""
        opened = self._open()
        lease = opened.answerer.limit_s + CLAIM_MARGIN_S
        if self._asks.waiting >= self._asks.most_waiting:
            raise BusyError("too many questions wait")
        claim: Claim | None = await asyncio.to_thread(opened.chats.claim, session, lease)
        try:
            history = [(turn.question, turn.answer) for turn in claim.history] if claim else []
            answer = self._answer(opened, body, history)
            try:
                async for event in answer:
                    if event is None or event[0] != ANSWER or claim is None:
                        yield event
                        continue
                    name, content = event
                    told = {k: v for k, v in content.items() if k not in ("question", "text")}
                    finish = partial(opened.chats.finish, claim, body.question, str(content["text"]), told)
                    number, claim = await asyncio.to_thread(finish), None
                    yield name, {**content, "session": session, "turn": number}
            finally:
                await answer.aclose()
        finally:
            if claim is not None:
                # Nobody may be left to await it: the task of a client that has gone is being cancelled.
                asyncio.get_running_loop().run_in_executor(None, _abandon, opened.chats, claim)

    # -- replies ---------------------------------------------------------------------------------------------------

    def _open(self) -> OpenLibrary:
        opened = self._slot.opened
        if opened is None:
            missing = self._missing()
            raise RefusalError(refused(503, missing["error"], missing["remedy"], retry_after_s=RETRY_LATER_S))
        return opened

    def _missing(self) -> dict[str, str]:
        rejected = self._slot.state()["rejected"]
        if rejected:
            return {
                "error": f"the index {rejected['version']} cannot be opened: {rejected['reason']}",
                "remedy": REMEDY,
            }
        return {"error": "the endpoint has no index of the corpus yet", "remedy": REMEDY}

    async def _computed(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._search_threads, call)

    @staticmethod
    async def _lazily(make: Callable[[], AsyncGenerator[Event | None, None]]) -> AsyncGenerator[Event | None, None]:
        events = make()
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    @staticmethod
    async def _last(events: AsyncGenerator[Event | None, None]) -> Reply:
        last: Event | None = None
        try:
            async for event in events:
                last = event or last
        finally:
            await events.aclose()
        if last is None or last[0] != ANSWER:
            raise RuntimeError("the answer has no end")
        return answered(last[1])

    async def _replied(self, reply: Any) -> Reply:
        try:
            return await reply  # type: ignore[no-any-return]
        except Exception as error:
            return refusal(error)

    async def _streamed(self, events: AsyncGenerator[Event | None, None]) -> AsyncGenerator[Reply | bytes, None]:
        begun = False
        try:
            async for event in events:
                if not begun:
                    begun = True
                    yield STREAM_FOLLOWS
                yield STILL_THERE if event is None else as_event(*event)
        except Exception as error:
            reply = refusal(error)
            if not begun:
                yield reply
                return
            yield as_event(FAILED, _loaded(reply.body))
        finally:
            await events.aclose()


def _abandon(chats: ChatStore, claim: Claim) -> None:
    try:
        chats.abandon(claim)
    except ChatStoreError:
        log.exception("session %s stays claimed until its claim runs out", claim.session)


def _counted(library: Library) -> dict[str, int]:
    return dict(library.documents["source"].value_counts(sort=True).iter_rows())


def _loaded(body: bytes) -> dict[str, Any]:
    import json

    content: dict[str, Any] = json.loads(body)
    return content


def _flagged(body: bytes, *, cached: bool) -> bytes:
    return answered({"cached": cached, **_loaded(body)}).body
