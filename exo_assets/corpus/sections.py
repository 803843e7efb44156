"""Where the sections of a document begin.

Belongs here: headings of Markdown and of papers. Does not belong here: sentences (`sentences.py`), passages.

A heading of a paper is a line of its own: one of the usual names (Abstract, Methods, References), or a number that
continues the numbering so far and a few capitalised words. The numbering is what tells headings from rows of tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_HEADING = 100


@dataclass(frozen=True)
class Section:
    """`text[start:end]` with its heading; `path` has the headings above it and its own, outermost first."""

    start: int
    end: int
    path: tuple[str, ...]


def sections(text: str, media: str) -> list[Section]:
    """The sections of a document in order; together they are the whole text.

    What stands before the first heading has an empty path. A heading with nothing under it begins the section of the
    next heading. An abstract has no headings: it is one section of that name.
    """
    if media == "abstract":
        return [Section(0, len(text), ("Abstract",))] if text else []
    found = list(_markdown(text) if media == "markdown" else _paper(text))
    out, path, start, body = list[Section](), list[tuple[int, str]](), 0, 0
    for at, end, level, title in [*found, (len(text), len(text), 0, "")]:
        if text[body:at].strip():
            out.append(Section(start, at, tuple(name for _, name in path)))
            start = at
        path = [*(p for p in path if p[0] < level), (level, title)]
        body = end
    if start < len(text):  # nothing but headings and white space
        out.append(Section(start, len(text), (found[-1][3],) if found else ()))
    return out


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield start, text[start:end] if end - start <= 4 * LONGEST_HEADING else ""
        start = end + 1


# -- Markdown ----------------------------------------------------------------------------------------------------------

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})$")
_NOT_A_TITLE = re.compile(r" {0,3}([-*+>|]|\d+[.)]\s|$)|    ")


def _markdown(text: str) -> Iterator[tuple[int, int, int, str]]:
    """(start, end of its lines, level, title) of every heading; none inside fenced code."""
    fence, before, before_at = "", "", 0
    for at, raw in _lines(text):
        mark, line = _FENCE.match(raw), raw
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        elif not fence:
            if (heading := _ATX.match(line)) and (title := _plain(heading[2] or "")):
                yield at, at + len(raw), len(heading[1]), title
                line = ""
            elif (under := _UNDERLINE.match(line)) and not _NOT_A_TITLE.match(before) and (title := _plain(before)):
                yield before_at, at + len(raw), 1 if under[1][0] == "=" else 2, title
                line = ""
        before, before_at = ("" if fence or mark else line), at


def _plain(title: str) -> str:
    """A title without closing marks, emphasis and code signs."""
    text = re.sub(r"[*`]", "", title.strip().rstrip("#")).strip()
    return text[:LONGEST_HEADING].strip()


# -- papers ------------------------------------------------------------------------------------------------------------

_NAMED = re.compile(
    r"(?i)(abstract|introduction|background|observations?|data|methods?|methodology|analysis|results?|discussion|"
    r"conclusions?|summary|references|bibliography|acknowledge?ments?|appendix( [a-z])?|data availability|"
    r"(observations|data|results|methods|discussion|summary) and [a-z ]{3,40})"
)
_NUMBERED = re.compile(r"(?:(\d{1,2}(?:\.\d{1,2}){0,3})\.?|([IVX]{1,5})\.|Appendix ([A-Z])[.:]?)\s+(\S.*)")
_WORDS = re.compile(r"[A-Z][\w\-–’',:()/&+ ]*")
_ADDRESS = re.compile(
    r"(?i)\b(universit\w*|institut\w*|departments?|dept|observator\w*|laborator\w*|cent(er|re)s?|schools?|college|"
    r"division|faculty|academy|e-?mail|street|road|usa|uk)\b"
)
_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV")


def _paper(text: str) -> Iterator[tuple[int, int, int, str]]:
    """(start, end, level, title) of the headings of a paper."""
    last: tuple[int, ...] = ()
    for at, raw in _lines(text):
        line = raw.strip()
        if not 4 <= len(line) <= LONGEST_HEADING:
            continue
        bare = line.rstrip(".:—– ")
        if _NAMED.fullmatch(bare) and (bare[0].isupper()) and not line.endswith(","):
            yield at, at + len(raw), 1, _titled(bare)
        elif (match := _NUMBERED.fullmatch(line)) and _heading_words(match[4]):
            number = _number(match)
            if number is None or _follows(number, last, match[4]):
                last = number or last
                yield at, at + len(raw), len(number or (1,)), _titled(match[4].rstrip("."))


def _number(match: re.Match[str]) -> tuple[int, ...] | None:
    """The number of a heading; None for an appendix, which has a letter."""
    if match[1]:
        return tuple(map(int, match[1].split(".")))
    if match[2]:
        return (_ROMAN.index(match[2]) + 1 if match[2] in _ROMAN else 0,)
    return None


def _heading_words(title: str) -> bool:
    return (
        bool(_WORDS.fullmatch(title.rstrip(".")))
        and len(title.split()) <= 12
        and sum(map(str.isalpha, title)) >= max(4, 0.6 * len(title))
        and not _ADDRESS.search(title)
    )


def _follows(number: tuple[int, ...], last: tuple[int, ...], title: str) -> bool:
    """Whether `number` is the next in the numbering; an introduction may begin it anew (after addresses)."""
    if number == (1,):
        return not last or title.lower().startswith("introduction")
    depth = len(number)
    if depth > len(last):
        return depth == len(last) + 1 and number == (*last, 1)
    return number == (*last[: depth - 1], last[depth - 1] + 1)


def _titled(title: str) -> str:
    """Names in capitals as people write them."""
    return title.capitalize() if title.isupper() and len(title) > 4 else title
