"""Text as the corpus keeps it: no control characters, nothing invisible, one kind of line break.

Belongs here: cleaning decoded text, and hostile names in messages and as keys. Does not belong here: decoding bytes.

What is invisible is dropped because it can hide text from people that a language model reads (bidirectional overrides,
tag characters), and because it keeps words from being found (zero-width spaces, soft hyphens).
"""

from __future__ import annotations

import re

_BREAKS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
_LIGATURE = re.compile("[" + "".join(_LIGATURES) + "]")
_GAPS = re.compile(r"\n{3,}")

LONGEST_TITLE = 300
LONGEST_NAME = 255


def clean_text(raw: str) -> str:
    """`raw` without what people cannot see; stable: cleaning twice changes nothing more.

    Line breaks of every kind become \\n (never more than two in a row), ligatures letters, other control characters
    spaces, half surrogate pairs the replacement character; invisible characters, blanks at the end of a line and
    white space at both ends of the text go.
    """
    text = _BREAKS.sub("\n", raw)
    text = _INVISIBLE.sub("", text)
    text = _CONTROL.sub(" ", text)
    text = _SURROGATE.sub("�", text)
    text = _LIGATURE.sub(lambda m: _LIGATURES[m[0]], text)
    text = "\n".join(map(str.rstrip, text.split("\n")))
    return _GAPS.sub("\n\n", text).strip()


def one_line(raw: str, longest: int = LONGEST_TITLE) -> str:
    """`raw` cleaned, on one line with single spaces, cut to `longest` characters at a word where there is one."""
    text = " ".join(clean_text(raw[: 20 * longest]).split())
    if len(text) <= longest:
        return text
    return (text[:longest].rsplit(" ", 1)[0] or text[:longest]).rstrip() + " ..."


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit in `text`."""
    return any(map(str.isalnum, text))


def first_line(text: str) -> str:
    """The first line of `text` that has words in it, as a title; empty where there is none."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if has_words(text[start:end]):
            return one_line(text[start:end])
        start = end + 1
    return ""


def control_share(text: str) -> float:
    """Share of control characters that no text file holds, 0 to 1."""
    return sum(1 for _ in _CONTROL.finditer(text)) / len(text) if text else 0.0


def escaped(name: str) -> str:
    """`name` as a key that can be stored: what cannot be printed is escaped, and so are backslashes, so that no two
    names become one."""
    return "".join(c if c.isprintable() and c != "\\" else ascii(c)[1:-1] for c in name)


def shown(name: str) -> str:
    """`name` as a message may show it: control and invisible characters escaped, not longer than a name may be."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name[:LONGEST_NAME])
