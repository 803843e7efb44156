"""Questions for the meaning of a word.

Belongs here: how people ask what a word means or how two differ, and which words they ask for. Does not belong here:
the words (`glossary.py`), answering (`answering.py`).

A question is one for words only when words are all that it is about: 'What is a TCE?', not 'What is the TCE of
KOI-351?'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from exo_assets.corpus.glossary import Term, find
from exo_assets.corpus.names import names

MOST_WORDS = 3
"""Words of what is asked for up to which it is taken for one term, whether the glossary has it or not."""

LONGEST_QUESTION = 300
"""Characters: what is longer asks for more than a word."""

_POLITE = re.compile(
    r"^(?:(?:hi|hello|hey|please|ok(?:ay)?|so|and|but|well|now|sorry)\b[\s,:]*|"
    r"(?:can|could|would|will) (?:you|someone|anyone)(?: please)? (?=explain|define|tell|describe|say|give)|"
    r"(?:i (?:want|would like|need) to know|do you know|tell me|remind me|i(?:'m| am) not sure|i (?:don'?t|do not) "
    r"(?:know|understand|get))[\s,:]+(?=wh|how)|(?:in|for|within|at)\s+[^,?]{1,30},\s+(?=wh|how|define|explain))+",
    re.IGNORECASE,
)
_FIELD = (
    r"exo|exoplanets?|exoplanet\s+(?:science|research|astronomy|search(?:es)?|hunting|vetting)|astronomy|astrophysics|"
    r"vetting|transits?|transit\s+(?:search(?:es)?|surveys?|photometry|vetting|astronomy|signals?|fits?)|photometry|"
    r"(?:kepler|k2|tess)(?:'?s)?(?:\s+(?:data|light\s+curves?))?|light\s+curves?|machine\s+learning|"
    r"planet\s+(?:search(?:es)?|hunting)|(?:nasa\s+)?(?:exoplanet\s+)?archive|catalog(?:ue)?|terms|words|english|"
    r"sentence|planets?|signals?|stars?"
)
_CONTEXT = (
    r"(?:in|for|of|within|on|under|by)\s+(?:(?:the|this|your|a|simple|plain|few|one|context\s+of|field\s+of)\s+)*"
    rf"(?:{_FIELD})"
)
_AND_HOW = r"(?:and|or|,)\s+(?:how|why|when|what|where|can)\s.*"
_END = re.compile(
    rf"\s+(?:{_CONTEXT}|{_AND_HOW}|here|exactly|actually|anyway|please|about|again|really|then|to me|"
    r"for me|used for|difference)$",
    re.IGNORECASE,
)
_BEGIN = re.compile(
    r"^(?:(?:an?|the|exactly|actually|this|that|some|so-called|meant by|(?:the\s+)?(?:meaning|definition|explanation|"
    r"full form|concept|idea|notion|acronym|abbreviation|term|word|expression|purpose) of|acronym|abbreviation|term|"
    r"word|expression|letters|concept of|my|your)\s+)+",
    re.IGNORECASE,
)
_IS = r"(?:\s+(?:is|are|was|were)|['’]?s|['’]re)"
_ASKS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"what{_IS}\s+(?P<x>.+?)\s+(?:short for|an? (?:abbreviation|acronym) (?:for|of)|defined as|called)",
        r"what\s+do(?:es)?\s+(?:we|you|they|people|astronomers|one|it mean by)?\s*(?:mean|understand)\s+by\s+(?P<x>.+)",
        r"what\s+(?:do(?:es)?|did)\s+(?P<x>.+?)\s+(?:mean|stand for|refer to|denote|signify|describe|measure|"
        r"tell (?:me|us|you))(?:\s+(?:in|for|to|within|here)\b.*)?",
        r"(?:explain|tell me|say|describe|know)(?: to me)?\s+what\s+(?P<x>.+?)\s+(?:is|are|means?|stands? for)",
        r"what\s+(?P<x>.+?)\s+(?:means?|stands? for|is|are)",
        r"(?:define|explain|describe|give (?:me )?(?:a|the) definition of|definition of|meaning of|explanation of)"
        r"(?: to me)?[\s:]+(?P<x>.+)",
        r"how\s+(?:is|are|do you|does one|would you)\s+(?:define\s+)?(?P<x>.+?)(?:\s+(?:defined|explained))",
        r"how\s+(?:do|would|does) (?:you|one|exo) define\s+(?P<x>.+)",
        rf"(?:what|who)(?:\s+(?:exactly|actually|really|precisely))?{_IS}\s+(?P<x>.+)",
        rf"what\s+(?:kind|sort|type)\s+of\s+(?:thing|object|signal|quantity|number|test|star|planet|data){_IS}\s+(?P<x>.+)",
        r"what\s+counts\s+as\s+(?P<x>.+)",
        r"(?:tell me|what do you know|what can you (?:say|tell me))\s+(?:something\s+|more\s+)?about\s+(?P<x>.+)",
        r"what\s+does\s+it\s+mean\s+(?:for\s+.+?\s+)?to\s+be\s+(?P<x>.+)",
        r"(?P<x>.+?)\s+(?:stands?\s+for|means?|is)\s+what",
        r"(?:what|how)\s+about\s+(?P<x>.+)",
        r"(?P<x>.+?)\s+(?:definition|meaning|explained|abbreviation|acronym)",
    )
)
_COMPARES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:(?:what|where|which){_IS}\s+(?:the\s+)?|explain\s+(?:the\s+)?|tell me\s+(?:the\s+)?|the\s+)?"
        r"(?:differences?|distinctions?)\s+(?:between|of)\s+(?P<x>.+)",
        rf"(?:what|how){_IS}\s+(?P<x>.+?)\s+(?:different|distinct|distinguished)(?:\s+(?:from|to|than)\s+(?P<y>.+))?",
        r"what\s+(?:distinguishes|separates)\s+(?P<x>.+?)\s+from\s+(?P<y>.+)",
        r"how\s+do(?:es)?\s+(?P<x>.+?)\s+(?:differ|vary)(?:\s+from\s+(?P<y>.+))?",
        r"how\s+do\s+(?:i|you|we)\s+(?:tell|distinguish)\s+(?P<x>.+?)\s+(?:from|apart from)\s+(?P<y>.+)",
        r"(?:is|are)\s+(?P<x>.+?)\s+(?:the\s+same(?:\s+thing)?\s+as|identical\s+(?:to|with)|equal\s+to|equivalent\s+to)\s+(?P<y>.+)",
        r"(?:is|are)\s+(?P<x>.+?)\s+(?:the\s+same(?:\s+thing)?|identical)",
        r"compare\s+(?P<x>.+?)\s+(?:and|with|to)\s+(?P<y>.+)",
        r"(?P<x>.+?)\s+(?:vs\.?|versus|compared\s+(?:to|with)|as opposed to)\s+(?P<y>.+)",
    )
)
_AND = re.compile(r"\s*,\s*(?:and\s+)?|\s*/\s*|\s+(?:and|&|vs\.?|versus)\s+")
_MARKS = " ?!.,;:=\"'“”‘’"
_BRACKETS = re.compile(r"^(?P<outer>[^()]+?)\s*\((?P<inner>[^()]+)\)$")


@dataclass(frozen=True)
class Defined:
    """What a question asks the meaning of: words of the glossary, or one that it lacks (`unknown`)."""

    terms: tuple[Term, ...] = ()
    unknown: str | None = None


def asked_words(question: str) -> Defined | None:
    """The words whose meaning `question` asks for; None when it asks for something else.

    `unknown` is what is asked for, of at most MOST_WORDS words and no name, where the glossary has no such word.
    """
    if len(question) > LONGEST_QUESTION:
        return None
    text = _POLITE.sub("", " ".join(question.split())).strip(_MARKS)
    for pattern in _COMPARES:
        if (match := pattern.fullmatch(text)) and (found := _compared(match)):
            return Defined(found)
    if found := _words(text):
        return Defined(found)
    unknown = None
    for pattern in _ASKS:
        if match := pattern.fullmatch(text):
            if found := _words(match["x"]):
                return Defined(found)
            unknown = unknown or _bare(match["x"])
    words = unknown.lower().split() if unknown else []
    if (
        not unknown
        or not words
        or len(words) > MOST_WORDS
        or words[0] in _NOT_A_WORD
        or _OF & set(words)
        or names(unknown)
    ):
        return None
    return Defined(unknown=unknown)


_NOT_A_WORD = frozenset(("it", "its", "he", "she", "they", "their", "there", "up", "your", "wrong", "new", "going"))
"""What begins something else than a term."""
_OF = frozenset(("of", "for", "in", "to", "from", "with", "on", "by"))
"""What joins words to more than a term."""


def _compared(match: re.Match[str]) -> tuple[Term, ...]:
    """The words that are compared, if all of them are in the glossary."""
    other = match.groupdict().get("y")
    first = _words(match["x"])
    if not other:
        return first if len(first) > 1 else ()
    second = _words(other)
    return tuple(dict.fromkeys((*first, *second))) if first and second else ()


def _words(text: str) -> tuple[Term, ...]:
    """The word that `text` is, or the words that it lists; empty where one of them is in no glossary."""
    for form in _forms(text):
        if found := find(form):
            return (found,)
        if (both := _BRACKETS.match(form)) and (found := find(both["outer"]) or find(both["inner"])):
            return (found,)
    for form in _forms(text):
        parts = [part for part in _AND.split(form) if part.strip()]
        each = [next(filter(None, map(find, _forms(part))), None) for part in parts]
        if len(parts) > 1 and all(each):
            return tuple(dict.fromkeys(term for term in each if term))
    return ()


def _bare(text: str) -> str:
    """`text` without articles in front and what only says where it is meant behind."""
    return list(_forms(text))[-1]


def _forms(text: str) -> Iterator[str]:
    """`text`, then shorter and shorter: without articles in front, and without what only says where it is meant."""
    text = text.strip(_MARKS)
    yield text
    while True:
        shorter = _BEGIN.sub("", text).strip(_MARKS) or text
        if shorter == text:
            shorter = _END.sub("", text).strip(_MARKS) or text
        if shorter == text:
            return
        text = shorter
        yield text
