"""What the release's tables tell of what a question asks.

Belongs here: rows as they are cited, and sentences with the places in them that they rest on. Does not belong here:
what is asked (`asking.py`), wording rows (`statements.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from exo_assets.corpus.designators import designators


@dataclass(frozen=True)
class Row:
    """The row of `table` whose `column` is `name`. `says` has its sentences, each of one quantity, by that quantity's
    name; `as_of` is the day of its data, ISO 8601."""

    release: str
    table: str
    column: str
    name: str
    as_of: str
    says: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """The row as a condition: signal_id = 'K00841.03'."""
        return f"{self.column} = '{self.name.replace(chr(39), 2 * chr(39))}'"

    @property
    def title(self) -> str:
        """Table, row and day in words."""
        return f"Table {self.table}, {self.name}, of {self.as_of}"

    @property
    def text(self) -> str:
        """All that the row says."""
        return " ".join(sentence for _, sentence in self.says)

    def place(self, topic: str) -> tuple[int, int]:
        """Where in `text` the sentence on `topic` stands; KeyError where the row has none."""
        at = 0
        for name, sentence in self.says:
            if name == topic:
                return at, at + len(sentence)
            at += len(sentence) + 1
        raise KeyError(topic)

    def sentence(self, topic: str) -> str | None:
        """The sentence on `topic`; None where the row has no value."""
        return dict(self.says).get(topic)


@dataclass(frozen=True)
class Said:
    """A sentence, and what it rests on: rows and their topics."""

    text: str
    rests_on: tuple[tuple[Row, str], ...]


@dataclass(frozen=True)
class Told:
    """Sentences that answer; `declined` says what of the question no table answers. A paper may: its sentence has one
    of the patterns `evidence` in it, in small letters, and where `in_numbers` a number besides those in names."""

    sentences: tuple[Said, ...] = ()
    declined: str | None = None
    evidence: tuple[str, ...] = ()
    in_numbers: bool = False

    def is_answered_by(self, sentence: str) -> bool:
        """Whether a sentence of a document may say what no table does."""
        if self.evidence and not any(re.search(pattern, sentence.lower()) for pattern in self.evidence):
            return False
        bare = sentence
        for d in designators(sentence):
            bare = bare[: d.start] + " " * (d.end - d.start) + bare[d.end :]
        return not self.in_numbers or any(map(str.isdigit, bare))


class Objects(Protocol):
    """Whoever knows the release's tables."""

    @property
    def version(self) -> str:
        """Name of the release that is read; empty when there is none."""

    def told(self, question: str) -> Told | None:
        """What the tables say to `question`; None when it asks for nothing that a table of objects could have."""
