"""Who answers questions at the endpoint: `exo_assets.corpus.answering`, with or without a language model.

Belongs here: settings to an answerer, its events with the names that HTTP gives them, and failures of a model in HTTP's
terms. Does not belong here: answering, talking to a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from deployments.serve.from_thread import Stopped
from deployments.serve.library_work import ANSWER, Event
from exo_assets.corpus.answering import EXTRACTIVE, AnswerSettings, stream_answer
from exo_assets.corpus.followup import Turn
from exo_assets.corpus.fusion import FUSIONS
from exo_assets.corpus.generated import Generator
from exo_assets.corpus.library import Filters, Library
from exo_resources.settings import Settings

EXTRACTIVE_LIMIT_S = 30.0


class CorpusAnswerer:
    """Answers by quotations, or in the words of `generator`."""

    def __init__(
        self,
        settings: AnswerSettings,
        generator: Generator | None,
        *,
        key: str,
        limit_s: float,
        status: Callable[[], Mapping[str, Any]],
    ) -> None:
        """`key` changes with whatever answers depend on beside index and question; `limit_s`: of one answer, seconds;
        `status` says how the generator is."""
        self._settings, self._generator, self._status = settings, generator, status
        self.name, self.limit_s = f"{EXTRACTIVE if generator is None else generator.name} {key}", limit_s

    def status(self) -> dict[str, Any]:
        """As `Answerer.status`."""
        return dict(self._status())

    def events(
        self, question: str, history: Sequence[tuple[str, str]], filters: Filters, library: Library, stopped: Stopped
    ) -> Iterator[Event]:
        """As `Answerer.events`; an answer whose model failed says so in its `error`."""
        settings = replace(self._settings, search=replace(self._settings.search, filters=filters))
        turns = [Turn(asked, told) for asked, told in history]
        made = stream_answer(question, library, settings, self._generator, turns, stopped=stopped)
        for event in made:
            content = dict(event)
            name = content.pop("event")
            yield (ANSWER, content["answer"]) if name == ANSWER else (name, content)


def corpus_answerer(settings: Settings, key: str) -> CorpusAnswerer:
    """The answerer that `settings` choose. `key` names them."""
    how = AnswerSettings(search=replace(AnswerSettings().search, fusion=FUSIONS[settings.fusion]))
    return CorpusAnswerer(how, None, key=key, limit_s=EXTRACTIVE_LIMIT_S, status=lambda: {"generator": EXTRACTIVE})
