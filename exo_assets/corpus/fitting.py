"""What stands in the place of a word: how places of two texts answer to each other.

Belongs here: the fit of two places, and which member of a class fits best. Does not belong here: what the classes are
(`meanings.py`), what follows from a bad fit (`agreement.py`, `contrasts.py`).

A place of the evidence answers to a place of the sentence when the same words stand near both. So a word of the
sentence is compared with that word of its class in the evidence that stands closest to the words around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from exo_assets.corpus.values import Value
from exo_assets.corpus.wording import Item, Word, Wording

CLEARLY = 1.15
"""How much better another word must fit into a place to count."""
_VALUE_WEIGHT, _NAME_WEIGHT = 6.0, 24.0
_HERE = 0.1
_OTHER_SIDE = 1.5


class Fit:
    """How well places of `evidence` answer to places of `said`. `weights` say how rare words are."""

    def __init__(self, said: Wording, evidence: Wording, weights: Mapping[str, float]) -> None:
        strangers = _named(evidence) - _named(said)  # a name tells places apart only where there are others
        self._shared: list[tuple[float, float, list[float]]] = []
        for word in said.words:
            places = [w.place for w in evidence.words if w.term == word.term]
            weight = weights.get(word.term, 1.0)
            if is_name(word.term):
                weight = _NAME_WEIGHT if strangers else 0.0
            if places:
                self._shared.append((word.place, weight, places))
        for value in said.values:
            places = [v.place for v in evidence.values if equal(value, v)]
            if places:
                self._shared.append((value.place, _VALUE_WEIGHT, places))

    def at(self, said: float, evidence: float) -> float:
        """The larger, the nearer the same words stand to both places."""
        return sum(
            weight / (2 + abs(place - said)) / (2 + min(_away(place - said, p - evidence) for p in places))
            for place, weight, places in self._shared
            if abs(place - said) > _HERE
        )

    def best(self, said: float, places: Iterable[float]) -> float:
        """The best that one of `places` fits; 0 where there is none."""
        return max((self.at(said, place) for place in places), default=0.0)

    def nearest(self, word: Word, found: Sequence[Word]) -> list[Word]:
        """Those of `found` that fit best in the place of a word, alike ones all."""
        fits = [self.at(word.place, o.place) for o in found]
        return [o for o, f in zip(found, fits, strict=True) if f * CLEARLY >= max(fits)]


def _away(said: float, evidence: float) -> float:
    """How far a word is away; one that stands on the other side than in the sentence, half as far again."""
    return abs(evidence) * (_OTHER_SIDE if said * evidence < 0 else 1.0)


def is_name(term: str) -> bool:
    """Whether a word names an object or a planet of one."""
    return term.startswith("planet ") or any(c.isdigit() for c in term)


def _named(text: Wording) -> set[str]:
    return {w.term for w in text.words if is_name(w.term)}


def equal(wanted: Value, found: Value) -> bool:
    """Whether a value that was found is the one that is wanted, or is rounded to it, in the same unit, of the same
    quantity, and does not bound from the other side."""
    named = wanted.unit not in ("x", "%") if not found.unit else found.unit == "x" or bool(wanted.unit)
    if (wanted.unit != found.unit and named) or (found.error and not wanted.error):
        return False
    both = ((wanted.body, found.body), (wanted.quantity, found.quantity), (wanted.bound, found.bound))
    return not any(mine and its and mine != its for mine, its in both) and same_number(wanted, found)


def same_number(wanted: Value, found: Value) -> bool:
    """Whether the numbers are equal, or the one that is wanted is the other one rounded."""
    if wanted.value == found.value:
        return True
    if found.decimals <= wanted.decimals or len(wanted.value.as_tuple().digits) < 2:
        return False
    try:
        return found.value.quantize(Decimal(1).scaleb(-wanted.decimals), ROUND_HALF_UP) == wanted.value
    except InvalidOperation:
        return False


def in_place(said: Sequence[Item], evidence: Sequence[Item], fit: Fit, clearly: float = CLEARLY) -> bool:
    """Whether no other member of its class, which the sentence does not have, fits better in the place of any item."""
    for item in said:
        mine = {(i.shown, i.denied) for i in said if i.sense.group == item.sense.group}
        rivals = [o for o in evidence if o.sense.group == item.sense.group]
        own = fit.best(item.place, (o.place for o in rivals if item.agrees(o)))
        others = (o.place for o in rivals if not item.agrees(o) and (o.shown, o.denied) not in mine)
        if fit.best(item.place, others) > clearly * own:
            return False
    return True
