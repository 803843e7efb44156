"""Sentences that take back what another one says.

Belongs here: whether a sentence denies what another one affirms of the same object. Does not belong here: whether a
sentence follows from a passage (`support.py`).
"""

from __future__ import annotations

import re

from exo_assets.corpus.denials import denials
from exo_assets.corpus.fitting import is_name
from exo_assets.corpus.names import names
from exo_assets.corpus.wording import Wording

_FIRST = 3
_REFUTED = re.compile(
    r"\b(?:refut\w+|retract\w+|withdrawn|disprov\w+|spurious|false (?:positive|alarm)s?|no longer|artefacts?|"
    r"artifacts?|eclipsing binar(?:y|ies)|mistaken\w*|not confirmed|unconfirmed)\b",
    re.IGNORECASE,
)
_CLAIMED = re.compile(r"\b(?:planets?|candidates?|discover\w+|detect\w+|confirm\w+|validat\w+)\b", re.IGNORECASE)


def refutes(denial: str, claim: str) -> bool:
    """Whether `denial` denies of an object what `claim` says of it, or calls it a false positive or retracted."""
    named = {d.key for d in names(denial)}, {d.key for d in names(claim)}
    if not named[0] & named[1]:
        return False
    if _REFUTED.search(denial) and _CLAIMED.search(claim) and not (_REFUTED.search(claim) or denials(claim)):
        return True
    said, claimed = Wording(denial, names(denial)), Wording(claim, names(claim))
    affirmed = {w.term for w in claimed.words if not w.denied and not is_name(w.term)}
    for each in said.denials:
        denied = sorted((w for w in said.words if each.start <= w.start < each.end), key=lambda w: w.start)
        if affirmed & {w.term for w in denied[:_FIRST]}:
            return True
    return False
