"""Answers to questions, in which every sentence cites the passage that it rests on.

Belongs here: a question to a cited answer, whole or as events while it is made: rows of the release for what is asked
of an object, the glossary for the meaning of a word, else passages found, what none answers declined, sentences quoted
or a language model's sentences verified. Does not belong here: search (`library.py`), which sentences are quoted
(`extractive.py`), what the tables say (`objects/`), words (`glossary.py`), prompts (`generated.py`), what bears a
sentence (`support.py`), transport.

What a table says is told in its own words, whoever words the other answers. A language model that fails is told of,
with the passages; nobody is answered by quotations in its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from exo_assets.corpus import extractive
from exo_assets.corpus.answer_sources import Found, quote, rows_of, search
from exo_assets.corpus.answered import (
    CATALOGUE,
    EXTRACTIVE,
    AnswerError,
    AnswerSentence,
    CitedAnswer,
    Source,
    sentence_json,
    sentence_text,
    source_json,
)
from exo_assets.corpus.definitions import Defined, asked_words
from exo_assets.corpus.extractive import ExtractiveAnswer, ExtractiveSettings
from exo_assets.corpus.followup import Turn, standalone
from exo_assets.corpus.generated import AnswerReader, Generator, GeneratorError, Given, PromptSettings, Stated, prompt
from exo_assets.corpus.glossary import says_what_it_means
from exo_assets.corpus.library import Embed, Filters, Library, SearchRequest
from exo_assets.corpus.objects.told import Objects, Told
from exo_assets.corpus.remembering import remembering
from exo_assets.corpus.support import ADDRESS, Evidence, Place, Support, SupportSettings

SUPPORTED, UNSUPPORTED = "supported", "unsupported"
__all__ = ["EXTRACTIVE", "AnswerSettings", "CitedAnswer", "answer_question", "stream_answer"]

MODEL_DECLINED = "the language model found no answer in the passages"
NOTHING_BORNE = "no sentence of the language model is borne by a passage"


@dataclass(frozen=True)
class AnswerSettings:
    """How to answer. `search`: how many passages, which documents. `mark_unsupported`: sentences of a model that no
    passage bears stay, marked; else they are dropped. Those with an address are always dropped."""

    search: SearchRequest = field(default_factory=lambda: SearchRequest(limit=8, every_passage=True, glossary=False))
    extractive: ExtractiveSettings = field(default_factory=ExtractiveSettings)
    support: SupportSettings = field(default_factory=SupportSettings)
    prompt: PromptSettings = field(default_factory=PromptSettings)
    mark_unsupported: bool = False


def answer_question(
    question: str,
    library: Library,
    settings: AnswerSettings = AnswerSettings(),
    generator: Generator | None = None,
    history: Sequence[Turn] = (),
    *,
    objects: Objects | None = None,
) -> CitedAnswer:
    """Answer `question` from `library`: by quotations, or in the words of `generator`, verified; what is asked of an
    object, from `objects` where they tell it and no filter restricts the answer to documents.

    QueryError for a question that cannot be searched for. A generator that fails gives an answer with an `error`.
    """
    for event in _events(question, library, settings, generator, history, objects, _never):
        if isinstance(event, CitedAnswer):
            return event
    raise AssertionError("an answer that nobody stopped ends with itself")


def stream_answer(
    question: str,
    library: Library,
    settings: AnswerSettings = AnswerSettings(),
    generator: Generator | None = None,
    history: Sequence[Turn] = (),
    *,
    objects: Objects | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[dict[str, Any]]:
    """The answer while it is made, as JSON values: {"event": "passages", "sources": [...], ...}, {"event": "sentence",
    ...} for each sentence once it is verified, {"event": "done", "answer": ...} with all of it.

    Closing the iterator ends the model's work; so does `stopped`, which may turn true in another thread: then there is
    no "done". QueryError as in `answer_question`, before the first event.
    """
    name = EXTRACTIVE
    for event in _events(question, library, settings, generator, history, objects, stopped):
        if isinstance(event, CitedAnswer):
            yield {"event": "done", "answer": event.as_json()}
        elif isinstance(event, AnswerSentence):
            yield {"event": "sentence", "text": sentence_text(event, name), "sentence": sentence_json(event)}
        else:
            name = event.generator
            yield {
                "event": "passages",
                "searched_for": event.searched_for,
                "sources": [source_json(s) for s in event.sources],
                "corpus_version": library.version,
            }


def _never() -> bool:
    return False


def _events(  # noqa: PLR0917 - the parts of one answer
    question: str,
    library: Library,
    settings: AnswerSettings,
    generator: Generator | None,
    history: Sequence[Turn],
    objects: Objects | None,
    stopped: Callable[[], bool],
) -> Iterator[Found | AnswerSentence | CitedAnswer]:
    """What is answered from, each sentence, and the whole answer, which is missing only when somebody stopped it."""
    searched_for = standalone(question, history)
    told = objects.told(searched_for) if objects is not None and settings.search.filters == Filters() else None
    if told is not None and told.sentences:
        yield from _from_tables(told, question, searched_for, library.version)
        return
    defined = asked_words(searched_for)
    name = EXTRACTIVE if generator is None else generator.name
    found = search(searched_for, library, settings.search, defined, name)
    yield found
    empty = CitedAnswer(question, searched_for, (), found.sources, None, None, name, library.version)
    embed = remembering(library).embed
    # Whether the corpus can answer is judged alike with and without a model.
    quoted, declined = _quoted(found, library, settings, embed)
    if not found.definitions:
        quoted, declined = _to_the_point(quoted, declined, found, library, defined, told)
    if stopped():
        return
    if declined is not None:
        yield replace(empty, declined=declined)
    elif generator is None:
        yield from quoted
        yield replace(empty, sentences=quoted)
    else:
        yield from _worded(empty, found, library, settings, generator, history, stopped, embed)


def _from_tables(
    told: Told, question: str, searched_for: str, version: str
) -> Iterator[Found | AnswerSentence | CitedAnswer]:
    """The answer that the release's tables give."""
    found, sources = rows_of(told, searched_for)
    yield found
    given = []
    for said in told.sentences:
        places = [(sources[row], row.place(topic)) for row, topic in said.rests_on]
        quotes = tuple(quote(source, Place(source.number, start, end)) for source, (start, end) in places)
        numbers = tuple(dict.fromkeys(q.number for q in quotes))
        given.append(AnswerSentence(said.text, numbers, 1.0, SUPPORTED, quotes))
    yield from given
    yield CitedAnswer(question, searched_for, tuple(given), found.sources, told.declined, None, CATALOGUE, version)


