"""Answers to questions, in which every sentence cites the passage that it rests on.

Belongs here: a question to a cited answer, whole or as events while it is made: passages found, what none answers
declined, sentences quoted or a language model's sentences verified. Does not belong here: search (`library.py`), which
sentences are quoted (`extractive.py`), prompts (`generated.py`), what bears a sentence (`support.py`), transport.

A language model that fails is told of, with the passages; nobody is answered by quotations in its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from exo_assets.corpus import extractive
from exo_assets.corpus.extractive import ExtractiveAnswer, ExtractiveSettings, Passage
from exo_assets.corpus.followup import Turn, standalone
from exo_assets.corpus.generated import AnswerReader, Generator, GeneratorError, Given, PromptSettings, Stated, prompt
from exo_assets.corpus.library import Embed, Hit, Library, SearchRequest
from exo_assets.corpus.remembering import remembering
from exo_assets.corpus.sentences import sentences
from exo_assets.corpus.support import ADDRESS, Evidence, Place, Support, SupportSettings

EXTRACTIVE = "extractive"
SUPPORTED, UNSUPPORTED = "supported", "unsupported"
MODEL_DECLINED = "the language model found no answer in the passages"
NOTHING_BORNE = "no sentence of the language model is borne by a passage"


@dataclass(frozen=True)
class AnswerSettings:
    """How to answer. `search`: how many passages, which documents. `mark_unsupported`: sentences of a model that no
    passage bears stay, marked; else they are dropped. Those with an address are always dropped."""

    search: SearchRequest = field(default_factory=lambda: SearchRequest(limit=8, every_passage=True))
    extractive: ExtractiveSettings = field(default_factory=ExtractiveSettings)
    support: SupportSettings = field(default_factory=SupportSettings)
    prompt: PromptSettings = field(default_factory=PromptSettings)
    mark_unsupported: bool = False


@dataclass(frozen=True)
class Source:
    """A passage that was retrieved; [number] shows it. `text` is characters [start, end) of the document's text."""

    number: int
    chunk_id: str
    document_id: str
    source: str
    title: str
    section: str | None
    page: int | None
    start: int
    end: int
    year: int | None
    url: str | None
    text: str
    score: float


@dataclass(frozen=True)
class Quote:
    """What a citation rests on: characters [start, end) of the document's text of source [number]."""

    number: int
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class AnswerSentence:
    """A sentence, the numbers of the sources that bear it and where. `support`: 0 to 1, of quoted sentences the score
    of how well they answer; `status` is supported or unsupported, then without citations."""

    text: str
    citations: tuple[int, ...]
    support: float
    status: str
    quotes: tuple[Quote, ...] = ()


@dataclass(frozen=True)
class AnswerError:
    """Why a language model's answer is missing or incomplete; `reason` is one of generated.REASONS."""

    reason: str
    message: str


@dataclass(frozen=True)
class CitedAnswer:
    """An answer, or why there is none: `declined` where the corpus does not answer, `error` where a model failed (what
    was verified before stays).

    `searched_for` is the question with the names that it took over from the conversation. `sources` are all passages
    that were retrieved, the best first. `dropped`: how many sentences of the model were left out, by reason.
    """

    question: str
    searched_for: str
    sentences: tuple[AnswerSentence, ...]
    sources: tuple[Source, ...]
    declined: str | None
    error: AnswerError | None
    generator: str
    corpus_version: str
    dropped: tuple[tuple[str, int], ...] = ()

    @property
    def text(self) -> str:
        """The sentences, each with its [n]; quoted ones in quotation marks. Empty when there are none."""
        return " ".join(sentence_text(s, self.generator) for s in self.sentences)

    @property
    def cited(self) -> tuple[Source, ...]:
        """The sources that are cited."""
        numbers = {n for s in self.sentences for n in s.citations}
        return tuple(s for s in self.sources if s.number in numbers)

    def as_json(self) -> dict[str, Any]:
        """The answer as JSON values."""
        cited = {s.number for s in self.cited}
        return {
            "question": self.question,
            "searched_for": self.searched_for,
            "text": self.text,
            "sentences": [sentence_json(s) for s in self.sentences],
            "sources": [source_json(s) | {"cited": s.number in cited} for s in self.sources],
            "declined": self.declined,
            "error": None if self.error is None else vars(self.error).copy(),
            "generator": self.generator,
            "corpus_version": self.corpus_version,
            "dropped": dict(self.dropped),
        }


def sentence_text(sentence: AnswerSentence, generator: str) -> str:
    """A sentence as people read it, with its [n]."""
    shown = f"“{sentence.text}”" if generator == EXTRACTIVE else sentence.text
    marks = "".join(f"[{n}]" for n in sentence.citations) or "[unsupported]"
    return f"{shown} {marks}"


def sentence_json(sentence: AnswerSentence) -> dict[str, Any]:
    """A sentence as JSON values."""
    return vars(sentence) | {
        "citations": list(sentence.citations),
        "support": round(sentence.support, 4),
        "quotes": [vars(q).copy() for q in sentence.quotes],
    }


