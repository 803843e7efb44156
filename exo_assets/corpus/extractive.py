"""Answers without a generator: the best sentences of the passages, word for word, each with where it stands.

Belongs here: which sentences answer a question, and when none does. Does not belong here: finding passages, cutting
them into sentences, generated answers.

What a passage says is only ever scored and quoted: nothing in it is carried out, so an instruction inside a document is
a sentence like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from exo_assets.corpus.designators import Designator
from exo_assets.corpus.embedding import Vectors
from exo_assets.corpus.markdown_tables import Row, rows
from exo_assets.corpus.names import Asked, Same, asked_for, missing, names, on_topic, only_itself, proper_names
from exo_assets.corpus.not_evidence import is_reference, is_reference_heading
from exo_assets.corpus.refutations import refutes


class Words(Protocol):
    """What the keyword index knows of words."""

    def terms(self, text: str) -> frozenset[str]:
        """The terms of `text`."""

    def idf(self, wanted: Sequence[str]) -> npt.NDArray[np.float64]:
        """How rare each term is."""


@dataclass(frozen=True)
class Passage:
    """A passage that was retrieved. `sentences`: (start, end) of each in `text`; `title` is its document's, `heading`
    the one that it stands under."""

    passage_id: str
    text: str
    sentences: tuple[tuple[int, int], ...]
    title: str = ""
    heading: str = ""


@dataclass(frozen=True)
class Citation:
    """Where a sentence stands: characters [start, end) of the passage's text. `number` is what [n] shows."""

    number: int
    passage_id: str
    start: int
    end: int


@dataclass(frozen=True)
class CitedSentence:
    """A sentence as the passage has it, with its scores and the place that it is quoted from."""

    text: str
    score: float
    cosine: float
    coverage: float
    citation: Citation


@dataclass(frozen=True)
class ExtractiveAnswer:
    """Sentences, those of the best one's passage first and those of one passage as it has them; or none, and why the
    question was `declined`."""

    sentences: tuple[CitedSentence, ...]
    declined: str | None = None

    @property
    def text(self) -> str:
        """The sentences in quotation marks, each with its [n]; empty when declined."""
        return " ".join(f"“{s.text}” [{s.citation.number}]" for s in self.sentences)


@dataclass(frozen=True)
class ExtractiveSettings:
    """How sentences are judged (measured in TRIED.md).

    A sentence scores cosine_weight * cosine + (1 - cosine_weight) * coverage. The cosine is that of the question and
    the sentence behind its heading. The coverage is the share of the question's terms, weighted by how rare they are:
    half is what the sentence has, its heading counting half as much, half what the passage has with its title.

    Compared are the `compared` sentences with the largest coverage; quoted are at most `sentences` that reach `least`
    and `share_of_best` of the best, and no two that say the same or are more alike than `same_cosine`.
    """

    cosine_weight: float = 0.6
    least: float = 0.36
    share_of_best: float = 0.9
    sentences: int = 3
    same_cosine: float = 0.97
    compared: int = 64


_PLANET = re.compile(r"[b-i]")
_NO_SENTENCE = re.compile(r"\||#{1,6}\s")
"""How a row of a table or a heading of Markdown begins."""
_CODE = re.compile(r"```|~~~")
_ASKS_HOW = re.compile(r"\b(how|commands?)\b", re.IGNORECASE)
"""What a block of code can answer, if the question names nothing: names in it are examples, as are questions."""
NOTHING_CLOSE = "no passage answers the question"
NO_PASSAGES = "no passages were found"


