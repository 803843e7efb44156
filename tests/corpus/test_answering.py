from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from small_library import document, small_library

from exo_assets.corpus.answering import (
    MODEL_DECLINED,
    NOTHING_BORNE,
    AnswerSettings,
    CitedAnswer,
    answer_question,
    stream_answer,
)
from exo_assets.corpus.extractive import NOTHING_CLOSE
from exo_assets.corpus.followup import Turn
from exo_assets.corpus.generated import GeneratorError, Message, PromptSettings
from exo_assets.corpus.glossary import find, glossary_documents
from exo_assets.corpus.library import Filters, Library, QueryError, SearchRequest

PERIOD = "What is the orbital period of Kepler-90 h?"
SYSTEM = """# The Kepler-90 system

Kepler-90 hosts eight transiting planets. Kepler-90 h has an orbital period of 331.6 days and the radius of Jupiter.
Kepler-90 g has an orbital period of 210.6 days. Interest in such systems is high.
"""
FLAGS = """# Flags of the archive

## Secondary events

The koi_fpflag_ss flag is set when a significant secondary event or out-of-eclipse variability is seen, which means
that the event is most likely caused by an eclipsing binary. The column is an integer.
"""
NOISE = "Red dwarfs flare often. A flare raises the ultraviolet flux of a star for some minutes."


@pytest.fixture(scope="module")
def library() -> Library:
    return small_library(
        [
            document("system.md", SYSTEM, "The Kepler-90 system", url="https://example.org/system"),
            document("flags.md", FLAGS, "Flags of the archive"),
            document("noise.md", NOISE, "Red dwarfs"),
        ]
    )


@dataclass
class Spoken:
    """A generator that says what it was given to say, and notes what it was asked and whether it was closed."""

    pieces: Sequence[str]
    error: GeneratorError | None = None
    name: str = "spoken"
    asked: list[str] = field(default_factory=list)
    closed: bool = False

    def stream(self, messages: Sequence[Message], stopped: Callable[[], bool]) -> Iterator[str]:
        self.asked.append(messages[-1].text)
        try:
            yield from self.pieces
            if self.error:
                raise self.error
        finally:
            self.closed = True


def check(answer: CitedAnswer, library: Library) -> None:
    """What holds of every answer: citations are of retrieved passages, and quotes are verbatim in their documents."""
    texts = {"system.md": SYSTEM, "flags.md": FLAGS, "noise.md": NOISE}
    sources = {s.number: s for s in answer.sources}
    assert sorted(sources) == list(range(1, len(sources) + 1))
    for source in answer.sources:
        assert library.passage(source.chunk_id)["text"] == source.text
        assert texts[source.document_id][source.start : source.end] == source.text
    for sentence in answer.sentences:
        assert set(sentence.citations) <= set(sources)
        assert tuple(q.number for q in sentence.quotes) == sentence.citations
        assert (sentence.status == "supported") == bool(sentence.citations)
        for quote in sentence.quotes:
            assert texts[sources[quote.number].document_id][quote.start : quote.end] == quote.text
    assert {s.number for s in answer.cited} == {n for s in answer.sentences for n in s.citations}
    assert json.loads(json.dumps(answer.as_json())) == answer.as_json()


def test_a_quoted_answer_cites_place_and_document(library: Library) -> None:
    answer = answer_question(PERIOD, library)
    check(answer, library)
    first = answer.sentences[0]
    assert first.text == first.quotes[0].text and "331.6 days" in first.text
    (source,) = answer.cited
    assert (source.document_id, source.section, source.url) == (
        "system.md",
        "The Kepler-90 system",
        "https://example.org/system",
    )
    assert answer.text == " ".join(f"“{s.text}” [{source.number}]" for s in answer.sentences)
    assert (answer.generator, answer.corpus_version, answer.declined, answer.error) == (
        "extractive",
        "small-1",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("What is the orbital period of Kepler-91 h?", "none of the passages found names Kepler-91 h"),
        ("What does koi_fpflag_nt mean?", "none of the passages found names koi_fpflag_nt"),
        ("How do I bake sourdough bread?", NOTHING_CLOSE),
    ],
)
def test_what_the_corpus_does_not_answer_is_declined_before_a_model_is_asked(
    library: Library, question: str, reason: str
) -> None:
    model = Spoken(["It has an orbital period of 331.6 days [1]."])
    for answer in (answer_question(question, library), answer_question(question, library, generator=model)):
        check(answer, library)
        assert (answer.declined, answer.sentences, answer.error) == (reason, (), None)
    assert model.asked == []


def test_nothing_to_ask_is_an_error_of_the_question(library: Library) -> None:
    for question in ("", "  ?! "):
        with pytest.raises(QueryError):
            answer_question(question, library)
        with pytest.raises(QueryError):
            next(stream_answer(question, library))


