"""The language model that words answers, elsewhere or on this machine.

Belongs here: which one is set, asking it, what can be said of it. Does not belong here: prompts and the verification of
what it writes (`exo_assets/corpus/generated.py`, `support.py`), the request itself (`openai_call.py`), the process of a
model on this machine (`local_model.py`).

Nothing takes a model's place when it fails: who asks is told why. Redirects are not followed, so that the key and the
passages go to no other host; the key is in no message and no log.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from exo_assets.corpus.answering import AnswerSettings
from exo_assets.corpus.fusion import FUSIONS
from exo_assets.corpus.generated import GeneratorError, Message, PromptSettings
from exo_resources.openai_call import Call, Patience
from exo_resources.openai_endpoint import Endpoint, check_model
from exo_resources.settings import Settings

READY, NOT_LOADED, UNREACHABLE, REFUSED = "ready", "not loaded", "unreachable", "refused"


class LanguageModel(ABC):
    """A model (generated.Generator). Safe to share between threads."""

    kind: str

    def __init__(
        self, name: str, patience: Patience, *, quantisation: str | None = None, memory_gb: float | None = None
    ) -> None:
        """`quantisation` and `memory_gb` are what the settings declare."""
        self.name, self.patience, self.quantisation, self.memory_gb = name, patience, quantisation, memory_gb
        self._last_error: dict[str, str] | None = None

    @abstractmethod
    def endpoint(self) -> Endpoint:
        """Where the model answers, once it does. GeneratorError when it cannot be had."""

    @abstractmethod
    def state(self) -> tuple[str, str | None, str | None]:
        """State (ready, not loaded, unreachable, refused), why or a note, and its address. Never raises."""

    @property
    def loaded_at(self) -> str | None:
        """When the model was loaded on this machine."""
        return None

    def close(self) -> None:  # noqa: B027 - a model elsewhere holds nothing here
        """Give back what the model holds on this machine."""

    def stream(self, messages: Sequence[Message], stopped: Callable[[], bool] = lambda: False) -> Iterator[str]:
        """The model's text in pieces, as they arrive. Closing the iterator, or `stopped`, closes the connection.

        Tries again, with growing pauses, what may be different the next time (429, 5xx, no connection), until the first
        piece is there. GeneratorError when it fails.
        """
        call = None
        try:
            call = Call(self.endpoint(), messages, self.patience)
            try:
                yield from call.pieces(stopped)
            finally:
                call.cancel()
        except GeneratorError as error:
            self._last_error = {"reason": error.reason, "message": str(error), "at": now()}
            raise

    def status(self) -> dict[str, Any]:
        """What can be said of the model now, as JSON values. Asks its endpoint, but never loads it and never raises."""
        state, reason, url = self.state()
        return {
            "kind": self.kind,
            "model": self.name,
            "url": url,
            "quantisation": self.quantisation,
            "memory_gb": self.memory_gb,
            "context_tokens": self.patience.context_tokens,
            "state": state,
            "reason": reason,
            "last_error": self._last_error,
            "loaded_at": self.loaded_at,
        }


class RemoteModel(LanguageModel):
    """A model behind an address: vLLM, Ollama, llama.cpp, a provider."""

    kind = "remote"

    def __init__(self, endpoint: Endpoint, patience: Patience, **declared: Any) -> None:
        """`declared`: quantisation and memory_gb."""
        super().__init__(endpoint.model, patience, **declared)
        self._endpoint = endpoint

    def endpoint(self) -> Endpoint:
        """Where the model answers."""
        return self._endpoint

    def state(self) -> tuple[str, str | None, str | None]:
        """Whether the endpoint answers, takes the key and has the model."""
        return (*asked_state(self._endpoint), self._endpoint.url)


def asked_state(endpoint: Endpoint) -> tuple[str, str | None]:
    """State of a model by what its endpoint says now, and why or a note."""
    try:
        return READY, check_model(endpoint)
    except GeneratorError as error:
        return (REFUSED if error.reason == "refused" else UNREACHABLE), str(error)


def language_model(settings: Settings) -> LanguageModel | None:
    """The generator that is set; None for quoted answers. Nothing is connected to or loaded yet.

    GeneratorError (refused) when the settings name none.
    """
    if settings.generator == "extractive":
        return None
    patience = Patience(settings.llm_timeout_s, settings.llm_attempts, context_tokens=settings.llm_context_tokens)
    declared: dict[str, Any] = {"quantisation": settings.llm_quantisation, "memory_gb": settings.llm_memory_gb}
    if settings.generator == "local":
        from exo_resources.local_model import LocalModel

        if not settings.llm_model:
            raise GeneratorError("EXO_GENERATOR=local needs EXO_LLM_MODEL, the path of a GGUF file", "refused")
        return LocalModel(settings.llm_model, settings.home / "logs" / "language_model.log", patience, **declared)
    if not (settings.llm_url and settings.llm_model):
        raise GeneratorError("EXO_GENERATOR=remote needs EXO_LLM_URL and EXO_LLM_MODEL", "refused")
    key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else None
    return RemoteModel(Endpoint.of(settings.llm_url, settings.llm_model, key), patience, **declared)


def answer_settings(settings: Settings) -> AnswerSettings:
    """How questions are answered: the search and the model's context as set."""
    return AnswerSettings(
        search=replace(AnswerSettings().search, fusion=FUSIONS[settings.fusion]),
        prompt=PromptSettings(context_tokens=settings.llm_context_tokens),
    )


def now() -> str:
    """The time, for a status."""
    return datetime.now(UTC).isoformat(timespec="seconds")