def answer(
    question: str,
    passages: Sequence[Passage],
    *,
    embed: Callable[[Sequence[str]], Vectors],
    words: Words,
    same: Same = only_itself,
    settings: ExtractiveSettings = ExtractiveSettings(),
) -> ExtractiveAnswer:
    """Quote the sentences of `passages` that answer `question`, or say why there are none.

    `embed` gives unit vectors (texts, dimensions); `same` gives all keys of what a key names (identifiers.synonyms).
    A question that names a star, planet, signal, column or anything else by a proper name is declined unless every one
    is named in a passage. It is answered only from passages that name one of its stars or columns, by no sentence that
    speaks of others alone; never by a heading or a reference; by a row of a table only if it names an object and the
    row holds a value; and by code only if it names nothing and asks how. What takes back a quoted sentence is quoted
    with it. ValueError for a question without text or a sentence outside its passage.
    """
    if not question.strip():
        raise ValueError("a question without text")
    if not passages:
        return ExtractiveAnswer((), NO_PASSAGES)
    asked = asked_for(question, same)
    tables = [rows(p.text) for p in passages]
    named = [_named(p.text, t) for p, t in zip(passages, tables, strict=True)]
    if absent := missing(question, asked, named) or _unknown(question, passages, words):
        return ExtractiveAnswer((), f"none of the passages found names {', '.join(absent)}")
    if not any(_is_object(a) for a in asked):
        tables = [{} for _ in passages]
    places = _places(passages, asked, named, tables, code=not asked and bool(_ASKS_HOW.search(question)))
    if not places:
        return ExtractiveAnswer((), NOTHING_CLOSE)
    said = [_said(tables[row].get(start), passages[row].text[start:end]) for row, start, end in places]
    coverage = _coverage(question, passages, places, said, words)
    most = np.sort(np.argsort(-coverage, kind="stable")[: settings.compared])
    places, said, coverage = [places[at] for at in most], [said[at] for at in most], coverage[most]
    texts = [passages[row].text[start:end] for row, start, end in places]
    vectors = embed([question, *(_headed(passages[row], text) for (row, _, _), text in zip(places, said, strict=True))])
    cosine = (vectors[1:] @ vectors[0]).astype(float)
    score = settings.cosine_weight * cosine + (1 - settings.cosine_weight) * coverage
    chosen = _chosen(score, vectors[1:], texts, settings)
    if not chosen:
        return ExtractiveAnswer((), NOTHING_CLOSE)
    chosen = _with_refutations(chosen, texts, settings.sentences)
    first_of = {places[at][0]: rank for rank, at in reversed(list(enumerate(chosen)))}
    chosen.sort(key=lambda at: (first_of[places[at][0]], places[at][1]))
    numbers: dict[int, int] = {}
    quoted: list[CitedSentence] = []
    for at in chosen:
        row, start, end = places[at]
        number = numbers.setdefault(row, len(numbers) + 1)
        table = tables[row].get(start)
        header = [table.header_place] if table and _needs_header(table, question, words) else []
        for first, last in [*header, (start, end)]:
            citation = Citation(number, passages[row].passage_id, first, last)
            if not any(s.citation == citation for s in quoted):
                text = passages[row].text[first:last]
                quoted.append(CitedSentence(text, float(score[at]), float(cosine[at]), float(coverage[at]), citation))
    return ExtractiveAnswer(tuple(quoted))


def _places(
    passages: Sequence[Passage],
    asked: Sequence[Asked],
    named: Sequence[Sequence[Designator]],
    tables: Sequence[Mapping[int, Row]],
    *,
    code: bool,
) -> list[tuple[int, int, int]]:
    """(passage, start, end) of what may be quoted on what is asked for; with `code` blocks of code, too."""
    return [
        (row, start, end)
        for row, passage in enumerate(passages)
        if (not asked or any(a.is_in(named[row]) for a in asked)) and not is_reference_heading(passage.heading)
        for start, end in _checked(passage)
        if on_topic([d for d in named[row] if start <= d.start < end], asked)
        and (_holds_a_value(tables[row].get(start)) or not _NO_SENTENCE.match(passage.text, start, end))
        and (code or not _CODE.match(passage.text, start, end))
        and not is_reference(passage.text[start:end])
    ]


def _is_object(asked: Asked) -> bool:
    """Whether a name is of a star, planet or signal, not of a column."""
    return _is_a_star(asked.name)


