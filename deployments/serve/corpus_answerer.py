"""Who answers questions at the endpoint: `exo_assets.corpus.answering`, with or without a language model.

Belongs here: settings to an answerer, its events with the names that HTTP gives them, and failures of a model in HTTP's
terms. Does not belong here: answering, talking to a model.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from deployments.serve.from_thread import Stopped
from deployments.serve.library_work import ANSWER, Event
from exo_assets.corpus.answered import EXTRACTIVE
from exo_assets.corpus.answering import AnswerSettings, stream_answer
from exo_assets.corpus.followup import Turn
from exo_assets.corpus.library import Filters, Library
from exo_assets.corpus.objects.told import Objects
from exo_resources.language_model import LanguageModel, answer_settings, language_model
from exo_resources.openai_call import import_client
from exo_resources.release_objects import release_objects
from exo_resources.settings import Settings

EXTRACTIVE_LIMIT_S = 30.0


class CorpusAnswerer:
    """Answers from the release's tables, by quotations, or in the words of `generator`."""

    def __init__(
        self, settings: AnswerSettings, generator: LanguageModel | None, objects: Objects, *, key: str, limit_s: float
    ) -> None:
        """`key` changes with whatever answers depend on beside index, release and question; `limit_s`: of an answer,
        seconds."""
        self._settings, self._generator, self._objects, self._key = settings, generator, objects, key
        self.limit_s = limit_s
        if generator is not None:
            # What a model holds on this machine is given back when nobody answers with it any more.
            weakref.finalize(self, generator.close)

    @property
    def name(self) -> str:
        """As `Answerer.name`; another release, and objects may be answered otherwise."""
        generator = EXTRACTIVE if self._generator is None else self._generator.name
        return f"{generator} {self._key} {self._objects.version}"

    def status(self) -> dict[str, Any]:
        """As `Answerer.status`."""
        return {"kind": EXTRACTIVE, "state": "ready"} if self._generator is None else self._generator.status()

    def events(
        self, question: str, history: Sequence[tuple[str, str]], filters: Filters, library: Library, stopped: Stopped
    ) -> Iterator[Event]:
        """As `Answerer.events`; an answer whose model failed says so in its `error`."""
        settings = replace(self._settings, search=replace(self._settings.search, filters=filters))
        turns = [Turn(asked, told) for asked, told in history]
        made = stream_answer(
            question, library, settings, self._generator, turns, objects=self._objects, stopped=stopped
        )
        for event in made:
            content = dict(event)
            name = content.pop("event")
            yield (ANSWER, content["answer"]) if name == ANSWER else (name, content)


def corpus_answerer(settings: Settings, key: str) -> CorpusAnswerer:
    """The answerer that `settings` choose; `key` names them. GeneratorError when they choose one that cannot be.

    No model is loaded or connected to yet: an index is put on the endpoint whether or not a language model answers.
    What it is asked with is imported now, not while somebody waits for the first answer.
    """
    generator = language_model(settings)
    limit_s = EXTRACTIVE_LIMIT_S
    if generator is not None:
        import_client()
        limit_s += settings.llm_timeout_s
    objects = release_objects(settings)
    return CorpusAnswerer(answer_settings(settings), generator, objects, key=key, limit_s=limit_s)
