"""Sentences by which the checker is judged: true paraphrases of passages, and sentences altered so that they are false.

Belongs here: reading `altered_sentences.yaml`, its two halves, and the shares that a checker accepts. Does not belong
here: the checker (`support.py`), sentences of a real model.

A passage has an id, where it is `from` (a document that ships and has it word for word, or `written`), its text, and
sentences by kind. `paraphrase`: the passage says so in other words. The other kinds say what was altered: a number, a
unit, a negation put in or taken out, an entity (who or what), the quantity that a value is of, or a comparison (more
for less, half for twice, before for after, all for some). What follows from the passage only with knowledge of the
field is in no kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from exo_assets.corpus.embedding import Vectors
from exo_assets.corpus.extractive import Passage, Words
from exo_assets.corpus.sentences import sentences
from exo_assets.corpus.support import Evidence
from exo_assets.lightcurves.intervals import wilson

FILE = Path(__file__).with_name("altered_sentences.yaml")
PARAPHRASE = "paraphrase"
ALTERED = ("number", "unit", "negation", "entity", "quantity", "comparative")
WRITTEN = "written"
HALVES = ("dev", "final")
"""The checker is changed while looking at the former; the latter is judged when it is done."""


@dataclass(frozen=True)
class Statement:
    """A sentence on a passage. `id` is passage/kind/number; `source` the document of the passage, or WRITTEN."""

    id: str
    kind: str
    text: str
    passage: str
    source: str
    half: str

    @property
    def true(self) -> bool:
        """Whether the passage says so."""
        return self.kind == PARAPHRASE


@dataclass(frozen=True)
class Accepted:
    """How many statements of a kind were accepted, of how many, with Wilson's 95 % interval of the share."""

    kind: str
    accepted: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.accepted / self.of


@cache
def statements() -> tuple[Statement, ...]:
    """All statements in the file's order."""
    return parse(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def parse(content: Sequence[Mapping[str, Any]]) -> tuple[Statement, ...]:
    """Statements of the file's `content`. ValueError for a key that is neither a kind nor one of id, from, text."""
    out = []
    for entry in content:
        if unknown := entry.keys() - {"id", "from", "text", PARAPHRASE, *ALTERED}:
            raise ValueError(f"passage {entry['id']!r}: no kind is called {', '.join(sorted(unknown))}")
        half = HALVES[hashlib.sha256(entry["id"].encode()).digest()[0] % 2]
        for kind in (PARAPHRASE, *ALTERED):
            for number, text in enumerate(entry.get(kind, ()), start=1):
                key = f"{entry['id']}/{kind}/{number}"
                out.append(Statement(key, kind, text, entry["text"].strip(), entry["from"], half))
    return tuple(out)


def accepted(
    judged: Iterable[Statement],
    *,
    embed: Callable[[Sequence[str]], Vectors],
    words: Words,
) -> dict[str, bool]:
    """Statement id to whether the checker finds it in its passage, which is the only one that it sees."""
    evidence: dict[str, Evidence] = {}
    out = {}
    for each in judged:
        if each.passage not in evidence:
            passage = Passage(each.id, each.passage, tuple(sentences(each.passage)))
            evidence[each.passage] = Evidence([(1, passage)], embed=embed, words=words)
        out[each.id] = bool(evidence[each.passage].support(each.text, [1]).places)
    return out


def shares(judged: Sequence[Statement], verdicts: Mapping[str, bool]) -> list[Accepted]:
    """What was accepted by kind, then of all that are `altered`, then of paraphrases."""
    kinds = {kind: [s for s in judged if s.kind == kind] for kind in ALTERED}
    kinds["altered"] = [s for s in judged if not s.true]
    kinds[PARAPHRASE] = [s for s in judged if s.true]
    out = []
    for kind, of_it in kinds.items():
        hits = sum(verdicts[s.id] for s in of_it)
        low, high = (float(end) for end in wilson(hits, len(of_it)))
        out.append(Accepted(kind, hits, len(of_it), low, high))
    return out
