"""What a question asks of the objects that it names.

Belongs here: quantities, dispositions, names and lists that are asked for, as words say it. Does not belong here: which
objects are named (`tables.py`), what the tables have (`catalogue.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from exo_assets.corpus.objects.quantities import BY_NAME, OF_THE_STAR, QUANTITIES, Quantity

NAME = "xname"
"""Stands for each name of the question while it is read."""

_DISPOSITION = re.compile(
    r"\b(?:an?|really|any)\s+(?:(?:real|confirmed|true|genuine|validated|known|bona[- ]fide|actual|likely|proper)\s+)*"
    r"(?:exo)?planets?\b|\bplanet or\b|\bdispositions?\b|\bstatus\b|"
    r"\b(?:is|are|was|were|been)\b.*\b(?:confirmed|refuted|validated|vetted)\b|\bexists?\b|"
    r"eclipsing binary|brown dwarf|"
    r"\bverdicts?\b|\bclassif\w+|\bprobabilit\w+|how (?:likely|probable|sure|certain|confident)|"
    r"\bchances?\b|likelihood|"
    r"\b(?:real|genuine)\b|prediction sets?|\bis\b.*\b(?:false[- ]positive|false[- ]alarm|candidate)\b"
)
_MAYBE_DISPOSITION = re.compile(r"\bfalse[- ](?:positive|alarm)s?\b|\bcandidate\b|\bconfirmed\b")
_KINDS = r"(?P<kind>(?:exo)?planets?|candidates?|signals?|false[- ]positives?|kois?|tois?|companions|worlds|objects)"
_ALL = "the|all|other|known|confirmed|planet|transiting"
_LISTS = (
    re.compile(rf"\b(?:which|what|how many|list|any|all|are there|show|name|number of|count|the|its)\b.*?\b{_KINDS}\b"),
    re.compile(rf"^\W*(?:(?:{_ALL})\s+)*{_KINDS}\s+(?:of|around|in|orbiting|at|on|for)\b"),
    re.compile(rf"\b{NAME}(?:'s)?\s+(?:(?:{_ALL})\s+)*{_KINDS}\W*$"),
    re.compile(rf"\b(?:have|has|host|hosts|harbou?rs?)\b.*\b{_KINDS}\b"),
    re.compile(rf"\b{_KINDS}\s+(?:of|around|orbiting)\s+{NAME}"),
)
_HOW_MANY = re.compile(r"how many|number of|\bcount\b")
_AROUND = re.compile(r"\b(?:systems?|other|others|around|orbit(?:s|ing)?|siblings?|same star)\b")
_NAMES = re.compile(
    r"other names?|also (?:known|called|named)|\balias(?:es)?\b|designations?|"
    r"(?:which|what) (?:stars?|hosts?|mission)\b|"
    r"\b(?:kic|tic|epic|koi|toi|kepler)(?: (?:number|id|name|identifier))?\b|known as|another name|"
    r"\bhost stars?\b|\bhosts? of\b"
)
_REASONS = re.compile(r"\bwhy\b.*\b(?:planet|candidate|false|verdict|probab|scor|rank|judge)|\breasons?\b")
_EPHEMERIS, _PERIOD = re.compile(r"\bephemer|when\b.*\btransits?\b"), BY_NAME["orbital period"]
_RANK = re.compile(r"\brank(?:s|ed|ing)?\b")
_FOR_PAPERS = re.compile(
    r"\b(?:why|who|whom|whose|measur\w+|determin\w+|estimat\w+|vary|varies|varied|variations?|chang\w+|affect\w*|"
    r"influenc\w*|caus(?:e|es|ed)|explain\w*|deriv\w+|refin\w+|atmospher\w*|molecul\w*|habitable|water|moons?|rings?|"
    r"form(?:ed|ation)|migrat\w*|papers?|literature|publish\w*|circumbinary|clouds?|spectr(?:um|a|oscop\w*)|"
    r"campaigns?|sectors?|quarters?|columns?|tables?)\b"
)
_SAYS_NOTHING = frozenset({
    "what", "whats", "s", "is", "are", "was", "about", "tell", "me", "describe", "summary", "summarise", "summarize",
    "of", "know", "known", "everything", "info", "information", "on", "give", "all", "do", "does", "you", "we", "i",
    "the", "a", "an", "please", "show", "dossier", "star", "planet", "signal", "object", "data", "details", "for",
    "more", "can", "could", "want", "to", "overview", "exo", "say", "anything", "there", "in", "catalogue", "catalog",
    "release", "and", "how", "look", "up", "find", "",
})  # fmt: skip
"""Words of a question that asks for nothing in particular."""


@dataclass(frozen=True)
class Asked:
    """What is asked for. `listed`: planets, candidates, false positives or signals of a star; `counted`: how many;
    `around`: those on the star of what is named."""

    quantities: tuple[Quantity, ...] = ()
    disposition: bool = False
    names: bool = False
    reasons: bool = False
    rank: bool = False
    summary: bool = False
    listed: str | None = None
    counted: bool = False
    around: bool = False

    @property
    def anything(self) -> bool:
        """Whether it is a question that tables can answer."""
        return bool(
            self.quantities
            or self.disposition
            or self.names
            or self.reasons
            or self.rank
            or self.summary
            or self.listed
        )


def asked(question: str, spans: Sequence[tuple[int, int]]) -> Asked:
    """What `question` asks of the names at `spans`, which are in order."""
    text = _without(question, spans)
    if _REASONS.search(text):
        return Asked(reasons=True, disposition=True)
    if _FOR_PAPERS.search(re.sub(r"spectral", "", text)):
        return Asked()
    quantities, rest = _quantities(text)
    listed = _listed(rest)
    counted, names, rank = (bool(pattern.search(rest)) for pattern in (_HOW_MANY, _NAMES, _RANK))
    disposition = bool(_DISPOSITION.search(rest)) and not (listed and counted)
    if not (quantities or listed):
        disposition = disposition or bool(_MAYBE_DISPOSITION.search(rest))
    words = set(re.findall(r"[a-z]+", text.replace(NAME, " ")))
    nothing_else = not (quantities or listed or disposition or names or rank) and words <= _SAYS_NOTHING
    return Asked(
        quantities,
        disposition,
        names,
        rank=rank,
        summary=nothing_else,
        listed=listed,
        counted=counted,
        around=bool(_AROUND.search(rest)),
    )


def of_star(quantities: Sequence[Quantity]) -> list[Quantity]:
    """What is asked for by the same words when a star is meant."""
    return [BY_NAME.get(OF_THE_STAR.get(q.name, q.name), q) for q in quantities]


def _without(question: str, spans: Sequence[tuple[int, int]]) -> str:
    out, at = "", 0
    for start, end in spans:
        if start >= at:
            out += f"{question[at:start]} {NAME} "
            at = end
    return " ".join((out + question[at:]).replace("’", "'").lower().split())


def _quantities(text: str) -> tuple[tuple[Quantity, ...], str]:
    """Quantities that `text` asks for, and what is left of it; words that one of them took are not another's too, but
    coordinates and proper motions are two, and an ephemeris is epoch and period."""
    found = list[Quantity]()
    rest = text
    for quantity in QUANTITIES:
        pair = bool(found) and found[-1].asked == quantity.asked
        if pair or quantity.pattern.search(rest):
            found.append(quantity)
            rest = rest if pair else quantity.pattern.sub(" ", rest)
    if _EPHEMERIS.search(text) and _PERIOD not in found:
        found.append(_PERIOD)
    return tuple(found), " ".join(rest.split())


def _listed(text: str) -> str | None:
    for pattern in _LISTS:
        if match := pattern.search(text):
            kind = match["kind"]
            if kind.startswith("candidate"):
                return "candidates"
            if kind.startswith("false"):
                return "false positives"
            return "planets" if "planet" in kind or kind in ("worlds", "companions") else "signals"
    return None