def _named(text: str, table: Mapping[int, Row]) -> list[Designator]:
    """The names in a text, and of each row of a table that begins with a planet's letter the planets that it can be."""
    found = names(text)
    hosts = {d.host for d in found if _is_a_star(d)}
    letters = [(row, row.cells[0]) for row in table.values() if _PLANET.fullmatch(row.cells[0])]
    found += [Designator(host + letter, host, row.start, row.end) for row, letter in letters for host in sorted(hosts)]
    return sorted(found, key=lambda d: (d.start, d.end))


def _is_a_star(name: Designator) -> bool:
    return "_" not in name.key


def _holds_a_value(row: Row | None) -> bool:
    """Whether a row of a table holds a value."""
    return row is not None and any(map(str.isdigit, row.text))


def _said(row: Row | None, text: str) -> str:
    """What a sentence, or a row with the names of its columns, says."""
    return text if row is None else row.text


def _needs_header(row: Row, question: str, words: Words) -> bool:
    """Whether a row is understood only with the names of its columns: one of them is asked for."""
    wanted = words.terms(question)
    return bool(wanted & words.terms(" ".join(row.header)) - words.terms(" ".join(row.cells)))


def _with_refutations(chosen: Sequence[int], texts: Sequence[str], most: int) -> list[int]:
    """Sentences, each with one that takes back what it says; at most `most`, unless the first two are such a pair."""
    out = list[int]()
    for at in chosen:
        against = [other for other, text in enumerate(texts) if other != at and refutes(text, texts[at])]
        pair = [each for each in (at, *against[:1]) if each not in out]
        if not out or len(out) + len(pair) <= most:
            out += pair
    return out


def _checked(passage: Passage) -> list[tuple[int, int]]:
    for start, end in passage.sentences:
        if not 0 <= start < end <= len(passage.text):
            raise ValueError(f"sentence {start}..{end} is not within passage {passage.passage_id!r}")
    return [(start, end) for start, end in passage.sentences if passage.text[start:end].strip()]


def _headed(passage: Passage, sentence: str) -> str:
    return f"{passage.heading}. {sentence}" if passage.heading else sentence


def _unknown(question: str, passages: Sequence[Passage], words: Words) -> list[str]:
    """Proper names of the question that no passage has, and no title."""
    wanted = [(name, words.terms(name)) for name in proper_names(question)]
    if not wanted:
        return []
    had = frozenset[str]().union(*(words.terms(f"{p.title} {p.text}") for p in passages))
    return [name for name, of_it in wanted if not of_it <= had]


def _coverage(
    question: str,
    passages: Sequence[Passage],
    places: Sequence[tuple[int, int, int]],
    said: Sequence[str],
    words: Words,
) -> npt.NDArray[np.float64]:
    """Coverage of the question by each place (places,), 0 to 1."""
    wanted = sorted(words.terms(question))
    if not wanted:
        return np.zeros(len(places))
    weight = words.idf(wanted) / words.idf(wanted).sum()
    headings = [_has(wanted, words.terms(p.heading)) for p in passages]
    whole = [_has(wanted, words.terms(f"{p.title} {p.text}")) @ weight for p in passages]
    out = np.empty(len(places))
    for at, (row, _, _) in enumerate(places):
        own = np.maximum(_has(wanted, words.terms(said[at])), 0.5 * headings[row])
        out[at] = (own @ weight + whole[row]) / 2
    return out


def _has(wanted: Sequence[str], terms: frozenset[str]) -> npt.NDArray[np.float64]:
    return np.array([term in terms for term in wanted], dtype=float)


def _chosen(
    score: npt.NDArray[np.float64], vectors: Vectors, texts: Sequence[str], settings: ExtractiveSettings
) -> list[int]:
    """The sentences that are quoted, the best first."""
    order = np.argsort(-score, kind="stable")
    floor = max(settings.least, settings.share_of_best * float(score[order[0]]))
    out: list[int] = []
    for at in order[score[order] >= floor].tolist():
        if not any(_alike(at, other, vectors, texts, settings.same_cosine) for other in out):
            out.append(at)
        if len(out) == settings.sentences:
            break
    return out


def _alike(one: int, other: int, vectors: Vectors, texts: Sequence[str], same_cosine: float) -> bool:
    return texts[one] == texts[other] or float(vectors[one] @ vectors[other]) > same_cosine