def _quoted(
    found: Found, library: Library, settings: AnswerSettings, embed: Embed
) -> tuple[tuple[AnswerSentence, ...], str | None]:
    """The definitions of the words that are asked for, else the sentences that answer; or none, and why."""
    if found.definitions:
        return _definitions(found), None
    quoted = extractive.answer(
        found.searched_for,
        found.passages,
        embed=embed,
        words=library.plain_words,
        same=library.same,
        settings=settings.extractive,
    )
    return _quotations(quoted, found), quoted.declined


def _definitions(found: Found) -> tuple[AnswerSentence, ...]:
    """What the glossary says of the words that are asked for."""
    return tuple(
        AnswerSentence(passage.text[start:end], (source.number,), 1.0, SUPPORTED, (quote(source, place),))
        for source, passage in zip(found.sources[: found.definitions], found.passages, strict=False)
        for start, end in passage.sentences
        if says_what_it_means(passage.text[start:end])
        for place in (Place(source.number, start, end),)
    )


def _to_the_point(  # noqa: PLR0917 - the parts of one answer
    quoted: tuple[AnswerSentence, ...],
    declined: str | None,
    found: Found,
    library: Library,
    defined: Defined | None,
    told: Told | None,
) -> tuple[tuple[AnswerSentence, ...], str | None]:
    """Quotations, if one of them says what no table does; those that speak of the word that is asked for; or why there
    is none. A sentence that takes another one back stays beside it."""
    if told is not None and not any(told.is_answered_by(s.text) for s in quoted):
        return (), told.declined or declined
    if defined is not None and defined.unknown:
        words = library.words.terms(defined.unknown)
        heading = {s.number: f"{p.title} {p.heading}" for s, p in zip(found.sources, found.passages, strict=True)}
        quoted = tuple(s for s in quoted if words <= library.words.terms(f"{heading[s.citations[0]]} {s.text}"))
        if not quoted and declined is None:
            return (), f"no passage says what {defined.unknown} is"
    return quoted, declined