def test_filters_decide_which_passages_count(library: Library) -> None:
    only = AnswerSettings(search=SearchRequest(limit=4, every_passage=True, filters=Filters(documents=("noise.md",))))
    answer = answer_question(PERIOD, library, only)
    assert answer.declined and {s.document_id for s in answer.sources} <= {"noise.md"}
    assert len(answer_question(PERIOD, library, AnswerSettings(search=SearchRequest(limit=1))).sources) == 1


def test_a_models_sentences_are_verified_one_by_one(library: Library) -> None:
    model = Spoken(
        [
            "Kepler-90 h has an orbital period of 331.6 days [1]. ",
            "It has a period of 12.5 days [1]. ",
            "The moon is made of cheese [2]. ",
            "See https://evil.example/x [1]. ",
            "Kepler-90 hosts eight transiting planets [9].",
        ]
    )
    answer = answer_question(PERIOD, library, generator=model)
    check(answer, library)
    assert [s.text for s in answer.sentences] == [
        "Kepler-90 h has an orbital period of 331.6 days.",
        "Kepler-90 hosts eight transiting planets.",
    ]
    cited = {n for s in answer.sentences for n in s.citations}
    assert {s.document_id for s in answer.sources if s.number in cited} == {"system.md"}
    assert sum(dict(answer.dropped).values()) == 3
    assert "[9]" not in answer.text and answer.generator == "spoken"
    assert model.closed and "PASSAGE 1" in model.asked[0] and "331.6 days" in model.asked[0]


def test_unsupported_sentences_are_marked_on_request_but_never_with_an_address(library: Library) -> None:
    model = Spoken(["The moon is made of cheese [1]. See https://evil.example/x [1]."])
    marked = answer_question(PERIOD, library, AnswerSettings(mark_unsupported=True), model)
    check(marked, library)
    assert [(s.text, s.status) for s in marked.sentences] == [("The moon is made of cheese.", "unsupported")]
    assert marked.text == "The moon is made of cheese. [unsupported]" and marked.declined is None
    assert "evil" not in json.dumps(marked.as_json())


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("NOT IN THE PASSAGES", MODEL_DECLINED),
        ("Not in the passages.", MODEL_DECLINED),
        ("The moon is made of cheese [1].", NOTHING_BORNE),
        ("", NOTHING_BORNE),
        ("[1]", NOTHING_BORNE),
    ],
)
def test_nothing_left_is_declined(library: Library, said: str, reason: str) -> None:
    answer = answer_question(PERIOD, library, generator=Spoken([said]))
    check(answer, library)
    assert (answer.declined, answer.sentences, answer.error) == (reason, (), None)


def test_a_model_that_fails_is_told_of_with_the_passages(library: Library) -> None:
    failed = Spoken([], GeneratorError("the language model did not answer", "timeout"))
    answer = answer_question(PERIOD, library, generator=failed)
    check(answer, library)
    assert answer.error is not None and answer.error.reason == "timeout"
    assert (answer.sentences, answer.declined, answer.text) == ((), None, "")
    assert "system.md" in {s.document_id for s in answer.sources} and answer.generator == "spoken"


def test_what_was_verified_before_a_break_stays(library: Library) -> None:
    said = ["Kepler-90 h has an orbital period of 331.6 days [1]. Kepler-90 hosts eight transi"]
    answer = answer_question(PERIOD, library, generator=Spoken(said, GeneratorError("it broke off", "broken")))
    check(answer, library)
    assert len(answer.sentences) == 1 and answer.error is not None and answer.error.message == "it broke off"


def test_a_question_too_long_for_the_model_is_an_error(library: Library) -> None:
    settings = AnswerSettings(prompt=PromptSettings(context_tokens=512))
    answer = answer_question(f"{PERIOD} {'Please tell me. ' * 80}", library, settings, Spoken(["x"]))
    assert answer.error is not None and answer.error.reason == "too_long" and answer.sources


def test_a_follow_up_takes_over_the_star(library: Library) -> None:
    turns = [Turn("How many planets has Kepler-90?", "Eight.")]
    answer = answer_question("And the orbital period of its planet h?", library, history=turns)
    assert answer.searched_for == "And the orbital period of its planet h? (Kepler-90)"
    assert answer.question == "And the orbital period of its planet h?" and answer.sentences
    model = Spoken(["NOT IN THE PASSAGES"])
    answer_question("And its period?", library, generator=model, history=turns)
    assert "- Asked: How many planets has Kepler-90?" in model.asked[0]


@pytest.mark.parametrize("model", [None, "spoken"])
def test_events_are_the_answer_in_pieces(library: Library, model: str | None) -> None:
    said = ["Kepler-90 h has an orbital period of 331.6 days [1]. ", "Kepler-90 hosts eight transiting planets [1]."]
    generator = Spoken(said) if model else None
    events = list(stream_answer(PERIOD, library, generator=generator))
    whole = answer_question(PERIOD, library, generator=Spoken(said) if model else None).as_json()
    assert [e["event"] for e in events] == ["passages", *["sentence"] * len(whole["sentences"]), "done"]
    assert events[-1]["answer"] == whole
    assert [{**s, "cited": c["cited"]} for s, c in zip(events[0]["sources"], whole["sources"], strict=True)] == whole[
        "sources"
    ]
    assert [e["sentence"] for e in events[1:-1]] == whole["sentences"]
    assert " ".join(e["text"] for e in events[1:-1]) == whole["text"]
    assert json.loads(json.dumps(events)) == events


