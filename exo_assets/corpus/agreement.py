"""Whether a sentence agrees with its evidence in what can be told apart by words.

Belongs here: comparing values with what they are of, names, quantities, and what excludes each other. Does not belong
here: denials and opposites (`contrasts.py`), reading one text (`wording.py`), whether the two speak of the same at all
(`support.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from exo_assets.corpus.contrasts import denials_agree, ends_agree, opposites_agree
from exo_assets.corpus.fitting import CLEARLY, Fit, equal, in_place, same_number
from exo_assets.corpus.values import Value
from exo_assets.corpus.wording import Item, Wording

NAME = "a name in it is in no passage that it cites"
NUMBER = "a number in it is in no passage that it cites"
QUANTITY = "a value in it is of another quantity, or the passage speaks of another one"
DENIAL = "the passage denies it, or it denies what the passage says"
OPPOSITE = "the passage says the opposite (more or less, before or after, all or some)"
OTHER = "the passage says so of something else"

_CLEARLY_ANOTHER = 1.5


def disagreement(said: Wording, evidence: Wording, passage: Wording, weights: Mapping[str, float]) -> str | None:
    """Why `said` does not follow from `evidence`, some sentences of `passage`; None where nothing speaks against it.

    `weights` say how rare words are.
    """
    fit = Fit(said, evidence, weights)
    checks: tuple[tuple[str, Callable[[], bool]], ...] = (
        (NAME, lambda: _names_agree(said, passage)),
        (NAME, lambda: _planets_agree(said, evidence)),
        (NUMBER, lambda: all(any(equal(value, found) for found in evidence.values) for value in said.values)),
        (NUMBER, lambda: _values_in_place(said, evidence, fit)),
        (QUANTITY, lambda: _quantities_agree(said, evidence)),
        (QUANTITY, lambda: in_place(_named_too(said, evidence), _named(evidence), fit, _CLEARLY_ANOTHER)),
        (DENIAL, lambda: denials_agree(said, evidence, fit)),
        (OPPOSITE, lambda: opposites_agree(said, evidence, fit)),
        (OTHER, lambda: in_place(said.exclusive, evidence.exclusive, fit, _CLEARLY_ANOTHER)),
        (OTHER, lambda: in_place(said.required, evidence.required, fit, _CLEARLY_ANOTHER)),
        (OTHER, lambda: ends_agree(said, evidence)),
    )
    return next((reason for reason, agrees in checks if not agrees()), None)


def _values_in_place(said: Wording, evidence: Wording, fit: Fit) -> bool:
    """Whether no other value of the same unit, which the sentence does not have, fits better where one of it stands."""
    for value in said.values:
        own = [v.place for v in evidence.values if equal(value, v)]
        others = [v.place for v in evidence.values if _could_be(value, v, said)]
        if own and others and fit.best(value.place, others) > CLEARLY * fit.best(value.place, own):
            return False
    return True


def _could_be(value: Value, other: Value, said: Wording) -> bool:
    """Whether another value could stand in the place of one."""
    both = ((value.body, other.body), (value.quantity, other.quantity))
    alike = other.unit == value.unit and not any(mine and its and mine != its for mine, its in both)
    return alike and not other.error and not any(same_number(each, other) for each in said.values)


_BODIES = frozenset(("Earth", "Jupiter", "Neptune", "Saturn", "Sun", "Jovian"))
"""Measures, which units may be written with."""


def _names_agree(said: Wording, passage: Wording) -> bool:
    """Whether planets' letters, names with capitals, and what must be named stand in the passage."""
    there = {w.term for w in passage.words}
    letters = all(w.term in there for w in said.words if w.term.startswith("planet "))
    required = {(i.sense.group, i.side) for i in passage.required}
    named = all((i.sense.group, i.side) in required or passage.has(i.word) for i in said.required)
    return letters and named and all(passage.has(name) for name in said.capitals if name not in _BODIES)


def _planets_agree(said: Wording, evidence: Wording) -> bool:
    """Whether the evidence is not on other planets of the star alone."""
    mine, its = ({w.term for w in text.words if w.term.startswith("planet ")} for text in (said, evidence))
    return not mine or not its or bool(mine & its)


def _quantities_agree(said: Wording, evidence: Wording) -> bool:
    """Whether the evidence speaks of every quantity that the sentence speaks of: by name, by a value of it, or by a
    value of none that it names."""
    there = spoken_of(evidence)
    nameless = {v.quantity for v in said.values if any(equal(v, f) and not f.quantity for f in evidence.values)}
    return all(q.sense.member in there | nameless for q in _named(said))


def _named(text: Wording) -> list[Item]:
    """The quantities that a text names."""
    return [q for q in text.quantities if q.sense.group == "words"]


def _named_too(said: Wording, evidence: Wording) -> list[Item]:
    """The quantities of a sentence that its evidence names, too."""
    there = {q.sense.member for q in _named(evidence)}
    return [q for q in _named(said) if q.sense.member in there]


def spoken_of(text: Wording) -> frozenset[str]:
    """The quantities that a text names or gives a value of."""
    return frozenset({q.sense.member for q in text.quantities} | {v.quantity for v in text.values})
