"""One question to an OpenAI-compatible endpoint, through llama-index.

Belongs here: the request, its time-out and tries, the text in pieces, cancelling. Does not belong here: what errors
mean (`openai_endpoint.py`), which model is set (`language_model.py`).
"""

from __future__ import annotations

import asyncio
import queue
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from exo_assets.corpus.generated import GeneratorError, Message
from exo_resources.openai_endpoint import LONGEST_PAUSE_S, BrokeOffError, Endpoint, failure

REMEDY = "EXO_GENERATOR=extractive answers by quoting"
POLL_S = 0.1
"""How soon `stopped` is noticed."""
CONNECT_TIMEOUT_S = 10.0
JOIN_TIMEOUT_S = 5.0


def import_client() -> None:
    """Import what a question is put with: seconds, once in a process."""
    import llama_index.llms.openai_like  # noqa: F401


@dataclass(frozen=True)
class Patience:
    """How a model is asked: seconds for an answer with all its tries, how many, the first pause between two (they
    double), and tokens: what the model reads, and of an answer."""

    timeout_s: float = 60.0
    attempts: int = 3
    first_pause_s: float = 0.5
    context_tokens: int = 4096
    answer_tokens: int = 400


class Call:
    """A question that is being answered. A thread with an event loop of its own reads, so that it can be ended at any
    time, even while nothing arrives."""

    def __init__(self, endpoint: Endpoint, messages: Sequence[Message], patience: Patience) -> None:
        import_client()  # not within the model's time
        self._endpoint, self._messages, self._patience = endpoint, messages, patience
        self._arrived: queue.SimpleQueue[str | GeneratorError | None] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="exo-language-model", daemon=True)
        self._thread.start()

    def pieces(self, stopped: Callable[[], bool]) -> Iterator[str]:
        """The text as it arrives, until it ends or `stopped`. GeneratorError."""
        while not stopped():
            try:
                arrived = self._arrived.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if isinstance(arrived, GeneratorError):
                raise arrived
            if arrived is None:
                return
            yield arrived

    def cancel(self) -> None:
        """End the request and its thread."""
        with suppress(RuntimeError):  # the loop may be closed already
            self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(timeout=JOIN_TIMEOUT_S)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._task = self._loop.create_task(self._read())
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._task)
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    async def _read(self) -> None:
        """Put all pieces into the queue, then None, or the error that ended them."""
        try:
            async with asyncio.timeout(self._patience.timeout_s):
                await self._try()
        except TimeoutError:
            text = (
                f"the language model did not answer within {self._patience.timeout_s:g} s (EXO_LLM_TIMEOUT_S); {REMEDY}"
            )
            self._arrived.put(GeneratorError(text, "timeout"))
        except GeneratorError as error:
            self._arrived.put(error)
        else:
            self._arrived.put(None)

    async def _try(self) -> None:
        began = False
        for attempt in range(1, self._patience.attempts + 1):
            try:
                async for piece in _pieces(self._endpoint, self._messages, self._patience):
                    began = True
                    self._arrived.put(piece)
                return
            except Exception as error:
                failed = failure(error, self._endpoint, began=began)
                if not failed.again or attempt == self._patience.attempts:
                    tried = f" after {attempt} tries" if attempt > 1 else ""
                    what = "the language model's answer broke off" if began else "the language model did not answer"
                    # Without its cause, which may hold the key.
                    raise GeneratorError(f"{what}{tried} ({failed.text}); {REMEDY}", failed.reason) from None
                pause = min(LONGEST_PAUSE_S, self._patience.first_pause_s * 2 ** (attempt - 1))
                await asyncio.sleep(failed.wait_s or pause * (0.5 + random.random()))


async def _pieces(endpoint: Endpoint, messages: Sequence[Message], patience: Patience) -> AsyncIterator[str]:
    """The text of one request, through llama-index."""
    import httpx
    from llama_index.core.base.llms.types import ChatMessage, MessageRole
    from llama_index.llms.openai_like import OpenAILike
    from openai import AsyncOpenAI

    auth = httpx.BasicAuth(*endpoint.login) if endpoint.login else None
    timeout = httpx.Timeout(patience.timeout_s, connect=min(CONNECT_TIMEOUT_S, patience.timeout_s))
    async with httpx.AsyncClient(
        auth=auth, timeout=timeout, follow_redirects=False, trust_env=endpoint.trust_env
    ) as http:
        client = AsyncOpenAI(api_key=endpoint.key, base_url=endpoint.url, max_retries=0, http_client=http)
        # Taken from variables of the environment that are not Exo's.
        client.organization = client.project = None
        llm = OpenAILike(  # type: ignore[call-arg]
            model=endpoint.model,
            api_base=endpoint.url,
            api_key=endpoint.key,
            is_chat_model=True,
            is_function_calling_model=False,
            context_window=patience.context_tokens,
            max_tokens=min(patience.answer_tokens, patience.context_tokens // 2),
            temperature=0.0,
            max_retries=0,
            timeout=patience.timeout_s,
            async_openai_client=client,
        )
        chat = [ChatMessage(role=MessageRole(m.role), content=m.text) for m in messages]
        finished = False
        async for part in await llm.astream_chat(chat):
            choices = getattr(part.raw, "choices", None)
            finished = finished or bool(choices and choices[0].finish_reason)
            if part.delta:
                yield part.delta
        if not finished:
            raise BrokeOffError
