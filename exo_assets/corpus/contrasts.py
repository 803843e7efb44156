"""Whether a sentence turns round what its evidence says: denials, opposites, ends that are exchanged.

Belongs here: comparing denials, the two sides of opposites, and which end of a relation is which. Does not belong here:
values and names (`agreement.py`), reading one text (`wording.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from exo_assets.corpus.denials import Denial
from exo_assets.corpus.fitting import Fit, in_place, is_name
from exo_assets.corpus.wording import Item, Word, Wording

_FIRST = 3
"""Words of a denial that say what is denied; those behind them say it only together."""


def denials_agree(said: Wording, evidence: Wording, fit: Fit) -> bool:
    """Whether each of both denies what the other denies, as far as it speaks of it."""
    pairs = [(w, o) for w in said.words if not is_name(w.term) for o in _answers(w, evidence, fit)]
    mine = all(
        _denied_too([(w, o) for w, o in pairs if d.start <= w.start < d.end], said, evidence, d) for d in said.denials
    )
    return mine and all(
        _denied_too([(o, w) for w, o in pairs if d.start <= o.start < d.end], evidence, said, d)
        for d in evidence.denials
    )


def _answers(word: Word, evidence: Wording, fit: Fit) -> list[Word]:
    found = [o for o in evidence.words if o.term == word.term]
    return fit.nearest(word, found) if found else []


def _denied_too(pairs: Sequence[tuple[Word, Word]], one: Wording, other: Wording, scope: Denial) -> bool:
    """Whether what `one` denies in `scope` is denied in `other` as well, or its opposite said there.

    `pairs` are its words with those that answer to them.
    """
    inside = sorted({w.start for w in one.words if scope.start <= w.start < scope.end and not is_name(w.term)})
    alike: dict[int, bool] = {}
    for word, answer in pairs:
        agrees = answer.denied == word.denied or answer.beside_denial
        alike[word.start] = alike.get(word.start, False) or agrees
    first = [alike[start] for start in inside[:_FIRST] if start in alike]
    agree = any(first) if first else len(alike) < 2 or 2 * sum(alike.values()) >= len(alike)
    return agree or _opposite_said(one, other, scope)


def _opposite_said(one: Wording, other: Wording, scope: Denial) -> bool:
    inside = [i for i in one.opposites if i.denied and scope.start <= i.start < scope.end]
    return any(i.sense.group == o.sense.group and i.side == o.side for i in inside for o in other.opposites)


# -- opposites ---------------------------------------------------------------------------------------------------------

_SIZES = frozenset(("amount", "size", "length", "width", "frequency", "share", "strength"))
"""Axes whose words stand for each other: a larger share is more of it."""


def opposites_agree(said: Wording, evidence: Wording, fit: Fit) -> bool:
    """Whether no word of the other side of an axis stands in the place of one, unless the ends are exchanged too."""
    if not all(_compared_there(item, evidence) for item in said.opposites):
        return False
    turned = [(item, _exchanged(item, said, evidence)) for item in said.opposites]
    straight = [item for item, how in turned if how is None]
    return not any(how is False for _, how in turned) and in_place(straight, evidence.opposites, fit)


def _compared_there(item: Item, evidence: Wording) -> bool:
    """Whether the evidence speaks of the axis of a comparison at all."""
    known = {o.sense.group for o in evidence.opposites}
    amounts = {o.side for o in evidence.opposites if o.sense.group == "amount" and o.than is not None}
    general = item.sense.group in _SIZES and bool(known & _SIZES)
    return item.than is None or item.sense.group in known or item.side in amounts or general


def _exchanged(item: Item, said: Wording, evidence: Wording) -> bool | None:
    """Of a comparison (than, before, after): whether both ends are exchanged and so is the side, which says the same;
    False where only the ends are; None where they are not."""
    for other in evidence.opposites:
        if other.sense.group != item.sense.group or other.than is None:
            continue
        before, last = evidence.ends(other.than)
        if item.than is None:
            words = frozenset(w.term for w in said.words if w.start != item.start)
            if item.word.endswith("er") and len(words & last) > len(words & (before - last)):
                return item.side != other.side
            continue
        first, behind = said.ends(item.than)
        mine, its = behind - last, last - behind
        if mine and its and 2 * len(mine & before) >= len(mine) and 2 * len(its & first) >= len(its):
            return item.side != other.side
    return None


# -- ends --------------------------------------------------------------------------------------------------------------

_LONGEST_END = 3
_MIDDLE = 1
_TURNS = re.compile(
    r",|\b(?:by|rather than|instead of|no|not|to|will|be|been|is|are|was|were)\b|\A(?:at|in|with|for|by|from|on|of)\b",
    re.IGNORECASE,
)
"""Words that turn ends round without changing what is said (A causes B, B is caused by A)."""


def ends_agree(said: Wording, evidence: Wording) -> bool:
    """Whether the sentence is not one of the evidence with two of its ends exchanged (A is not B's what B is A's)."""
    if _turns(said) != _turns(evidence) or any(_exchanged(item, said, evidence) for item in said.opposites):
        return True
    mine, its = _once(said), _once(evidence)
    order = [t for t in its if t in mine]
    return not _two_exchanged([order.index(t) for t in mine if t in its])


def _turns(text: Wording) -> list[str]:
    return sorted(turn.lower() for turn in _TURNS.findall(text.text))


def _once(text: Wording) -> list[str]:
    """The words that stand once in a text, in order."""
    terms = [w.term for w in sorted(text.words, key=lambda w: w.start)]
    return [t for t in terms if terms.count(t) == 1]


def _two_exchanged(order: Sequence[int]) -> bool:
    """Whether a row of numbers is 0, 1, 2, ... but for two short blocks that changed places around something."""
    at = next((n for n, value in enumerate(order) if value != n), None)
    if at is None:
        return False
    stop = max(n for n, value in enumerate(order) if value != n) + 1
    inner = [value - at for value in order[at:stop]]
    size = len(inner)
    for left in range(1, _LONGEST_END + 1):
        for right in range(1, _LONGEST_END + 1):
            middle = size - left - right
            if middle < _MIDDLE:
                continue
            exchanged = [*range(size - right, size), *range(left, left + middle), *range(left)]
            if inner == exchanged:
                return True
    return False
