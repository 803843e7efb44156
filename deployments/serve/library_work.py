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

from deployments.serve.dossiers import Dossiers
from deployments.serve.from_thread import FromThread, Stopped
from deployments.serve.gate import Gate
from deployments.serve.library_refusals import REMEDY, RETRY_LATER_S, RefusalError, model_failed, refusal
from deployments.serve.library_request import AskBody, SearchBody
from deployments.serve.library_slot import LibraryPin, LibrarySlot
from deployments.serve.reply import STILL_THERE, STREAM_FOLLOWS, Reply, answered, as_event, refused
from deployments.serve.reply_cache import ReplyCache
from exo_assets.corpus.fusion import FUSIONS
from exo_assets.corpus.library import Filters, Library, SearchRequest
from exo_resources.chat_store import ChatStore, ChatStoreError, Claim

ANSWER = "done"
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
        """How it is, as JSON values; it may ask over the network."""

    def events(
        self, question: str, history: Sequence[tuple[str, str]], filters: Filters, library: Library, stopped: Stopped
    ) -> Iterator[Event]:
        """The answer as it comes about; the last event is ANSWER with all of it: `text`, `sentences`, `sources`, and
        the `error` of a language model that failed, or None.

        `history` has earlier questions and answers, oldest first. QueryError before the first event.
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
        # Their own: they need neither an index nor a Qdrant server, which may keep searches waiting.
        self._dossiers = Gate(SEARCHES_AT_ONCE, SEARCHES_WAITING)
        self._search_threads = ThreadPoolExecutor(SEARCHES_AT_ONCE, "search")
        self._ask_threads = ThreadPoolExecutor(ASKS_AT_ONCE, "ask")

    # -- requests --------------------------------------------------------------------------------------------------

    async def search(self, body: SearchBody) -> Reply:
        """Passages, best first."""
        return await self._replied(self._search(body))

    async def ask(self, body: AskBody) -> Reply:
        """An answer, whole."""
        return await self._replied(self._last(self._answer(body)))

    async def chat(self, session: str, body: AskBody) -> Reply:
        """An answer in a session, whole."""
        return await self._replied(self._last(self._turn(session, body)))

    def ask_stream(self, body: AskBody) -> AsyncGenerator[Reply | bytes, None]:
        """STREAM_FOLLOWS and server-sent events, or the reply that says why not."""
        return self._streamed(self._answer(body))

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
            async with self._dossiers:
                found = await asyncio.to_thread(opened.dossiers.find, signal, opened.library.aliases)
            return answered(found)

        return await self._replied(look())

    async def about(self) -> Reply:
        """What is in use, and how busy this replica is."""
        opened = self._slot.opened
        library, state = opened.library if opened else None, self._slot.state()
        manifest = dict(library.manifest) if library else {}
        generator = await asyncio.to_thread(opened.answerer.status) if opened else None
        store = await asyncio.to_thread(library.store.status) if library else None
        content = {
            **state,
            "documents": library.documents.height if library else 0,
            "chunks": library.chunks.height if library else 0,
            "sources": _counted(library) if library else {},
            "model": manifest.get("model"),
            "built_at": manifest.get("built_at"),
            "fusion": opened.fusion if opened else None,
            "can_rerank": library.can_rerank if library else False,
            "store": store,
            "generator": generator,
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

    async def _answer(self, body: AskBody) -> AsyncGenerator[Event | None, None]:
        """Events of an answer, the kept one or a new one."""
        opened = self._open()
        asked = body.model_dump_json(exclude={"stream"})
        key = ("ask", opened.library.version, opened.answerer.name, asked)
        if (kept := self._cache.get(key)) is not None:
            yield ANSWER, {"cached": True, **_loaded(kept)}
            return
        async with self._asks:
            events = self._made(opened, body, ())
            try:
                async for event in events:
                    if event is not None and event[0] == ANSWER and event[1]["error"] is None:
                        self._cache.put(key, answered(event[1]).body)
                    yield _with(event, {"cached": False})
            finally:
                await events.aclose()

    async def _turn(self, session: str, body: AskBody) -> AsyncGenerator[Event | None, None]:
        """As `_answer`, in a session that nobody else answers in meanwhile; nothing is kept of one that failed."""
        opened = self._open()
        chats = opened.chats
        async with self._asks:
            lease = opened.answerer.limit_s + CLAIM_MARGIN_S
            claim = await _claimed(chats, session, lease)
            finished = False
            events = self._made(opened, body, [(turn.question, turn.answer) for turn in claim.history])
            try:
                async for event in events:
                    number = None
                    if event is not None and event[0] == ANSWER and event[1]["error"] is None:
                        finish = partial(chats.finish, claim, body.question, event[1]["text"], _kept(event[1]))
                        number, finished = await asyncio.to_thread(finish), True
                    yield _with(event, {"session": session, "turn": number})
            finally:
                await events.aclose()
                if not finished:
                    # Nobody may be left to await it: the task of a client that has gone is being cancelled.
                    asyncio.get_running_loop().run_in_executor(None, _abandon, chats, claim)

    def _made(
        self, opened: OpenLibrary, body: AskBody, history: Sequence[tuple[str, str]]
    ) -> AsyncGenerator[Event | None, None]:
        """Events of a new answer; None for silence. The last is ANSWER."""
        answerer = opened.answerer
        make = partial(answerer.events, body.question, history, body.filters(), opened.library)
        return FromThread(make, self._ask_threads).items(answerer.limit_s, self._silence_s)

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
    async def _last(events: AsyncGenerator[Event | None, None]) -> Reply:
        last: Event | None = None
        try:
            async for event in events:
                last = event or last
        finally:
            await events.aclose()
        if last is None or last[0] != ANSWER:
            raise RuntimeError("the answer has no end")
        return answered(last[1]) if last[1]["error"] is None else model_failed(last[1])

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


async def _claimed(chats: ChatStore, session: str, lease_s: float) -> Claim:
    """A claim that is given back when its client goes away while it is made."""
    claiming = asyncio.get_running_loop().run_in_executor(None, chats.claim, session, lease_s)
    try:
        return await asyncio.shield(claiming)
    except asyncio.CancelledError:
        claiming.add_done_callback(lambda made: None if made.exception() else _abandon(chats, made.result()))
        raise


def _abandon(chats: ChatStore, claim: Claim) -> None:
    try:
        chats.abandon(claim)
    except ChatStoreError:
        log.exception("session %s stays claimed until its claim runs out", claim.session)


def _with(event: Event | None, more: Mapping[str, Any]) -> Event | None:
    """The event, the last one with `more` in it."""
    return event if event is None or event[0] != ANSWER else (ANSWER, {**more, **event[1]})


def _kept(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What a session keeps of an answer beside its text: not the passages, which are in the index."""
    names = ("searched_for", "sentences", "declined", "generator", "corpus_version")
    cited = [{k: v for k, v in s.items() if k != "text"} for s in answer["sources"] if s["cited"]]
    return {**{name: answer[name] for name in names}, "sources": cited}


def _counted(library: Library) -> dict[str, int]:
    return dict(library.documents["source"].value_counts(sort=True).iter_rows())


def _loaded(body: bytes) -> dict[str, Any]:
    import json

    content: dict[str, Any] = json.loads(body)
    return content


def _flagged(body: bytes, *, cached: bool) -> bytes:
    return answered({"cached": cached, **_loaded(body)}).body
