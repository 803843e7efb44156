"""Where sentences begin and end in astronomical prose.

Belongs here: the splitter that chunks and cited answers share. Does not belong here: sections, tokens.

A sentence ends at a full stop, question or exclamation mark before white space, at a blank line, and before a line that
is a list item, a row of a table or a heading. A full stop does not end it after an abbreviation (Fig., et al., i.e.),
an initial, the number of a list, or before a small letter; after abbreviations that may close a sentence (et al., etc.)
and single capitals it does before a word that opens sentences (We, The, However). Time and memory are linear in the
text.
"""

from __future__ import annotations

import re

_NEVER = frozenset(
    (
        *("fig", "figs", "eq", "eqs", "eqn", "eqns", "sec", "secs", "sect", "sects", "tab", "tabs", "ref", "refs"),
        *("e.g", "i.e", "cf", "vs", "viz", "approx", "ca", "dr", "prof", "mr", "mrs", "ms", "st", "no", "nos", "vol"),
        *("pp", "ch", "chap", "app", "resp", "incl", "ed", "eds", "dept", "univ", "astron", "astrophys", "phys"),
        *(
            "c.f",
            "w.r.t",
            "s.t",
            "prop",
            "def",
            "col",
            "cols",
            "ser",
            "suppl",
            "lett",
            "proc",
            "priv",
            "comm",
            "obs",
            "rev",
            "soc",
            "mon",
        ),
    )
)
"""Words before a full stop that never end a sentence."""
_SOMETIMES = frozenset(
    ("al", "etc", "jr", "sr", "u.s", "u.k", "a.m", "p.m", "ph.d", "inc", "ltd", "co", "coll", "temp")
)
"""Words before a full stop that end a sentence if what follows opens one."""
_OPENERS = frozenset(
    (
        *("the", "this", "these", "that", "those", "we", "our", "it", "its", "they", "their", "he", "she", "there"),
        *("in", "for", "from", "with", "using", "based", "by", "at", "as", "on", "to", "if", "when", "while", "where"),
        *("however", "here", "although", "though", "since", "because", "both", "each", "all", "most", "many", "some"),
        *("an", "another", "such", "thus", "therefore", "hence", "moreover", "furthermore", "finally", "first", "then"),
        *("after", "before", "despite", "given", "assuming", "among", "combined", "further", "no", "not", "only", "or"),
        *("and", "but", "so", "what", "which", "how", "why", "one", "two", "three", "several", "next", "now", "below"),
    )
)
_NUMBERS_FOLLOW = frozenset(("no", "nos", "ch", "col", "cols", "sec", "app", "def", "ms", "st", "tab", "prop", "ca"))
"""Of `_NEVER`: also words of their own, so that a sentence may end with them unless a number or a name follows."""

_END = re.compile(
    r"(?P<stop>[.!?]{1,20}[\"')\]”’»*_]{0,5}(?=\s|\Z)|[。！？])"
    r"|(?P<hard>\n(?=\n|[ \t]{0,8}(?:[-*+•][ \t]|\d{1,3}\)[ \t]|\||\#{1,6}[ \t])))"
    r"|(?P<after>(?:(?<=\n)|\A)(?:\||[ \t]{0,3}\#{1,6}[ \t])[^\n]*)"
)
_WORD = re.compile(r"[\w.\-'’/]{1,40}\Z")
_AFTER_NUMBER = re.compile(r"\d[ \u00a0]\Z")
_INITIALS = re.compile(r"[A-Z](?:[.\-][A-Z])*")
_NUMBERING = re.compile(r"\d{1,2}|[1-9]\d?(?:\.\d{1,2})+")
_NEXT = re.compile(r"[\s\"'(\[“‘«*_]{0,40}([\w]{0,30})")
_AT_LINE_START = re.compile(r"(?:^|\n)[ \t#*>|-]{0,12}\Z")


def sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of every sentence of `text`, in order, without the white space around them.

    Everything that is not white space is in exactly one sentence.
    """
    out, start = list[tuple[int, int]](), 0
    for match in _END.finditer(text):
        if match["stop"] and not _ends(text, match.start(), match.end()):
            continue
        _add(out, text, start, match.end())
        start = match.end()
    _add(out, text, start, len(text))
    return out


def _add(out: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    """Append the span without the white space around it, unless nothing is left."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        out.append((start, end))


def _ends(text: str, stop: int, after: int) -> bool:
    """Whether the marks from `stop` to `after` end a sentence."""
    if text[stop] in "。！？":
        return True
    following = _NEXT.match(text, after)
    word_after = following[1] if following else ""
    if word_after[:1].islower():
        return False
    if text[stop] != "." or text[stop : stop + 2] in ("..", ".!", ".?"):
        return True
    before = _WORD.search(text[max(0, stop - 40) : stop])
    word = before[0].lstrip("'’-.") if before else ""
    return _word_ends(text, stop, word, word_after)


def _word_ends(text: str, stop: int, word: str, word_after: str) -> bool:
    """Whether a full stop behind `word` and before `word_after` (not a small letter) ends a sentence."""
    low, opens = word.lower(), word_after.lower() in _OPENERS
    if low in _NUMBERS_FOLLOW and not word_after[:1].isdigit() and opens:
        return True
    if low in _NEVER:
        return False
    if low in _SOMETIMES:
        return opens or not word_after
    if _INITIALS.fullmatch(word) and not _AFTER_NUMBER.search(text[max(0, stop - len(word) - 2) : stop - len(word)]):
        return opens or not word_after
    if not (
        _NUMBERING.fullmatch(word) and _AT_LINE_START.search(text[max(0, stop - len(word) - 14) : stop - len(word)])
    ):
        return True
    return "." in word and opens  # a measurement that a line begins with, not the number of a heading