def test_sentences_come_before_the_model_has_ended(library: Library) -> None:
    heard: list[str] = []

    class Slow(Spoken):
        def stream(self, messages: Sequence[Message], stopped: Callable[[], bool]) -> Iterator[str]:
            for piece in self.pieces:
                heard.append(piece)
                yield piece

    said = [
        "Kepler-90 h has an orbital period of 331.6 days [1]. ",
        "Kepler-90 ",
        "hosts eight transiting planets [1].",
    ]
    events = stream_answer(PERIOD, library, generator=Slow(said))
    assert next(events)["event"] == "passages" and heard == []
    assert "331.6 days" in next(events)["text"] and len(heard) == 2


def test_closing_the_events_closes_the_model(library: Library) -> None:
    model = Spoken(["Kepler-90 h has an orbital period of 331.6 days [1]. ", "And so ", "on."])
    events = stream_answer(PERIOD, library, generator=model)
    next(events), next(events)
    assert not model.closed
    events.close()  # type: ignore[attr-defined]
    assert model.closed


def test_a_stopped_answer_has_no_end(library: Library) -> None:
    model = Spoken(["Kepler-90 h has an orbital period of 331.6 days [1]. ", "And so ", "on."])
    events = list(stream_answer(PERIOD, library, generator=model, stopped=lambda: bool(model.asked)))
    assert "done" not in [e["event"] for e in events] and model.closed
    assert [e["event"] for e in stream_answer(PERIOD, library, stopped=lambda: True)] == ["passages"]


# -- words -----------------------------------------------------------------------------------------------------------

WORDS = ("Threshold-crossing event", "Kepler Object of Interest", "Impact parameter")
COLUMN = """# tce_incl: Inclination [deg]

The column tce_incl holds the inclination of a TCE, in degrees. Its uncertainty is in tce_incl_err."""


@pytest.fixture(scope="module")
def with_words() -> Library:
    words = [d for d in glossary_documents() if d.title.split(" (")[0] in WORDS]
    return small_library([*words, document("archive:tce_incl", COLUMN, "tce_incl", source="archive_columns")])


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What is a TCE?", ("Threshold-crossing event",)),
        ("what does tce mean", ("Threshold-crossing event",)),
        ("define impact parameter", ("Impact parameter",)),
        ("what's the difference between KOI and TCE", ("Kepler Object of Interest", "Threshold-crossing event")),
    ],
)
def test_the_meaning_of_a_word_is_the_glossarys(with_words: Library, question: str, words: tuple[str, ...]) -> None:
    answer = answer_question(question, with_words)
    terms = [term for word in words for term in (find(word),) if term]
    assert (answer.declined, answer.generator) == (None, "extractive")
    assert " ".join(s.text for s in answer.sentences) == " ".join(t.says for t in terms)
    assert [s.document_id for s in answer.cited] == [t.document_id for t in terms]
    texts = {d.document_id: d.text for d in glossary_documents()}
    for sentence in answer.sentences:
        (quote,) = sentence.quotes
        of = answer.sources[quote.number - 1]
        assert texts[of.document_id][quote.start : quote.end] == quote.text == sentence.text
    model = Spoken(["A TCE reaches 7.1 sigma in at least three transits [1]."])
    answer_question(question, with_words, generator=model)
    assert all(t.says.split(". ")[0] in model.asked[0] for t in terms)


def test_words_are_no_evidence_of_other_questions_and_filters_count(with_words: Library) -> None:
    inclination = answer_question("Which column has the inclination of a TCE?", with_words)
    assert [s.document_id for s in inclination.sources] == ["archive:tce_incl"]
    only = AnswerSettings(search=SearchRequest(filters=Filters(documents=("archive:tce_incl",)), glossary=False))
    kept = answer_question("What is a TCE?", with_words, only)
    assert {s.document_id for s in kept.sources} == {"archive:tce_incl"}
    word = AnswerSettings(search=SearchRequest(filters=Filters(documents=("exo:glossary/impact-parameter",))))
    assert "centre of the star's disc" in answer_question("How far from the centre is the path?", with_words, word).text


def test_a_word_that_nothing_explains_is_declined(with_words: Library) -> None:
    for question in ("What is a magnetar?", "define inclination angle of magnetars"):
        assert answer_question(question, with_words).sentences == ()
    before = small_library([document("archive:tce_incl", COLUMN, "tce_incl", source="archive_columns")])
    assert {s.document_id for s in answer_question("What is a TCE?", before).sources} == {"archive:tce_incl"}