def source_json(source: Source) -> dict[str, Any]:
    """A source as JSON values."""
    return vars(source) | {"score": round(source.score, 4)}


def answer_question(
    question: str,
    library: Library,
    settings: AnswerSettings = AnswerSettings(),
    generator: Generator | None = None,
    history: Sequence[Turn] = (),
) -> CitedAnswer:
    """Answer `question` from `library`: by quotations, or in the words of `generator`, verified.

    QueryError for a question that cannot be searched for. A generator that fails gives an answer with an `error`.
    """
    for event in _events(question, library, settings, generator, history, _never):
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
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[dict[str, Any]]:
    """The answer while it is made, as JSON values: {"event": "passages", "sources": [...], ...}, {"event": "sentence",
    ...} for each sentence once it is verified, {"event": "done", "answer": ...} with all of it.

    Closing the iterator ends the model's work; so does `stopped`, which may turn true in another thread: then there is
    no "done". QueryError as in `answer_question`, before the first event.
    """
    for event in _events(question, library, settings, generator, history, stopped):
        if isinstance(event, CitedAnswer):
            yield {"event": "done", "answer": event.as_json()}
        elif isinstance(event, AnswerSentence):
            name = EXTRACTIVE if generator is None else generator.name
            yield {"event": "sentence", "text": sentence_text(event, name), "sentence": sentence_json(event)}
        else:
            yield {
                "event": "passages",
                "searched_for": event.searched_for,
                "sources": [source_json(s) for s in event.sources],
                "corpus_version": library.version,
            }


@dataclass(frozen=True)
class _Found:
    """What a search gave: sources, and the same passages with their sentences."""

    searched_for: str
    sources: tuple[Source, ...]
    passages: tuple[Passage, ...]


def _never() -> bool:
    return False


def _events(  # noqa: PLR0917 - the parts of one answer
    question: str,
    library: Library,
    settings: AnswerSettings,
    generator: Generator | None,
    history: Sequence[Turn],
    stopped: Callable[[], bool],
) -> Iterator[_Found | AnswerSentence | CitedAnswer]:
    """The passages, each sentence, and the whole answer, which is missing only when somebody stopped it."""
    searched_for = standalone(question, history)
    hits = library.search(searched_for, replace(settings.search, every_passage=True))
    found = _Found(
        searched_for,
        tuple(_source(number, hit) for number, hit in enumerate(hits, start=1)),
        tuple(
            Passage(hit.chunk_id, hit.text, tuple(sentences(hit.text)), hit.title, _last_heading(hit)) for hit in hits
        ),
    )
    yield found
    name = EXTRACTIVE if generator is None else generator.name
    empty = CitedAnswer(question, searched_for, (), found.sources, None, None, name, library.version)
    embed = remembering(library).embed
    # Whether the corpus can answer is judged alike with and without a model.
    quoted = extractive.answer(
        searched_for,
        found.passages,
        embed=embed,
        words=library.plain_words,
        same=library.same,
        settings=settings.extractive,
    )
    if stopped():
        return
    if quoted.declined is not None:
        yield replace(empty, declined=quoted.declined)
    elif generator is None:
        said = _quotations(quoted, found)
        yield from said
        yield replace(empty, sentences=said)
    else:
        yield from _worded(empty, found, library, settings, generator, history, stopped, embed)


def _quotations(quoted: ExtractiveAnswer, found: _Found) -> tuple[AnswerSentence, ...]:
    row = {passage.passage_id: at for at, passage in reversed(list(enumerate(found.passages)))}
    out = []
    for s in quoted.sentences:
        source = found.sources[row[s.citation.passage_id]]
        quote = _quote(source, Place(source.number, s.citation.start, s.citation.end))
        out.append(AnswerSentence(s.text, (source.number,), s.score, SUPPORTED, (quote,)))
    return tuple(out)


def _worded(  # noqa: PLR0917 - the parts of one answer
    empty: CitedAnswer,
    found: _Found,
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
        self, found: _Found, numbers: frozenset[int], library: Library, settings: AnswerSettings, embed: Embed
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
        quotes = tuple(_quote(self._sources[place.number], place) for place in support.places)
        return AnswerSentence(stated.text, tuple(q.number for q in quotes), support.score, SUPPORTED, quotes)


def _quote(source: Source, place: Place) -> Quote:
    return Quote(
        source.number, source.start + place.start, source.start + place.end, source.text[place.start : place.end]
    )


def _source(number: int, hit: Hit) -> Source:
    shared = ("chunk_id", "document_id", "source", "title", "section", "page", "start", "end", "year", "url", "text")
    return Source(number=number, score=hit.score, **{name: getattr(hit, name) for name in shared})


def _last_heading(hit: Hit) -> str:
    """The heading that a passage stands right under; of documents without any the title."""
    return (hit.section or hit.title).split(" > ")[-1]


def _heading(source: Source) -> str:
    """Title and section of a passage, for the prompt."""
    return source.title if not source.section or source.section == source.title else f"{source.title}; {source.section}"