def _quotations(quoted: ExtractiveAnswer, found: Found) -> tuple[AnswerSentence, ...]:
    row = {passage.passage_id: at for at, passage in reversed(list(enumerate(found.passages)))}
    out = []
    for s in quoted.sentences:
        source = found.sources[row[s.citation.passage_id]]
        place = Place(source.number, s.citation.start, s.citation.end)
        out.append(AnswerSentence(s.text, (source.number,), s.score, SUPPORTED, (quote(source, place),)))
    return tuple(out)


def _worded(  # noqa: PLR0917 - the parts of one answer
    empty: CitedAnswer,
    found: Found,
    library: Library,
    settings: AnswerSettings,
    generator: Generator,
    history: Sequence[Turn],
    stopped: Callable[[], bool],
    embed: Embed,
) -> Iterator[AnswerSentence | CitedAnswer]:
    """A model's sentences as they are verified, and the answer that they make."""
    kept, dropped, refused = list[AnswerSentence](), Counter[str](), False
    error = None
    judge: _Judge | None = None
    try:
        given = [Given(s.number, _heading(s), s.text) for s in found.sources]
        asked = prompt(empty.question, given, history, settings.prompt)
        judge = _Judge(found, asked.numbers, library, settings, embed)
        for stated in _stated(generator, asked.messages, stopped):
            if stated.refuses:
                refused = True
            elif (sentence := judge.judged(stated, dropped)) is not None:
                kept.append(sentence)
                yield sentence
    except GeneratorError as failed:
        error = AnswerError(failed.reason, str(failed))
    if stopped():
        return
    declined = None
    if not kept and error is None:
        declined = MODEL_DECLINED if refused and not dropped else NOTHING_BORNE
    yield replace(empty, sentences=tuple(kept), declined=declined, error=error, dropped=tuple(sorted(dropped.items())))


def _stated(generator: Generator, messages: Sequence[Any], stopped: Callable[[], bool]) -> Iterator[Stated]:
    """The model's sentences as they are complete. One that broke off gives those before the break, then its error."""
    reader = AnswerReader()
    pieces = generator.stream(messages, stopped)
    try:
        for piece in pieces:
            yield from reader.feed(piece)
            if reader.full or stopped():
                break
    except GeneratorError:
        yield from reader.close(cut=True)
        raise
    finally:
        _close(pieces)
    if not stopped():
        yield from reader.close(cut=reader.full)


def _close(pieces: Iterator[str]) -> None:
    """End the model's work, where the iterator can."""
    close = getattr(pieces, "close", None)
    if close is not None:
        close()


class _Judge:
    """Verifies a model's sentences against the passages that it was given."""

    def __init__(
        self, found: Found, numbers: frozenset[int], library: Library, settings: AnswerSettings, embed: Embed
    ) -> None:
        self._sources = {s.number: s for s in found.sources}
        self._mark = settings.mark_unsupported
        given = [(s.number, p) for s, p in zip(found.sources, found.passages, strict=True) if s.number in numbers]
        self._evidence = Evidence(given, embed=embed, words=library.words, same=library.same, settings=settings.support)

    def judged(self, stated: Stated, dropped: Counter[str]) -> AnswerSentence | None:
        """The sentence with what bears it; None where it is left out, which `dropped` counts."""
        support: Support = self._evidence.support(stated.text, stated.citations)
        if not support.places:
            if not self._mark or support.reason == ADDRESS:
                dropped[str(support.reason)] += 1
                return None
            return AnswerSentence(stated.text, (), support.score, UNSUPPORTED)
        quotes = tuple(quote(self._sources[place.number], place) for place in support.places)
        return AnswerSentence(stated.text, tuple(q.number for q in quotes), support.score, SUPPORTED, quotes)


def _heading(source: Source) -> str:
    """Title and section of a passage, for the prompt."""
    return source.title if not source.section or source.section == source.title else f"{source.title}; {source.section}"
